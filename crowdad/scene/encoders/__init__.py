"""The auto-encoders of tubes, one a file, over the unit-norm code of `autoencoder.py`.

A new kind is one file with a subclass of `AutoEncoder` that has `from_settings`, and one line in `ENCODERS`.  Nothing
here loads torch before a network is made, so that ONNX Runtime scores without it.
"""

from __future__ import annotations

from crowdad.config import EncoderSettings
from crowdad.errors import ConfigError
from crowdad.scene.encoders import conv3d_graph
from crowdad.scene.encoders._kind import EncoderKind
from crowdad.scene.encoders._nodes import Nodes

__all__ = ["ENCODERS", "EncoderKind", "Nodes", "encoder_kind"]

ENCODERS: dict[str, EncoderKind] = {
    "conv3d": EncoderKind("crowdad.scene.encoders.conv3d:Conv3dAutoEncoder", conv3d_graph.shapes, conv3d_graph.encode),
}
"""Every kind by the name that the setting `encoder.kind` takes."""


def encoder_kind(settings: EncoderSettings) -> EncoderKind:
    """The kind that the settings ask for.  Raises ConfigError for a name that is no key of `ENCODERS`."""
    if settings.kind not in ENCODERS:
        raise ConfigError(f"setting encoder.kind = {settings.kind!r}: one of {', '.join(ENCODERS)} is needed")
    return ENCODERS[settings.kind]
