"""Digits from tiny files written here, from broken ones, and from the real folder where there is one."""

from __future__ import annotations

import bz2
import os
from pathlib import Path

import numpy as np
import pytest

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.evaluation.datasets.digits import Digits, load_digits, load_mnist, load_usps

COUNTS = (("train", 12), ("t10k", 4))


def write_mnist(root: Path) -> Path:
    """Tiny MNIST files: picture i of a split is filled with i, its label is i % 10."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in COUNTS:
        pictures = np.repeat(np.arange(count, dtype=np.uint8), 28 * 28)
        head = b"".join(value.to_bytes(4, "big") for value in (0x803, count, 28, 28))
        (raw / f"{name}-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        head = b"".join(value.to_bytes(4, "big") for value in (0x801, count))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    return root


def write_usps(root: Path) -> Path:
    """Tiny USPS files in libsvm text: values -1 and 1, labels 1..10 for digits 0..9."""
    for name, count in (("usps.bz2", 12), ("usps.t.bz2", 4)):
        lines = []
        for row in range(count):
            values = " ".join(f"{place + 1}:{1.0 if place == row else -1.0}" for place in range(256))
            lines.append(f"{row % 10 + 1} {values}")
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))
    return root


def test_mnist_joins_both_splits_training_first(tmp_path):
    digits = load_mnist(write_mnist(tmp_path))
    assert digits.pictures.shape == (16, 28, 28)
    assert digits.train_count == 12
    assert digits.side == 28
    assert len(digits) == 16
    assert digits.pictures[11].max() == 11
    assert digits.classes[:13].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 0]


def test_usps_maps_labels_to_digits_and_values_to_bytes(tmp_path):
    digits = load_usps(write_usps(tmp_path))
    assert digits.pictures.shape == (16, 16, 16)
    assert digits.classes[:3].tolist() == [0, 1, 2]
    assert digits.pictures[2].ravel()[:4].tolist() == [0, 0, 255, 0]


@pytest.mark.parametrize("name", ["mnist", "usps"])
def test_a_missing_folder_names_it_and_the_command(tmp_path, name):
    with pytest.raises(DatasetNotFoundError, match="download=True"):
        load_digits(name, tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "file"), [("mnist", "train-images-idx3-ubyte"), ("usps", "usps.bz2")])
def test_a_missing_file_names_it_and_the_command(tmp_path, name, file):
    with pytest.raises(DatasetNotFoundError, match=f"{file}: .*download=True") as caught:
        load_digits(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="mnist, usps"):
        load_digits("cifar", tmp_path)


@pytest.mark.parametrize(
    ("file", "cut", "message"),
    [
        ("train-images-idx3-ubyte", -5, "header"),
        ("t10k-labels-idx1-ubyte", -1, "header"),
        ("train-labels-idx1-ubyte", 3, "idx"),
    ],
)
def test_a_truncated_idx_file_is_named(tmp_path, file, cut, message):
    path = write_mnist(tmp_path) / "MNIST" / "raw" / file
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=f"{file}: .*{message}.*download=True"):
        load_mnist(tmp_path)


def test_pictures_of_another_size_are_refused(tmp_path):
    path = write_mnist(tmp_path) / "MNIST" / "raw" / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + (14).to_bytes(4, "big") + (56).to_bytes(4, "big") + whole[16:])
    with pytest.raises(DataError, match=r"\(14, 56\).*\(28, 28\)"):
        load_mnist(tmp_path)


@pytest.mark.parametrize("damage", [b"no bz2 at all", bz2.compress(b"1 1:0.5 2:0.5"), bz2.compress(b"\n" * 3)])
def test_a_damaged_usps_file_is_named(tmp_path, damage):
    write_usps(tmp_path)
    (tmp_path / "usps.t.bz2").write_bytes(damage)
    with pytest.raises(DataError, match=r"usps\.t\.bz2: .*download=True"):
        load_usps(tmp_path)


def test_a_truncated_usps_file_is_named(tmp_path):
    path = write_usps(tmp_path) / "usps.bz2"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"usps\.bz2: "):
        load_usps(tmp_path)


def test_more_labels_than_pictures_are_refused():
    with pytest.raises(DataError, match="3 pictures"):
        Digits("x", np.zeros((3, 4, 4), np.uint8), np.zeros(4, np.int64), 2)
    with pytest.raises(DataError, match="side, side"):
        Digits("x", np.zeros((3, 4, 5), np.uint8), np.zeros(3, np.int64), 2)


@pytest.mark.skipif("CROWDAD_DATA" not in os.environ, reason="CROWDAD_DATA is not set: no folder with USPS")
def test_the_real_usps_has_its_published_size():
    digits = load_usps(Path(os.environ["CROWDAD_DATA"]))
    assert len(digits) == 9298
    assert digits.train_count == 7291
    assert np.bincount(digits.classes[:7291]).tolist() == [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
