"""What every auto-encoder here shares: the code is normalised inside the network, while it learns."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from crowdad.config import EncoderSettings, TubeSettings

__all__ = ["CODE_NORMS", "AutoEncoder"]

CODE_NORMS = ("l2", "none", "batch", "layer")


class AutoEncoder(nn.Module):
    """encode -> code -> decode, with the code's norm taken inside the network so that gradients flow through it.

    A subclass sets `trunk` (input -> (N, code_dim)) and `head` ((N, code_width) -> the shape of `target`); one that can
    be chosen for a scene has `from_settings`, too.

    code_norm: "l2" divides each code by its length (Aytekin et al. 2018, arXiv:1802.00187); "none", "batch" and
        "layer" are the alternatives of the paper's Table III.
    constant: append a coordinate of 1 before "l2", so that the length of the raw code, which plain normalisation
        throws away, survives as an angle.
    """

    trunk: nn.Module
    head: nn.Module

    def __init__(self, code_dim: int, *, code_norm: str = "l2", constant: bool = False) -> None:
        super().__init__()
        if code_norm not in CODE_NORMS:
            raise ValueError(f"code_norm is {code_norm!r}; one of {', '.join(CODE_NORMS)} is needed")
        self.code_dim = code_dim
        self.code_norm = code_norm
        self.constant = constant
        self.code_width = code_dim + int(constant)
        self.norm: nn.Module | None = None
        if code_norm == "batch":
            self.norm = nn.BatchNorm1d(self.code_width, affine=False)
        elif code_norm == "layer":
            self.norm = nn.LayerNorm(self.code_width, elementwise_affine=False)

    @classmethod
    def from_settings(cls, encoder: EncoderSettings, tubes: TubeSettings, channels: int = 3) -> Self:
        """The auto-encoder for tubes (channels, steps, rows, columns) of these settings, `constant` among its code."""
        raise NotImplementedError

    @staticmethod
    def target(samples: Tensor) -> Tensor:
        """What the decoder is asked for: the samples themselves."""
        return samples

    def encode(self, samples: Tensor) -> Tensor:
        """Codes of `samples`: float (N, code_width), rows of length 1 under "l2"."""
        code = self.trunk(samples)
        if self.constant:
            code = torch.cat([code, torch.ones_like(code[:, :1])], dim=1)
        if self.norm is not None:
            return self.norm(code)
        if self.code_norm == "l2":
            return functional.normalize(code.float(), dim=1)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Reconstruction of the target from codes (N, code_width)."""
        return self.head(code)

    def forward(self, samples: Tensor) -> Tensor:
        return self.decode(self.encode(samples))
