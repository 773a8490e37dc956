"""Spatiotemporal convolutional auto-encoder over motion tubes."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from crowdad.config import EncoderSettings, TubeSettings
from crowdad.scene.encoders.autoencoder import AutoEncoder

__all__ = ["Conv3dAutoEncoder"]


class _MeanOverTime(nn.Module):
    def forward(self, samples: Tensor) -> Tensor:
        return samples.mean(dim=2)


class Conv3dAutoEncoder(AutoEncoder):
    """Tube (C, T, rows, columns) -> unit code -> the tube's mean over time (C, rows, columns).

    Two convolutions run over time and over the body's rows and columns; what they find is averaged over time, so that
    the code says how the subject moves and not in which phase of a step it was caught.  The decoder answers with the
    tube's mean over time for the same reason: asked for every phase, eight numbers hold nothing else.

    shape: (C, T, rows, columns) of one tube.  temporal_kernel: length of both kernels in time, odd, in steps.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int] = (3, 5, 5, 3),
        *,
        code_dim: int = 8,
        temporal_kernel: int = 3,
        widths: tuple[int, int, int] = (32, 64, 128),
        code_norm: str = "l2",
        constant: bool = True,
    ) -> None:
        super().__init__(code_dim, code_norm=code_norm, constant=constant)
        if temporal_kernel % 2 == 0 or temporal_kernel < 1:
            raise ValueError(f"temporal_kernel is {temporal_kernel}; an odd length is needed")
        channels, _, rows, columns = shape
        narrow, wide, decoder = widths
        in_time = temporal_kernel // 2
        self.trunk = nn.Sequential(
            nn.Conv3d(channels, narrow, (temporal_kernel, 3, 3), padding=(in_time, 1, 1)),
            nn.GELU(),
            nn.Conv3d(narrow, wide, (temporal_kernel, rows, columns), padding=(in_time, 0, 0)),
            nn.GELU(),
            _MeanOverTime(),
            nn.Flatten(),
            nn.Linear(wide, wide),
            nn.GELU(),
            nn.Linear(wide, code_dim),
        )
        self.head = nn.Sequential(
            nn.Linear(self.code_width, decoder),
            nn.GELU(),
            nn.Linear(decoder, decoder),
            nn.GELU(),
            nn.Linear(decoder, channels * rows * columns),
            nn.Unflatten(1, (channels, rows, columns)),
        )

    @classmethod
    def from_settings(cls, encoder: EncoderSettings, tubes: TubeSettings, channels: int = 3) -> Self:
        """The auto-encoder for tubes of these settings."""
        return cls(
            (channels, tubes.steps, tubes.rows, tubes.columns),
            code_dim=encoder.code_dim,
            temporal_kernel=encoder.temporal_kernel,
            code_norm=encoder.code_norm,
        )

    @staticmethod
    def target(samples: Tensor) -> Tensor:
        """What the decoder is asked for: tubes (N, C, T, rows, columns) -> (N, C, rows, columns)."""
        return samples.mean(dim=2)
