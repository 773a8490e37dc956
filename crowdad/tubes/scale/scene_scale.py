"""Size and speed of people all over one camera's picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, TypeAdapter

__all__ = ["MIN_PERSON_PX", "Certainty", "SceneScale"]

Array = npt.NDArray[np.float64]

MIN_PERSON_PX = 6.0
"""What is smaller is nobody that can be told from noise."""

Certainty = Literal["sure", "unsure", "given"]
"""How far people's height can be relied on: measured well, measured with doubts, or given by the user."""

_MOST_FORESHORTENING = 6.0  # near the horizon it has no end, and with it what noise in the flow counts for
_STEEPEST_FLOOR = 1.5  # pixels a row: of people who stand on one floor
_LEAST_OF_SEEN = 0.5  # of the least height in the rows where people were seen: the plane is not followed to its zero
_MOST_SIDE_PX = 100_000
_LONGEST_STRIDE = 1 / 3  # person heights from picture to picture: whoever walks on by more is not followed


@dataclass(frozen=True)
class SceneScale:
    """Size and speed of people in one camera's picture.

    size_hw: the displayed picture.  person: (height at the picture's centre, its change to the right, its change
    downwards), in pixels and pixels per pixel.  walk: walking speed across the picture, in person heights a frame.
    gap: frames a step.
    foreshortening: how many times slower the same walk looks towards or away from the camera, at the picture's centre.
    along: figures from whose heights it was read, by the horizon; 0 = a typical camera's is assumed.
    rows: (first, last) row in which figures were seen.  figures: how many the height was read from; 0 = assumed.
    fps: frames a second of the footage it was measured on.
    certainty: of the height.  why: what makes it unsure, or what was measured that contradicts a given one by far;
    empty otherwise.
    """

    size_hw: tuple[int, int]
    person: tuple[float, float, float]
    walk: float
    foreshortening: float
    along: int
    gap: int
    rows: tuple[float, float]
    figures: int
    fps: float
    certainty: Certainty = "unsure"
    why: str = ""

    __pydantic_config__ = ConfigDict(extra="forbid")  # of `from_dict`

    def person_px(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """Height of a person at pixel (x, y), in pixels; broadcasts.

        It is that of a person whose middle is there.  Nobody's middle is nearer to the upper border than half a body:
        what moves there is the head of who stands further down.  Far above the rows where people were seen the height
        stays at half of the least one there: a slope read from a narrow band of rows would shrink people to nothing,
        and any flicker would be a giant at a run.
        """
        height, width = self.size_hw
        centre, right, down = self.person
        at_top = centre + right * (np.asarray(x, float) - width / 2) - down * height / 2
        row = np.maximum(y, np.maximum(at_top, 0) / (2 - min(down, _STEEPEST_FLOOR)))
        least_seen = centre + min(down * (row - height / 2) for row in self.rows)
        return np.maximum(at_top + down * row, max(MIN_PERSON_PX, _LEAST_OF_SEEN * least_seen))

    def foreshortening_at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """How many times slower the same walk looks towards or away from the camera at pixel (x, y), >= 1; broadcasts.

        It grows towards the horizon as people's height shrinks: both go by how far below it a place lies.  An assumed
        one grows by the root of that only, since it multiplies the noise in the flow for nothing where all walk across.
        """
        growth = self.person[0] / self.person_px(x, y)
        return np.clip(self.foreshortening * (growth if self.along else np.sqrt(growth)), 1.0, _MOST_FORESHORTENING)

    def fitted_to(self, size_hw: tuple[int, int], fps: float) -> SceneScale:
        """The same scene recorded at another size (of the same shape) or frame rate."""
        zoom = size_hw[0] / self.size_hw[0]
        centre, right, down = self.person
        pace = self.fps / fps
        return replace(
            self,
            size_hw=size_hw,
            person=(centre * zoom, right, down),
            rows=(self.rows[0] * zoom, min(self.rows[1] * zoom, float(size_hw[0]))),  # whatever is rounded
            walk=self.walk * pace,
            gap=max(1, round(self.gap / pace)),
            fps=fps,
        )

    @property
    def least_fps(self) -> float:
        """New pictures a second that it takes to follow people here."""
        return self.walk * self.fps / _LONGEST_STRIDE

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for a model file or a report."""
        return asdict(self)

    @staticmethod
    def from_dict(numbers: dict[str, Any]) -> SceneScale:
        """The inverse of `as_dict`.  Raises ValueError for what no footage can have measured."""
        scale: SceneScale = _CHECKED.validate_python(numbers)
        height, width = scale.size_hw
        first, last = scale.rows
        possible = {
            "size_hw": 0 < height <= _MOST_SIDE_PX and 0 < width <= _MOST_SIDE_PX,
            "person": 0 < scale.person[0] <= 10 * height and max(map(abs, scale.person[1:])) <= 10,
            "walk": 1e-6 <= scale.walk <= 1000,
            "foreshortening": 1 <= scale.foreshortening <= 10,
            "along": scale.along >= 0,
            "gap": 1 <= scale.gap <= 100_000,
            "rows": 0 <= first <= last <= height,
            "figures": scale.figures >= 0,
            "fps": 0 < scale.fps <= 100_000,
        }
        for name, holds in possible.items():
            if not holds:
                raise ValueError(f"its {name} is {getattr(scale, name)}, which no footage can have")
        return scale


_CHECKED = TypeAdapter(SceneScale)
