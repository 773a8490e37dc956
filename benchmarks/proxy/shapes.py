"""Foreign shapes in the crowd's own grey levels: an ellipse, a box, a cart with a rider."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.proxy.cutouts import CutOut, Pose

__all__ = ["SHAPES", "draw_shape"]

Floats = npt.NDArray[np.float32]

SHAPES = ("ellipse", "box", "cart")
_FINE = 4  # drawn this many times larger, so that rims are smooth


def draw_shape(rng: np.random.Generator, cutout: CutOut, person_px: float, form: str | None = None) -> Pose:
    """A pose of a shape, with the brightness and contrast of a cut-out.

    person_px: height of a person at the shape's place.  form: one of SHAPES, or None to draw lots.
    """
    form = form or SHAPES[int(rng.integers(len(SHAPES)))]
    height = rng.uniform(0.6, 1.0) * person_px
    width = height * (rng.uniform(1.5, 1.9) if form == "cart" else rng.uniform(0.7, 1.6))
    rows, columns = round(height) + 2, round(width) + 2
    matte = _outline(form, rows, columns)
    pose = cutout.poses[int(rng.integers(len(cutout.poses)))]
    figure = pose.luma[pose.matte > 0.9]
    texture = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), rng.uniform(0.03, 0.08) * person_px)
    luma = figure.mean() + 0.6 * figure.std() * (texture - texture.mean()) / max(float(texture.std()), 1e-6)
    luma = np.clip(luma, 0, 255).astype(np.float32)
    if form == "cart":
        luma, matte = _with_wheels(luma, matte, float(figure.min()))
        luma, matte = _with_rider(luma, matte, pose, person_px / cutout.height_px)
    return Pose(luma, matte, (-matte.shape[1] / 2, -float(matte.shape[0] - 1)))


def _outline(form: str, rows: int, columns: int) -> Floats:
    """Soft matte of the body, float32 (rows, columns), a pixel of margin all around."""
    fine = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    if form == "ellipse":
        centre, axes = (
            (fine.shape[1] // 2, fine.shape[0] // 2),
            (fine.shape[1] // 2 - _FINE, fine.shape[0] // 2 - _FINE),
        )
        cv2.ellipse(fine, centre, axes, 0, 0, 360, 255, cv2.FILLED)
    else:
        bottom = (rows - 1 - (round(0.15 * rows) if form == "cart" else 0)) * _FINE
        cv2.rectangle(fine, (_FINE, _FINE), (fine.shape[1] - _FINE, bottom), 255, cv2.FILLED)
    return _reduced(fine, rows, columns)


def _reduced(fine: npt.NDArray[np.uint8], rows: int, columns: int) -> Floats:
    small = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.5), np.float32)


def _with_wheels(luma: Floats, matte: Floats, dark: float) -> tuple[Floats, Floats]:
    """Two dark discs under the body."""
    rows, columns = matte.shape
    fine = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    radius = round(0.17 * rows * _FINE)
    for share in (0.22, 0.78):
        cv2.circle(fine, (round(share * columns * _FINE), rows * _FINE - radius - _FINE), radius, 255, cv2.FILLED)
    wheels = _reduced(fine, rows, columns)
    return luma * (1 - wheels) + np.float32(dark) * wheels, np.maximum(matte, wheels)


def _with_rider(luma: Floats, matte: Floats, pose: Pose, zoom: float) -> tuple[Floats, Floats]:
    """The upper half of a figure over the body."""
    upper = len(pose.luma) * 55 // 100
    size = (max(1, round(pose.luma.shape[1] * zoom)), max(1, round(upper * zoom)))
    head = [cv2.resize(part[:upper], size, interpolation=cv2.INTER_LINEAR) for part in (pose.luma, pose.matte)]
    added = round(0.75 * size[1])
    above = ((added, 0), (0, 0))
    luma, matte = np.pad(luma, above, mode="edge"), np.pad(matte, above)
    left = (matte.shape[1] - size[0]) // 2
    if left < 0:
        head, left = [part[:, -left : -left + matte.shape[1]] for part in head], 0
    place = np.s_[: head[0].shape[0], left : left + head[0].shape[1]]
    share = head[1]
    luma[place] = luma[place] * (1 - share) + head[0] * share
    matte[place] = np.maximum(matte[place], share)
    return np.asarray(luma, np.float32), np.asarray(matte, np.float32)
