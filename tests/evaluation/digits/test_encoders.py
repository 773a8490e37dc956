"""Every layer's shape as published, and a code of length 1 that lets gradients through."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crowdad.evaluation.digits.conv2d import Conv2dAutoEncoder
from crowdad.evaluation.digits.dense import DenseAutoEncoder


def layer_shapes(part: nn.Module, samples: torch.Tensor) -> list[tuple[int, ...]]:
    """Output shape, without the batch, of every layer that has weights."""
    shapes = []
    for layer in part.children():
        samples = layer(samples)
        if any(True for _ in layer.parameters(recurse=False)):
            shapes.append(tuple(samples.shape[1:]))
    return shapes


CONV_SHAPES = {
    28: ([(32, 14, 14), (64, 7, 7), (128, 3, 3), (10,)], [(1152,), (64, 7, 7), (32, 14, 14), (1, 28, 28)]),
    16: ([(32, 8, 8), (64, 4, 4), (128, 2, 2), (10,)], [(512,), (64, 4, 4), (32, 8, 8), (1, 16, 16)]),
}


@pytest.mark.parametrize("side", [28, 16])
def test_conv2d_has_the_published_shapes(side):
    model = Conv2dAutoEncoder(side)
    down, up = CONV_SHAPES[side]
    assert layer_shapes(model.trunk, torch.rand(2, 1, side, side)) == down
    assert layer_shapes(model.head, torch.rand(2, 10)) == up


@pytest.mark.parametrize("side", [12, 20, 24, 32])
def test_conv2d_gives_back_the_input_shape(side):
    pictures = torch.rand(3, 1, side, side)
    assert Conv2dAutoEncoder(side)(pictures).shape == pictures.shape


@pytest.mark.parametrize("side", [784, 256])
def test_dense_has_the_published_shapes(side):
    model = DenseAutoEncoder(side)
    assert layer_shapes(model.trunk, torch.rand(2, side)) == [(500,), (500,), (2000,), (10,)]
    assert layer_shapes(model.head, torch.rand(2, 10)) == [(2000,), (500,), (500,), (side,)]


def test_neither_the_code_nor_the_output_is_rectified():
    for model in (Conv2dAutoEncoder(16), DenseAutoEncoder(16)):
        assert not isinstance(list(model.trunk)[-1], nn.ReLU)
        assert not isinstance(list(model.head)[-1], nn.ReLU)


def test_weights_start_within_their_published_bounds_and_biases_at_zero():
    conv = Conv2dAutoEncoder(28)
    first = next(iter(conv.trunk))
    glorot = (6 / (25 * 1 + 25 * 32)) ** 0.5
    assert 0.9 * glorot < first.weight.abs().max() <= glorot
    dense = DenseAutoEncoder(400)
    first = next(iter(dense.trunk))
    assert 0.9 * 0.05 < first.weight.abs().max() <= 0.05
    for model in (conv, dense):
        biases = [layer.bias for layer in model.modules() if getattr(layer, "bias", None) is not None]
        assert len(biases) == 8
        assert all(not bias.any() for bias in biases)


@pytest.mark.parametrize("model", [Conv2dAutoEncoder(16), DenseAutoEncoder(256)], ids=["conv2d", "dense"])
def test_codes_have_length_1_while_training_and_gradients_flow_through_it(model):
    model.train()
    shape = (8, 1, 16, 16) if isinstance(model, Conv2dAutoEncoder) else (8, 256)
    samples = torch.rand(shape)
    last = list(model.trunk)[-1]
    raw: list[torch.Tensor] = []

    def watch(_module, _inputs, output):
        output.retain_grad()
        raw.append(output)

    handle = last.register_forward_hook(watch)
    code = model.encode(samples)
    torch.testing.assert_close(code.norm(dim=1), torch.ones(8))
    ((model.decode(code) - samples) ** 2).mean().backward()
    handle.remove()
    gradient = raw[0].grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    # The unit code does not change with the raw code's length, so no gradient may point along the raw code.
    along = (gradient * raw[0].detach()).sum(dim=1).abs()
    assert (along < 1e-4 * gradient.norm(dim=1) * raw[0].detach().norm(dim=1) + 1e-9).all()
    assert last.weight.grad is not None
    assert last.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("code_norm", "unit"), [("l2", True), ("none", False), ("batch", False), ("layer", False)])
def test_only_l2_makes_unit_codes(code_norm, unit):
    torch.manual_seed(0)
    codes = Conv2dAutoEncoder(16, code_norm=code_norm).encode(torch.rand(6, 1, 16, 16))
    assert torch.allclose(codes.norm(dim=1), torch.ones(6)) is unit


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        Conv2dAutoEncoder(30)
    with pytest.raises(ValueError, match="multiple of 4"):
        Conv2dAutoEncoder(8)
    with pytest.raises(ValueError, match="hidden layer"):
        DenseAutoEncoder(10, widths=())
    with pytest.raises(ValueError, match="code_norm"):
        DenseAutoEncoder(10, code_norm="l3")
