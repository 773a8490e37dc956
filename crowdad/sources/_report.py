"""What a pass over the footage met on its way: counts a caller can print, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Break", "ReadReport", "Skip", "Tally"]

LISTED_AT_MOST = 1000
"""Skips and breaks are all counted, but only the first so many are listed: damaged footage can have millions."""


@dataclass(frozen=True)
class Skip:
    """Pictures that gave no frame, one after the other, or a file that is none.

    time_s, until_s: the first and the last of them, in seconds, or None where that is not known.  name: of the file,
    in a folder.  count: how many.
    """

    reason: str
    time_s: float | None = None
    name: str | None = None
    until_s: float | None = None
    count: int = 1


@dataclass(frozen=True)
class Break:
    """A place where the footage itself breaks; `index` and `time_s` are those of the first frame after it."""

    index: int
    time_s: float
    reason: str


@dataclass(frozen=True)
class ReadReport:
    """The last pass over a source, or the running one up to now.

    frames_read: frames handed out.  frames_repeated: of these the ones that repeat the picture before.
    frames_skipped: pictures that gave no frame; `skip_counts` holds how many for each reason, `skips` where they were,
        the first 1000 places.
    bad_packets: packets of the container that could not be read or decoded.
    truncated: the footage ends before its container says it does.
    breaks: the first 1000 places where the footage breaks (size change, gap, clock set back).
    notes: what a person should know of how the footage was read, one line each.
    """

    frames_read: int = 0
    frames_skipped: int = 0
    skip_counts: Mapping[str, int] = field(default_factory=dict)
    skips: tuple[Skip, ...] = ()
    bad_packets: int = 0
    truncated: bool = False
    breaks: tuple[Break, ...] = ()
    notes: tuple[str, ...] = ()
    frames_repeated: int = 0


class Tally:
    """The running counts of one pass; `report` freezes them."""

    def __init__(self) -> None:
        self.frames_read = 0
        self.frames_repeated = 0
        self.bad_packets = 0
        self.damaged_frames = 0
        self.hidden_frames = 0  # decoded, but not to be shown, as the container says
        self.truncated = False
        self.gave_up_s: float | None = None
        self._skip_counts: Counter[str] = Counter()
        self._skips: list[Skip] = []
        self._read_at_skip = -1
        self._listed_all = True
        self._breaks: list[Break] = []

    @property
    def frames_skipped(self) -> int:
        return self._skip_counts.total()

    def skip(self, reason: str, time_s: float | None = None, name: str | None = None) -> None:
        # A damaged timestamp may lie before the first frame's.
        time_s = None if time_s is None else max(0.0, time_s)
        self._skip_counts[reason] += 1
        last = self._skips[-1] if self._skips else None
        in_row = last is not None and last.reason == reason and self._read_at_skip == self.frames_read
        self._read_at_skip = self.frames_read
        if last is not None and in_row and time_s is not None and name is None:
            if self._listed_all:
                self._skips[-1] = replace(last, until_s=time_s, count=last.count + 1)
            return
        self._listed_all = len(self._skips) < LISTED_AT_MOST
        if len(self._skips) < LISTED_AT_MOST:
            self._skips.append(Skip(reason, time_s, name, time_s))

    def add_break(self, index: int, time_s: float, reason: str) -> None:
        if len(self._breaks) < LISTED_AT_MOST:
            self._breaks.append(Break(index, time_s, reason))

    def report(self, notes: tuple[str, ...]) -> ReadReport:
        if self.hidden_frames:
            hidden = f"pictures that an edit list hides are left out, as in every player: {self.hidden_frames}"
            notes = (*notes, hidden)
        if self.damaged_frames:
            notes = (*notes, f"{self.damaged_frames} frames are damaged: the decoder filled in what it could not read")
        if self.gave_up_s is not None:
            notes = (*notes, f"reading was given up at {self.gave_up_s:.1f} s: nothing but unreadable packets followed")
        return ReadReport(
            frames_read=self.frames_read,
            frames_skipped=self.frames_skipped,
            skip_counts=dict(self._skip_counts),
            skips=tuple(self._skips),
            bad_packets=self.bad_packets,
            truncated=self.truncated,
            breaks=tuple(self._breaks),
            notes=notes,
            frames_repeated=self.frames_repeated,
        )
