"""What a scene asks a kind of auto-encoder for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, cast

import numpy.typing as npt

from crowdad.config import EncoderSettings, TubeSettings
from crowdad.scene.encoders._nodes import Nodes

if TYPE_CHECKING:
    from crowdad.scene.encoders.autoencoder import AutoEncoder

__all__ = ["EncoderKind", "Shapes", "Weights", "WriteGraph"]

Weights = dict[str, npt.NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]
WriteGraph = Callable[[Nodes, str, Weights, EncoderSettings, TubeSettings], str]


@dataclass(frozen=True)
class EncoderKind:
    """One kind of auto-encoder of tubes.

    network: "module:class" of a subclass of `AutoEncoder`, loaded only when a network is made.  Its code has
        `encoder.code_dim` coordinates and the constant one.
    shapes: name -> shape of each weight, told without torch; None: torch tells them.
    graph: adds the nodes from standardised features, whose name is given, to the code of `AutoEncoder.encode` (of any
        length), and returns its name; None: the kind has no ONNX graph, only torch computes it.
    """

    network: str
    shapes: Callable[[EncoderSettings, TubeSettings], Shapes] | None = None
    graph: WriteGraph | None = None

    def make(self, encoder: EncoderSettings, tubes: TubeSettings, channels: int = 3) -> AutoEncoder:
        """A network with fresh weights, drawn by torch's generator."""
        return cast("AutoEncoder", resolve_name(self.network).from_settings(encoder, tubes, channels))

    def weight_shapes(self, encoder: EncoderSettings, tubes: TubeSettings) -> Shapes:
        """Name -> shape of each weight, without memory for them: a forged model could ask for a network of any size."""
        if self.shapes is not None:
            return self.shapes(encoder, tubes)
        import torch

        with torch.device("meta"):
            state = self.make(encoder, tubes).state_dict()
        return {name: tuple(weight.shape) for name, weight in state.items()}
