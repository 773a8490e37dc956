"""People's height as the user gives it: written down, or drawn on the report page."""

from __future__ import annotations

import math
import os
import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crowdad.errors import ConfigError
from crowdad.files import MB, read_bytes
from crowdad.tubes.scale.scene_scale import MIN_PERSON_PX

__all__ = ["GivenHeights"]

_HOW = "write 95 (pixels, head to feet), or heights at rows, such as 95@110,100@230"
_HEIGHT = re.compile(r"([-+]?[\d.]+)(?:@([-+]?[\d.]+))?")
_SHAPE_SLACK = 0.03
_STEEPEST_GIVEN = 3.0  # pixels a row; 2 is a camera at the height of people's eyes, higher ones see less


@dataclass(frozen=True)
class GivenHeights:
    """Heights of people, head to feet, at one or several rows of one camera's picture.

    people: (height, row of the person's middle) in pixels; row None: the same everywhere.
    drawn_hw: picture that they were drawn on with a mouse; None: they were written down, for the footage's own size.
    Raises ConfigError for heights and rows that no picture can have.
    """

    people: tuple[tuple[float, float | None], ...]
    drawn_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for height, row in self.people:
            if not (math.isfinite(height) and height > 0):
                raise ConfigError(f"a person's height is {height:g} px; more than 0 is needed: {_HOW}")
            if row is None and len(self.people) > 1:
                raise ConfigError(f"people's height {height:g} has no row; of several each needs one: {_HOW}")
        if self.drawn_hw is None:
            self._check_written()

    def _check_written(self) -> None:
        """What an eye and a hand may get wrong with the mouse is a slip where it was written down."""
        by_row = sorted((row, height) for height, row in self.people if row is not None)
        for (row, height), (next_row, next_height) in pairwise(by_row):
            if row == next_row and height != next_height:
                raise ConfigError(
                    f"people's height at row {row:g} is {height:g} and {next_height:g} px; give one height for a row"
                )
        if self._line()[1] < 0:
            raise ConfigError(
                f"people's height shrinks down the picture ({self}), where they are nearer; rows count from the top, "
                "and the height comes before the @"
            )

    @classmethod
    def of(cls, given: GivenHeights | float | str | os.PathLike[str] | None) -> GivenHeights | None:
        """Heights as the user may give them: a number, `95@110,100@230`, or a file saved by the report page.

        Raises ConfigError.
        """
        if given is None or isinstance(given, GivenHeights):
            return given
        if isinstance(given, int | float | np.integer | np.floating):
            return cls(((float(given), None),))
        text = os.fspath(given)
        if isinstance(given, os.PathLike) or text.lower().endswith(".json") or os.path.isfile(text):
            return cls._read(Path(text))
        pairs = [_HEIGHT.fullmatch("".join(part.split())) for part in text.split(",")]
        try:
            numbers = [(float(pair[1]), None if pair[2] is None else float(pair[2])) for pair in pairs if pair]
        except ValueError:  # 9.5.1
            numbers = []
        if len(numbers) < len(pairs):
            raise ConfigError(f"people's height {text!r} is neither numbers nor an existing file; {_HOW}")
        return cls(tuple(numbers))

    @classmethod
    def _read(cls, path: Path) -> GivenHeights:
        try:
            file = _File.model_validate_json(read_bytes(path, MB))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); {_HOW}") from error
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "all of it"
            raise ConfigError(
                f"{path}: holds no people drawn on a report page ({where} is wrong); save it there again"
            ) from error
        return cls(tuple((person.height_px, person.y) for person in file.people), file.size_wh[::-1])

    def __str__(self) -> str:
        return ",".join(f"{height:g}" if row is None else f"{height:g}@{row:g}" for height, row in self.people)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)

    def plane(self, size_hw: tuple[int, int]) -> tuple[float, float, float]:
        """Height at the centre of a picture of this size, its change to the right and its change downwards.

        Raises ConfigError where they are not of such a picture, or such a picture cannot have them.
        """
        height, width = size_hw
        fitted = self._fitted_to(size_hw)
        for tall, row in fitted.people:
            if tall > height:
                raise ConfigError(f"a person of {tall:g} px is taller than the picture ({width}x{height}); {_HOW}")
            if tall < MIN_PERSON_PX:
                raise ConfigError(
                    f"a person's height is {tall:g} px; at least {MIN_PERSON_PX:g} px are needed to see a movement"
                )
            if row is not None and not 0 <= row < height:
                raise ConfigError(f"row {row:g} is not in the picture, which has rows 0 to {height - 1}")
        at_top, down = fitted._line()
        centre = at_top + down * height / 2
        least = min(centre, *(at_top + down * (row or 0.0) for _, row in fitted.people))
        if least <= 0 or down > _STEEPEST_GIVEN:
            raise ConfigError(
                f"people's height ({fitted}) changes by {down:.2g} px a row, which leaves no height at the picture's "
                "centre, or giants below it; give heights of people who stand farther apart"
            )
        return centre, 0.0, down

    def rows(self, size_hw: tuple[int, int]) -> tuple[float, float]:
        """First and last row in which people are to be expected: those given and a person's height around them.

        All of the picture where people are equally tall everywhere.  Raises ConfigError as `plane`.
        """
        centre, _, down = self.plane(size_hw)
        height = float(size_hw[0])
        if down == 0:
            return 0.0, height
        given = [row for _, row in self._fitted_to(size_hw).people if row is not None]

        def around(row: float) -> float:
            tall = centre + down * (row - height / 2)
            return min(tall, tall / 2 / abs(down))  # up to where people are half as tall

        first, last = min(given), max(given)
        return max(0.0, first - around(first)), min(height, last + around(last))

    def _fitted_to(self, size_hw: tuple[int, int]) -> GivenHeights:
        """The same people in a picture of another size, of the same shape.  Raises ConfigError for another shape."""
        if self.drawn_hw is None or self.drawn_hw == size_hw:
            return self
        (own_h, own_w), (height, width) = self.drawn_hw, size_hw
        if abs(width / height * own_h / own_w - 1) > _SHAPE_SLACK:
            raise ConfigError(
                f"people's heights were drawn on a picture of {own_w}x{own_h}, the footage has {width}x{height}: "
                "another shape is another camera; draw them on the report page of this camera's footage"
            )
        zoom = height / own_h
        people = tuple((tall * zoom, None if row is None else row * zoom) for tall, row in self.people)
        return GivenHeights(people, size_hw)

    def _line(self) -> tuple[float, float]:
        """Height at row 0 and its change a row: the least squares line through all, level where rows tell no change."""
        heights = np.array([height for height, _ in self.people])
        rows = np.array([row or 0.0 for _, row in self.people])
        level = float(heights.mean()), 0.0
        spread = float(np.ptp(rows))
        # People of all sizes stand side by side: drawn ones say nothing of a slope where they nearly do.
        if spread == 0 or (self.drawn_hw is not None and spread < level[0] / 2):
            return level
        down, at_top = np.polyfit(rows, heights, 1)
        return level if self.drawn_hw is not None and down < 0 else (float(at_top), float(down))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Drawn(_Part):
    """One person, by the middle."""

    x: float = Field(ge=0, allow_inf_nan=False)
    y: float = Field(ge=0, allow_inf_nan=False)
    height_px: float = Field(gt=0, allow_inf_nan=False)


class _File(_Part):
    """What the report page saves (outputs/report/assets/people.js)."""

    crowdad: Literal["person-heights"]
    size_wh: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    people: list[_Drawn] = Field(min_length=1, max_length=100)
