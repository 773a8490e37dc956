"""The unit code: its length, the constant coordinate, and the gradient through the normalisation, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crowdad.scene.encoders.autoencoder import AutoEncoder


class Plain(AutoEncoder):
    """Codes are the samples themselves, reconstructions the codes."""

    def __init__(self, code_dim: int = 2, **kwargs) -> None:
        super().__init__(code_dim, **kwargs)
        self.trunk = nn.Identity()
        self.head = nn.Identity()


def test_l2_divides_each_code_by_its_length():
    codes = Plain().encode(torch.tensor([[3.0, 4.0], [0.0, -2.0]]))
    torch.testing.assert_close(codes, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))


def test_the_gradient_flows_through_the_normalisation():
    # d(x / |x|) / dx = (I - u u^T) / |x|; for x = (3, 4): u = (0.6, 0.8), (1 - 0.36, -0.48) / 5 = (0.128, -0.096).
    raw = torch.tensor([[3.0, 4.0]], requires_grad=True)
    Plain()(raw)[0, 0].backward()
    torch.testing.assert_close(raw.grad, torch.tensor([[0.128, -0.096]]))


def test_the_constant_coordinate_keeps_the_raw_length_as_an_angle():
    model = Plain(constant=True)
    assert model.code_width == 3
    codes = model.encode(torch.tensor([[2.0, 2.0], [0.0, 0.0], [200.0, 200.0]]))
    torch.testing.assert_close(codes[0], torch.tensor([2 / 3, 2 / 3, 1 / 3]))
    torch.testing.assert_close(codes[1], torch.tensor([0.0, 0.0, 1.0]))
    assert codes[2, 2] < 0.004
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(3))


def test_with_the_constant_a_gradient_points_along_the_raw_code_too():
    # y = (1, 0, 1) / sqrt 2: d y_3 / d x_1 = -x_1 / |y|^3 = -1 / 2^1.5.
    raw = torch.tensor([[1.0, 0.0]], requires_grad=True)
    Plain(constant=True).encode(raw)[0, 2].backward()
    torch.testing.assert_close(raw.grad, torch.tensor([[-(2**-1.5), 0.0]]))


def test_a_code_of_zero_stays_finite_forwards_and_backwards():
    raw = torch.zeros(1, 2, requires_grad=True)
    code = Plain().encode(raw)
    code.sum().backward()
    assert torch.equal(code, torch.zeros(1, 2))
    assert torch.isfinite(raw.grad).all()


def test_half_precision_codes_are_normalised_in_single():
    code = Plain().encode(torch.tensor([[300.0, 400.0]], dtype=torch.bfloat16))
    assert code.dtype == torch.float32
    torch.testing.assert_close(code.norm(dim=1), torch.ones(1))


def test_the_alternatives_do_what_they_are_called():
    raw = torch.tensor([[1.0, 5.0], [3.0, 1.0]])
    assert torch.equal(Plain(code_norm="none").encode(raw), raw)
    layer = Plain(code_norm="layer").encode(raw)
    torch.testing.assert_close(layer, torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), atol=1e-3, rtol=0)
    batch = Plain(code_norm="batch").train().encode(raw)
    torch.testing.assert_close(batch, torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), atol=1e-3, rtol=0)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match=r"code_norm is 'l1'; .*l2, none, batch, layer"):
        Plain(code_norm="l1")
