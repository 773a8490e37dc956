"""Training an auto-encoder on samples that fit in memory: no data loader, all samples stay on one device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from crowdad.errors import FitError
from crowdad.scene.encoders.autoencoder import AutoEncoder

__all__ = [
    "DECAYS",
    "Objective",
    "TrainingPlan",
    "encode_all",
    "fit_autoencoder",
    "reconstruction",
    "reconstruction_errors",
]

DECAYS = ("constant", "cosine", "one-cycle")

Objective = Callable[[AutoEncoder, Tensor, Tensor], Tensor]
"""(model, batch, indices of the batch in the samples) -> scalar loss."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn: Adam on shuffled batches.

    epochs: passes over the samples, >= 1.  batch_size: samples a step, >= 1.
    learning_rate: the highest.  decay: "constant"; "cosine" to zero; "one-cycle", a linear rise over the first tenth
    and a cosine to zero.  bf16: compute in bfloat16 where that is safe (weights, codes and loss stay float32).
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    decay: str = "constant"
    bf16: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs is {self.epochs}, batch_size {self.batch_size}; at least 1 of each is needed")
        if self.decay not in DECAYS:
            raise ValueError(f"decay is {self.decay!r}; one of {', '.join(DECAYS)} is needed")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; a number above 0 is needed")

    def rate(self, done: float) -> float:
        """Learning rate after a share `done`, in [0, 1], of all steps."""
        if self.decay == "constant":
            return self.learning_rate
        rise = 0.1 if self.decay == "one-cycle" else 0.0
        if done < rise:
            return self.learning_rate * done / rise
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - rise) / (1 - rise)))


def reconstruction(model: AutoEncoder, batch: Tensor, _rows: Tensor) -> Tensor:
    """Mean squared error of the reconstruction: the objective where no other is given."""
    return functional.mse_loss(model(batch).float(), model.target(batch))


def fit_autoencoder(
    model: AutoEncoder,
    samples: Tensor,
    plan: TrainingPlan,
    *,
    seed: int,
    objective: Objective = reconstruction,
    jitter: Callable[[Tensor], Tensor] | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> float:
    """Train `model` on `samples`, on the samples' device; the model is moved there and left in evaluation mode.

    samples: float (N, ...), the model's input shape.  seed: of the shuffling (the weights are the model's own).
    jitter: changes each batch before it is learned from.
    on_epoch: called after each epoch with its number, from 1, and its mean loss.
    Returns the mean loss of the last epoch.  Raises FitError without samples or when the loss is not finite.
    """
    count = len(samples)
    if count == 0:
        raise FitError("no samples to learn from; at least one is needed")
    device = samples.device
    # Convolutions on the CPU and on tensor cores are faster with channels last; flat samples have no channels.
    layout = torch.channels_last if samples.ndim == 4 else torch.contiguous_format
    model.to(device=device, memory_format=layout).train()  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
    shuffler = torch.Generator(device=device).manual_seed(seed)
    steps, step, mean_loss = plan.epochs * math.ceil(count / plan.batch_size), 0, math.nan
    for epoch in range(1, plan.epochs + 1):
        loss_sum = torch.zeros((), device=device)
        for rows in torch.randperm(count, generator=shuffler, device=device).split(plan.batch_size):
            for group in optimiser.param_groups:
                group["lr"] = plan.rate((step + 0.5) / steps)
            batch = samples[rows] if jitter is None else jitter(samples[rows])
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=plan.bf16):
                loss = objective(model, batch, rows)
            loss.backward()
            loss_sum += loss.detach() * len(rows)
            optimiser.step()
            step += 1
        mean_loss = float(loss_sum) / count
        if not math.isfinite(mean_loss):
            raise FitError(f"epoch {epoch}: the loss is not finite; lower learning_rate ({plan.learning_rate})")
        if on_epoch:
            on_epoch(epoch, mean_loss)
            model.train()
    model.eval()
    return mean_loss


def encode_all(model: AutoEncoder, samples: Tensor, *, batch_size: int = 4096) -> npt.NDArray[np.float32]:
    """Codes of all samples, in evaluation mode: float32 (N, code_width).

    samples: float (N, ...) on the model's device.
    """
    model.eval()
    with torch.inference_mode():
        parts = [model.encode(part).float().cpu() for part in samples.split(batch_size)]
    return torch.cat(parts).numpy()


def reconstruction_errors(model: AutoEncoder, samples: Tensor, *, batch_size: int = 4096) -> npt.NDArray[np.float32]:
    """Mean squared error of each sample's reconstruction, in evaluation mode: float32 (N,), higher = abnormal."""
    model.eval()
    with torch.inference_mode():
        parts = [((model(part).float() - part) ** 2).flatten(1).mean(dim=1).cpu() for part in samples.split(batch_size)]
    return torch.cat(parts).numpy()
