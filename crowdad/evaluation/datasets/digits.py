"""MNIST and USPS: small pictures of handwritten digits, read from a folder, never fetched here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError, DatasetNotFoundError

__all__ = ["DIGIT_SETS", "Digits", "load_digits", "load_mnist", "load_usps"]

_IDX_DTYPE_UBYTE = 8
_MNIST_PARTS = (
    ("train-images-idx3-ubyte", (28, 28)),
    ("train-labels-idx1-ubyte", ()),
    ("t10k-images-idx3-ubyte", (28, 28)),
    ("t10k-labels-idx1-ubyte", ()),
)
_USPS_PARTS = ("usps.bz2", "usps.t.bz2")


@dataclass(frozen=True, eq=False)
class Digits:
    """A data set of digits, training split first.

    pictures: uint8 (N, side, side), 0 = background.  classes: int64 (N,) in 0..9.  train_count: size of the training
    split, the first rows.
    """

    name: str
    pictures: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    train_count: int

    def __post_init__(self) -> None:
        shape = self.pictures.shape
        if self.pictures.dtype != np.uint8 or len(shape) != 3 or shape[1] != shape[2]:
            raise DataError(f"{self.name}: pictures are {self.pictures.dtype} {shape}; uint8 (N, side, side) is needed")
        if self.classes.shape != shape[:1]:
            raise DataError(f"{self.name}: {shape[0]} pictures but labels {self.classes.shape}; one for each is needed")
        if not 0 < self.train_count <= shape[0]:
            raise DataError(
                f"{self.name}: {self.train_count} of {shape[0]} in the training split; 1 or more are needed"
            )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def side(self) -> int:
        return self.pictures.shape[1]


def load_mnist(data_dir: Path) -> Digits:
    """MNIST from `data_dir`/MNIST/raw (four idx files): 70,000 pictures of 28x28, 60,000 of them for training.

    Raises DatasetNotFoundError for a missing file, DataError for a damaged one; the message names the file.
    """
    for name, inner in _MNIST_PARTS:
        _check_idx(data_dir / "MNIST" / "raw" / name, inner, _fetch_command("MNIST", data_dir))
    from torchvision.datasets import MNIST

    splits = [MNIST(str(data_dir), train=train, download=False) for train in (True, False)]
    return _joined("mnist", [(split.data.numpy(), split.targets.numpy()) for split in splits])


def load_usps(data_dir: Path) -> Digits:
    """USPS from `data_dir`/usps.bz2 and usps.t.bz2: 9,298 pictures of 16x16, 7,291 of them for training.

    Raises DatasetNotFoundError for a missing file, DataError for a damaged one; the message names the file.
    """
    from torchvision.datasets import USPS

    command = _fetch_command("USPS", data_dir)
    splits = []
    for name, train in zip(_USPS_PARTS, (True, False), strict=True):
        path = data_dir / name
        if not path.is_file():
            raise DatasetNotFoundError(f"{path}: not found; the USPS digits are needed there; get them with: {command}")
        try:
            split = USPS(str(data_dir), train=train, download=False)
        except (OSError, EOFError, ValueError, IndexError) as error:
            found = f"not readable as bz2 of 16x16 digits in libsvm text ({_first_line(error)})"
            raise DataError(f"{path}: {found}; get it again with: {command}") from error
        splits.append((split.data, np.asarray(split.targets)))
    return _joined("usps", splits)


DIGIT_SETS: dict[str, Callable[[Path], Digits]] = {"mnist": load_mnist, "usps": load_usps}
"""Every data set of digits by the name that the command line takes."""


def load_digits(name: str, data_dir: Path) -> Digits:
    """The digits called `name`, a key of DIGIT_SETS, from `data_dir`.

    Raises DatasetNotFoundError for an unknown name or a missing folder or file, DataError for a damaged file.
    """
    if name not in DIGIT_SETS:
        raise DatasetNotFoundError(f"no digits called {name!r}; one of {', '.join(DIGIT_SETS)} is needed")
    if not data_dir.is_dir():
        command = _fetch_command(name.upper(), data_dir)
        raise DatasetNotFoundError(f"{data_dir}: no such folder; {name} is needed there; get it with: {command}")
    return DIGIT_SETS[name](data_dir)


def _joined(name: str, splits: list[tuple[npt.NDArray, npt.NDArray]]) -> Digits:
    pictures = np.concatenate([pictures for pictures, _ in splits])
    classes = np.concatenate([classes for _, classes in splits]).astype(np.int64)
    if classes.min(initial=0) < 0 or classes.max(initial=0) > 9:
        raise DataError(f"{name}: labels from {classes.min()} to {classes.max()}; digits 0 to 9 are needed")
    return Digits(name, pictures, classes, train_count=len(splits[0][1]))


def _check_idx(path: Path, inner: tuple[int, ...], command: str) -> None:
    """Refuse an idx file that torchvision would die on; its header says how many bytes must follow."""
    if not path.is_file():
        raise DatasetNotFoundError(
            f"{path}: not found; MNIST's four unpacked idx files are needed; get them with: {command}"
        )
    n_dims = 1 + len(inner)
    header_size = 4 + 4 * n_dims
    with path.open("rb") as file:
        header = file.read(header_size)
    if len(header) < header_size or header[:4] != bytes([0, 0, _IDX_DTYPE_UBYTE, n_dims]):
        raise DataError(
            f"{path}: not an idx file of unsigned bytes in {n_dims} dimensions; get it again with: {command}"
        )
    shape = tuple(int.from_bytes(header[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(n_dims))
    if shape[1:] != inner:
        raise DataError(f"{path}: pictures of {shape[1:]}; {inner} is needed; get it again with: {command}")
    needed, found = header_size + math.prod(shape), path.stat().st_size
    if found != needed:
        raise DataError(f"{path}: {found} bytes, its header asks for {needed}; get it again with: {command}")


def _fetch_command(dataset: str, data_dir: Path) -> str:
    both = f"[{dataset}({str(data_dir)!r}, train=part, download=True) for part in (True, False)]"
    return f'python -c "from torchvision.datasets import {dataset}; {both}"'


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
