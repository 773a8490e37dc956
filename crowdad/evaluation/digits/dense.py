"""Fully connected auto-encoder over flat samples."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from crowdad.scene.encoders.autoencoder import AutoEncoder

__all__ = ["DenseAutoEncoder"]


class DenseAutoEncoder(AutoEncoder):
    """Sample (D,) -> D-500-500-2000-code -> mirror -> sample (D,).

    The network of DEC and of the L2 paper's Table I: ReLU between layers, none before the code or after the last layer.
    PyTorch's default weights, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), are those that DEC drew; biases start at 0.

    input_dim: D, values of one sample.  widths: of the hidden layers, outermost first.
    """

    def __init__(
        self,
        input_dim: int,
        *,
        code_dim: int = 10,
        widths: tuple[int, ...] = (500, 500, 2000),
        code_norm: str = "l2",
        constant: bool = False,
    ) -> None:
        super().__init__(code_dim, code_norm=code_norm, constant=constant)
        if input_dim < 1 or not widths:
            raise ValueError(
                f"input_dim is {input_dim}, widths {widths}; at least one value and one hidden layer are needed"
            )
        self.input_dim = input_dim
        self.trunk = _perceptron((input_dim, *widths, code_dim))
        self.head = _perceptron((self.code_width, *reversed(widths), input_dim))


def _perceptron(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
