"""A generated camera in the layout of UCSD's archive, so that what is made for Ped2 runs where Ped2 is not at hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from crowdad.synthetic import GeneratedClip

__all__ = ["write_tiny_ped2"]


def write_tiny_ped2(root: Path, *, train: int = 2, test: int = 2, duration_s: float = 6) -> Path:
    """Normal training clips and test clips with masks, 360x240 at 10 fps, in `root`; returns `root`."""
    parts = [("Train", number) for number in range(1, train + 1)] + [("Test", number) for number in range(1, test + 1)]
    for seed, (part, number) in enumerate(parts, start=11):
        normal = part == "Train"
        folder = root / "UCSDped2" / part / f"{part}{number:03d}"
        folder.mkdir(parents=True)
        for place, (picture, truth) in enumerate(
            GeneratedClip("ped2like", seed, normal_only=normal, duration_s=duration_s), start=1
        ):
            cv2.imwrite(str(folder / f"{place:03d}.tif"), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
            if not normal:
                masks = folder.with_name(f"{folder.name}_gt")
                masks.mkdir(exist_ok=True)
                cv2.imwrite(str(masks / f"{place:03d}.bmp"), truth.mask.astype(np.uint8) * 255)
    return root
