"""The tube encoder: kernels longer than 1 in time, a mean over time, a unit code with the constant."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crowdad.config import load_settings
from crowdad.scene.encoders.conv3d import Conv3dAutoEncoder


@pytest.fixture
def model() -> Conv3dAutoEncoder:
    torch.manual_seed(0)
    return Conv3dAutoEncoder()


@pytest.fixture
def tubes() -> torch.Tensor:
    return torch.randn(6, 3, 5, 5, 3, generator=torch.Generator().manual_seed(1))


def test_tube_to_unit_code_to_the_tubes_mean_over_time(model, tubes):
    codes = model.encode(tubes)
    assert codes.shape == (6, 9)
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(6))
    assert model(tubes).shape == model.target(tubes).shape == (6, 3, 5, 3)
    torch.testing.assert_close(model.target(tubes)[2, 1, 4, 0], tubes[2, 1, :, 4, 0].mean())


def test_both_convolutions_are_longer_than_1_in_time(model):
    kernels = [layer.kernel_size for layer in model.modules() if isinstance(layer, nn.Conv3d)]
    assert kernels == [(3, 3, 3), (3, 5, 3)]


def test_the_order_of_neighbouring_steps_matters_only_to_a_temporal_kernel(tubes):
    shuffled = tubes[:, :, [2, 0, 4, 1, 3]]
    for length, differs in ((1, False), (3, True)):
        torch.manual_seed(0)
        encode = Conv3dAutoEncoder(temporal_kernel=length).eval().encode
        assert torch.allclose(encode(tubes), encode(shuffled), atol=1e-5) is not differs


@pytest.mark.parametrize("overrides", [["tubes.steps=1"], ["tubes.steps=9", "tubes.rows=3", "tubes.columns=1"]])
def test_it_is_built_for_any_tube_and_code(overrides):
    settings = load_settings(overrides=[*overrides, "encoder.code_dim=4", "encoder.temporal_kernel=5"])
    model = Conv3dAutoEncoder.from_settings(settings.encoder, settings.tubes, channels=2)
    tube = settings.tubes
    samples = torch.rand(2, 2, tube.steps, tube.rows, tube.columns)
    assert model.encode(samples).shape == (2, 5)
    assert model(samples).shape == (2, 2, tube.rows, tube.columns)


def test_every_weight_learns(model, tubes):
    ((model(tubes) - model.target(tubes)) ** 2).mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize("length", [0, 2, -1])
def test_a_kernel_without_a_middle_is_refused(length):
    with pytest.raises(ValueError, match="odd"):
        Conv3dAutoEncoder(temporal_kernel=length)
