"""Convolutional auto-encoder over single-channel pictures."""

from __future__ import annotations

from torch import nn

from crowdad.scene.encoders.autoencoder import AutoEncoder

__all__ = ["Conv2dAutoEncoder"]


class Conv2dAutoEncoder(AutoEncoder):
    """Picture (1, H, W) -> three strided convolutions -> code -> mirrored transposed convolutions -> picture.

    The network of DCEC and of the L2 paper's Table II: 5x5, 5x5 and 3x3 kernels, stride 2, ReLU, a linear code, nothing
    after the last layer.  The third convolution is padded only where the side is a multiple of 8, so 28 -> 14 -> 7 -> 3
    and 16 -> 8 -> 4 -> 2.  Weights start as Keras draws them (Glorot, uniform), biases at 0, since the published
    results were made so.

    side: H = W, a multiple of 4, at least 12.  widths: channels of the three convolutions.
    """

    def __init__(
        self,
        side: int,
        *,
        code_dim: int = 10,
        widths: tuple[int, int, int] = (32, 64, 128),
        code_norm: str = "l2",
        constant: bool = False,
    ) -> None:
        super().__init__(code_dim, code_norm=code_norm, constant=constant)
        if side % 4 or side < 12:
            raise ValueError(f"side is {side}; a multiple of 4 of at least 12 is needed")
        first, second, third = widths
        pad = 1 if side % 8 == 0 else 0
        inner = (side // 4 + 2 * pad - 3) // 2 + 1
        flat = third * inner * inner
        self.side = side
        self.trunk = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(first, second, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, stride=2, padding=pad),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(flat, code_dim),
        )
        self.head = nn.Sequential(
            nn.Linear(self.code_width, flat),
            nn.ReLU(),
            nn.Unflatten(1, (third, inner, inner)),
            nn.ConvTranspose2d(third, second, 3, stride=2, padding=pad, output_padding=pad),
            nn.ReLU(),
            nn.ConvTranspose2d(second, first, 5, stride=2, padding=2, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(first, 1, 5, stride=2, padding=2, output_padding=1),
        )
        self.apply(_glorot)


def _glorot(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
