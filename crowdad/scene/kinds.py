"""Settings that name a member of a registry; `crowdad.config` lies below the registries and cannot check them."""

from __future__ import annotations

from collections.abc import Collection

from crowdad.config import Settings
from crowdad.errors import ConfigError
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.streams import KINDS, STREAMS
from crowdad.tubes.patches import extractor_kind

__all__ = ["check_kinds", "kinds_off"]


def check_kinds(settings: Settings) -> None:
    """Raise ConfigError where the settings name an extractor, an encoder or a kind of event that is not there."""
    extractor_kind(settings.tubes)
    encoder_kind(settings.encoder)
    for kind in (*settings.events.kinds, *settings.events.not_kinds):
        if kind not in KINDS:
            raise ConfigError(f"no event is of kind {kind!r}; choose among: {', '.join(KINDS)}")
    if not any(map(settings.events.wants, KINDS)):
        raise ConfigError("the wanted and the unwanted kinds leave no event to tell; name fewer that are not wanted")


def kinds_off(streams: Collection[str]) -> list[str]:
    """Kinds of events that none of these streams tells, in the order of `KINDS`."""
    told = {kind for name in streams for kind in STREAMS[name].kinds}
    return [kind for kind in KINDS if kind not in told]
