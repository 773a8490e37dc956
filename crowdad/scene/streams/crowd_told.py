"""What a crowd does, as a number that fits a cell of a map, and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.scene.streams._base import Told
from crowdad.scene.streams.crowd_usual import LEAST_PEOPLE, Usual

Array = npt.NDArray[np.float64]

__all__ = ["KINDS", "UNTOLD", "Happening", "happening_of", "told_of"]

KINDS = (
    "crowd runs",
    "crowd scatters",
    "crowd gathers",
    "crowd stands still",
    "unusually many",
    "unusually few",
)
UNTOLD = "crowd acts unusually"
"""Where nothing was noted."""

_RUNS, _SCATTERS, _GATHERS, _STANDS, _MANY, _FEW = range(len(KINDS))

_CODES = 42  # for each kind: 6 kinds fit into a byte, 0 says nothing
_ONCE, _BY_OCTAVE = 20, 6  # code of what is as usual, codes for twice as much
_STANDING = 0.3  # times as fast as usual: no more than swaying
_RUNNING = 1.5  # times as fast as usual: who runs away runs before all


@dataclass(frozen=True)
class Happening:
    """kind: place in `KINDS`.  times: how fast, or how many, by the usual, >= 0."""

    kind: int
    times: float

    def comes_of(self, cause: Happening) -> bool:
        """Whether it is what a flight or a gathering ends in."""
        return self.kind == _FEW or (self.kind == _STANDS and cause.kind == _RUNS)

    @property
    def is_of_absence(self) -> bool:
        """Whether it is about those who do not move."""
        return self.kind in (_STANDS, _FEW)

    @property
    def note(self) -> int:
        """1 to 252."""
        code = round(_ONCE + _BY_OCTAVE * math.log2(max(self.times, 1e-3)))
        return 1 + self.kind * _CODES + min(max(code, 0), _CODES - 1)

    @staticmethod
    def of_note(note: int) -> Happening:
        """The inverse of `note`, with `times` rounded.  Raises ValueError for no note."""
        kind, code = divmod(note - 1, _CODES)
        if not 0 <= kind < len(KINDS):
            raise ValueError(f"the note of a crowd's event is {note}; 1 to {len(KINDS) * _CODES} are needed")
        return Happening(kind, 2 ** ((code - _ONCE) / _BY_OCTAVE))


def happening_of(away: Array, measures: Array, sudden: bool, usual: Usual) -> Happening:
    """What is unusual before all else.

    away: (MEASURES,), spreads from the usual.  measures: (MEASURES,).  sudden: people stopped, or left, at once.
    """
    leading = int(np.abs(away).argmax())
    by_speed, by_number = (1 if leading == 1 else 0), (5 if leading == 5 else 4)
    faster = math.exp(measures[by_speed] - usual.middle[by_speed])
    more = max(math.exp(measures[by_number]) - LEAST_PEOPLE, 0.0) / usual.people
    if leading <= 1 and away[leading] < 0:
        return Happening(_STANDS, faster)
    if leading <= 1 or (leading == 2 and faster > _RUNNING):
        return Happening(_RUNS, faster)
    if leading == 2:
        return Happening(_SCATTERS if away[2] > 0 else _GATHERS, faster)
    if away[leading] > 0:
        return Happening(_MANY, more)
    return Happening(_STANDS, 0.0) if sudden else Happening(_FEW, more)


def told_of(happening: Happening, usual: Usual) -> Told:
    """In words."""
    pace = f"the crowd moves {happening.times:.1f} times as fast as usual"
    number = f"{_moving(happening.times * usual.people)}; about {_about(usual.people)} are usual"
    sentence = {
        _RUNS: pace,
        _SCATTERS: "people leave a place in all directions",
        _GATHERS: "people come to one place from all directions",
        _STANDS: pace if happening.times > _STANDING else "everybody stands still",
        _MANY: number,
        _FEW: number,
    }[happening.kind]
    return Told(KINDS[happening.kind], sentence)


def _about(people: float) -> str:
    """Two digits are more than is known."""
    return f"{people:.0f}" if people < 20 else f"{round(people / 5) * 5}"


def _moving(people: float) -> str:
    return "hardly anybody is moving" if people < 0.5 else f"about {_about(people)} people are moving"
