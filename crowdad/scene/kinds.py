"""Settings that name a member of a registry; `crowdad.config` lies below the registries and cannot check them."""

from __future__ import annotations

from crowdad.config import Settings
from crowdad.scene.encoders import encoder_kind
from crowdad.tubes.patches import extractor_kind

__all__ = ["check_kinds"]


def check_kinds(settings: Settings) -> None:
    """Raise ConfigError where the settings name an extractor or an encoder that is not there."""
    extractor_kind(settings.tubes)
    encoder_kind(settings.encoder)
