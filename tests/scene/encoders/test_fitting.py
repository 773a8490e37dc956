"""The training loop: it learns, it repeats itself, it says what it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdad.errors import FitError
from crowdad.evaluation.digits.dense import DenseAutoEncoder
from crowdad.scene.encoders.fitting import TrainingPlan, encode_all, fit_autoencoder, reconstruction_errors


def tiny(seed: int = 0, **options) -> DenseAutoEncoder:
    torch.manual_seed(seed)
    return DenseAutoEncoder(12, code_dim=3, widths=(16,), **options)


def tiny_samples(count: int = 100) -> torch.Tensor:
    torch.manual_seed(7)
    return torch.rand(count, 2) @ torch.rand(2, 12)


def test_the_loss_falls_and_the_last_one_is_returned():
    losses: list[float] = []
    plan = TrainingPlan(epochs=15, batch_size=16, learning_rate=3e-3)
    last = fit_autoencoder(tiny(), tiny_samples(), plan, seed=0, on_epoch=lambda _epoch, loss: losses.append(loss))
    assert len(losses) == 15
    assert last == losses[-1] < 0.3 * losses[0]


def test_a_run_repeats_itself_and_another_seed_does_not():
    def weights(seed: int) -> torch.Tensor:
        model = tiny()
        fit_autoencoder(model, tiny_samples(), TrainingPlan(epochs=2, batch_size=16), seed=seed)
        return next(model.parameters()).detach().clone()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_looking_in_after_an_epoch_changes_nothing():
    def weights(look: bool) -> torch.Tensor:
        model = tiny(code_norm="batch")
        samples = tiny_samples()
        on_epoch = (lambda _epoch, _loss: encode_all(model, samples)) if look else None
        fit_autoencoder(model, samples, TrainingPlan(epochs=3, batch_size=16), seed=0, on_epoch=on_epoch)
        assert not model.training
        return next(model.parameters()).detach().clone()

    assert torch.equal(weights(True), weights(False))


def test_the_last_smaller_batch_counts_too():
    seen: list[int] = []

    def objective(model, batch, rows):
        seen.extend(rows.tolist())
        return ((model(batch) - batch) ** 2).mean()

    fit_autoencoder(tiny(), tiny_samples(21), TrainingPlan(epochs=2, batch_size=8), seed=0, objective=objective)
    assert sorted(seen[:21]) == sorted(seen[21:]) == list(range(21))
    assert seen[:21] != seen[21:]


def test_rates_by_hand():
    assert TrainingPlan(1, learning_rate=2.0).rate(0.7) == 2.0
    cosine = TrainingPlan(1, learning_rate=2.0, decay="cosine")
    assert [cosine.rate(done) for done in (0.0, 0.5, 1.0)] == pytest.approx([2.0, 1.0, 0.0])
    one = TrainingPlan(1, learning_rate=2.0, decay="one-cycle")
    assert [one.rate(done) for done in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0.0, 1.0, 2.0, 1.0, 0.0])


def test_bfloat16_still_gives_unit_float32_codes():
    model = tiny()
    fit_autoencoder(model, tiny_samples(), TrainingPlan(epochs=2, batch_size=32, bf16=True), seed=0)
    codes = encode_all(model, tiny_samples())
    assert codes.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-6)


def test_reconstruction_errors_are_each_samples_own():
    model, samples = tiny(), tiny_samples(10)
    together = reconstruction_errors(model, samples, batch_size=3)
    with torch.no_grad():
        by_hand = ((model.eval()(samples) - samples) ** 2).mean(dim=1).numpy()
    np.testing.assert_allclose(together, by_hand, rtol=1e-5)


@pytest.mark.gpu
def test_samples_on_a_gpu_stay_there():
    model, samples = tiny(), tiny_samples().cuda()
    fit_autoencoder(model, samples, TrainingPlan(epochs=2, batch_size=16), seed=0)
    assert next(model.parameters()).is_cuda
    assert encode_all(model, samples).shape == (100, 3)


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(FitError, match="at least one"):
        fit_autoencoder(tiny(), torch.zeros(0, 12), TrainingPlan(1), seed=0)
    with pytest.raises(FitError, match=r"finite.*learning_rate"):
        fit_autoencoder(tiny(), torch.full((4, 12), torch.inf), TrainingPlan(1), seed=0)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 1, "batch_size": 0}, {"epochs": 1, "decay": "linear"}])
def test_a_plan_checks_itself(wrong):
    with pytest.raises(ValueError, match="needed"):
        TrainingPlan(**wrong)
    with pytest.raises(ValueError, match="learning_rate"):
        TrainingPlan(1, learning_rate=0.0)
