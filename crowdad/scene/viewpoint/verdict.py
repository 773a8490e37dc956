"""Whether footage shows the view that a model was fitted on, and if not, what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.scene.viewpoint.alignment import Alignment, Structure

__all__ = ["CameraVerdict", "Verdict", "compare"]

Verdict = Literal["same", "another light", "moved", "another camera", "unsure"]

_DRIFT = 0.025  # widths of the picture: what sways or sags by less is the same view
_LEAST_STRUCTURE = 0.01  # of the model's background: a plain wall looks like any other
_LEAST_SEEN = 0.1  # of the model's structure, in footage: less is darkness or fog

# benchmarks/right_camera.py has the measured margins.
_SAME_DISTINCT, _SAME_AGREES = 4.0, 0.45
_PERHAPS_DISTINCT = 3.2
_MOVED_DISTINCT, _MOVED_AGREES, _MOVED_AGREES_WELL = 6.5, 0.25, 0.6
_BETTER_TIMES, _BETTER_BY = 1.15, 0.05  # an alignment elsewhere fits better than the view as it is
_AGREES_WHOLLY = 0.6
_LIGHT_TIMES = 2.5
_SURE, _GUESS = 0.9, 0.6


@dataclass(frozen=True)
class CameraVerdict:
    """What became of a camera's view since its model was fitted.

    certainty: in [0, 1].  detail: a sentence.  moved: for "moved", how footage must be moved to lie on the model's
    view, else None.
    """

    verdict: Verdict
    certainty: float
    detail: str
    moved: Alignment | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether a place in the picture is not the place any more that the model knows there."""
        return self.verdict in ("moved", "another camera")

    @property
    def warning(self) -> str | None:
        """The line that a person must read; None where all is as it was."""
        if self.verdict == "same":
            return None
        sure = "sure" if self.certainty >= _SURE else "probably" if self.certainty > _GUESS else "not sure"
        return f"{_HEADS[self.verdict]} ({sure}): {self.detail}"


_HEADS = {
    "another light": "another light than the model's",
    "moved": "the camera has moved since its model was fitted",
    "another camera": "another camera than the model's",
    "unsure": "the footage may be another camera's than the model's",
}


def compare(
    background: npt.NDArray[np.uint8], seen: npt.NDArray[np.uint8], size_hw: tuple[int, int]
) -> CameraVerdict | None:
    """Compare a model's background with that of footage; None where the model's is too plain to compare with.

    background, seen: uint8 (h, w) of about one shape.  size_hw: of the footage's pictures, whose pixels `detail` counts
    in.
    """
    structure = Structure(background)
    if structure.amount < _LEAST_STRUCTURE:
        return None
    if seen.shape != background.shape:
        seen = np.asarray(cv2.resize(seen, background.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    picture = seen.astype(np.float32)
    if structure.seen_in(picture) < _LEAST_SEEN:
        return CameraVerdict("unsure", 0.5, "its pictures are too dark or too blurred to compare; check the camera")
    here = structure.nearby(picture, _DRIFT * background.shape[1])
    if here.agreement < _AGREES_WHOLLY or here.distinctness < _SAME_DISTINCT:
        elsewhere = structure.anywhere(picture)
        if _is_found(elsewhere, here) and elsewhere.farthest(background.shape) > _DRIFT:
            return _moved(elsewhere, size_hw, background.shape)
        if not _is_same(here):
            return _lost(here, elsewhere)
    return _same(here, float(picture.mean()), float(background.mean()))


def _is_same(here: Alignment) -> bool:
    return here.distinctness >= _SAME_DISTINCT or here.agreement >= _SAME_AGREES


def _is_found(elsewhere: Alignment, here: Alignment) -> bool:
    better = elsewhere.agreement > _BETTER_TIMES * here.agreement + _BETTER_BY
    distinct = elsewhere.distinctness >= _MOVED_DISTINCT and elsewhere.agreement >= _MOVED_AGREES
    return better and (distinct or elsewhere.agreement >= _MOVED_AGREES_WELL)


def _share(value: float, none: float, full: float) -> float:
    """0.5 at `none`, 1 at `full`."""
    return 0.5 + 0.5 * float(np.clip((value - none) / (full - none), 0, 1))


def _same(here: Alignment, mean: float, usual: float) -> CameraVerdict:
    certainty = max(_share(here.distinctness, _SAME_DISTINCT, 6.0), _share(here.agreement, _SAME_AGREES, 0.7))
    times = max(mean, 1.0) / max(usual, 1.0)
    if not 1 / _LIGHT_TIMES < times < _LIGHT_TIMES:
        change = f"{times:.1f} times brighter" if times > 1 else f"{1 / times:.1f} times darker"
        detail = f"the camera is the same, its pictures are {change}; fit the model on footage of both, day and night"
        return CameraVerdict("another light", certainty, detail)
    return CameraVerdict("same", certainty, "the footage shows the model's view")


def _lost(here: Alignment, elsewhere: Alignment) -> CameraVerdict:
    if here.distinctness >= _PERHAPS_DISTINCT:
        detail = "little of its background is the same or visible; check whether the camera was moved or is covered"
        return CameraVerdict("unsure", 0.5, detail)
    certainty = min(
        _share(-here.distinctness, -_PERHAPS_DISTINCT, -2.0), _share(-elsewhere.distinctness, -_MOVED_DISTINCT, -5.0)
    )
    detail = "nothing of its background is where the model has it; give this camera's own model, or fit one on it"
    return CameraVerdict("another camera", certainty, detail)


def _moved(found: Alignment, size_hw: tuple[int, int], small_hw: tuple[int, ...]) -> CameraVerdict:
    certainty = max(_share(found.distinctness, _MOVED_DISTINCT, 8.0), _share(found.agreement, _MOVED_AGREES_WELL, 0.8))
    right, down = (shift * size_hw[1] / small_hw[1] for shift in found.shift_xy)
    least_px = 0.01 * size_hw[1]
    # Footage is moved onto the model's view: what lies too far to the right in it was turned to the left.
    turned = [
        f"about {abs(px):.0f} px {ahead if px > 0 else back}"
        for px, ahead, back in ((right, "to the right", "to the left"), (down, "down", "up"))
        if abs(px) >= least_px
    ]
    parts = [f"turned by {' and '.join(turned)}"] if turned else []
    if abs(found.angle) >= 1:
        parts.append(f"tilted by {abs(found.angle):.0f}° {'counterclockwise' if found.angle > 0 else 'clockwise'}")
    if abs(found.zoom - 1) >= 0.03:
        parts.append(f"zoomed {'out' if found.zoom > 1 else 'in'} {max(found.zoom, 1 / found.zoom):.2f} times")
    detail = f"{', '.join(parts) or 'slightly turned'}; turn it back, or fit a model on its footage as it is now"
    return CameraVerdict("moved", certainty, detail, found)
