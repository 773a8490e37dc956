"""Training over the processes that torchrun started; in a process that is alone every function is there, too.

All processes do the same on the same data, but where a function here gives each its share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from crowdad.errors import CrowdadError

__all__ = [
    "add_up_gradients",
    "added_up",
    "from_first",
    "gathered",
    "is_first",
    "is_shared",
    "joined_group",
    "share_of",
]

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""The others wait while the first one looks at the footage."""


def is_shared() -> bool:
    """Whether several processes learn together."""
    return distributed.is_available() and distributed.is_initialized()


def _rank() -> int:
    return distributed.get_rank() if is_shared() else 0


def _world() -> int:
    return distributed.get_world_size() if is_shared() else 1


def is_first() -> bool:
    """Whether this process writes files and speaks: the first of those that torchrun started, or one that is alone."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_group(device: str) -> Iterator[None]:
    """Join the other processes that torchrun started, for as long as the block lasts; nothing where there are none.

    device: "cpu", or "cuda" for a GPU to each process of a machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or is_shared():
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def from_first(make: Callable[[], T]) -> T:
    """What `make` gives in the first process, in all of them; a CrowdadError that it raises is raised in all, too."""
    if not is_shared():
        return make()
    made: list[Any] = [None, None]
    if _rank() == 0:
        try:
            made[0] = make()
        except CrowdadError as error:
            made[1] = error
    distributed.broadcast_object_list(made, src=0)
    if made[1] is not None:
        raise made[1]
    return made[0]  # type: ignore[no-any-return]


def share_of(rows: Tensor) -> Tensor:
    """This process's rows, (N / processes, ...); may be none."""
    return rows.tensor_split(_world())[_rank()] if is_shared() else rows


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in the order of `share_of`: (sum of N, ...) on the device of `rows`."""
    if not is_shared():
        return rows
    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(_world())]
    distributed.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    longest = max(int(count) for count in counts)
    padded = rows.new_zeros(longest, *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])


def added_up(value: Tensor) -> Tensor:
    """Sum of the tensor over all processes, in place."""
    if is_shared():
        distributed.all_reduce(value)
    return value


def add_up_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the sum of all gradients, in one exchange; a missing one counts as zero."""
    if not is_shared():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    whole = added_up(torch.cat([part.reshape(-1) for part in parts]))
    for parameter, summed in zip(trained, whole.split([part.numel() for part in parts]), strict=True):
        parameter.grad = summed.view_as(parameter).clone()
