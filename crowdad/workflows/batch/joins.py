"""Pieces of one piece of footage put together: whether they fit each other, and their results as one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crowdad.detection.detector import Detector
from crowdad.records import FrameResult
from crowdad.sources import Listing
from crowdad.tubes.cuts import Change, CutFinder
from crowdad.workflows.batch.pieces import Piece, PieceOutcome, outcome_of, piece_results

__all__ = ["Joined", "Seams", "joined_results", "pieces_of"]


@dataclass(frozen=True)
class Joined:
    """Pieces that fit each other, in order.

    starts: numbers of the frames before which the footage breaks, by the
    container's times or by a cut; cuts: of the latter alone.
    """

    pieces: tuple[Piece, ...]
    starts: tuple[int, ...]
    cuts: tuple[int, ...]


def pieces_of(count: int, length: int, breaks: Sequence[int]) -> list[Piece]:
    """The pieces of `count` frames, `length` frames each, of which the last may be up to twice as long.

    breaks: numbers of the frames before which the container's times break.
    """
    firsts = list(range(0, max(count - length, 0) + 1, length))
    pieces = []
    for first, until in zip(firsts, [*firsts[1:], count], strict=True):
        began = max((number for number in breaks if number <= first), default=0)
        pieces.append(Piece(first, until, began))
    return pieces


@dataclass
class Seams:
    """Takes the outcomes of pieces in order, and tells whether each began as a run from the start would have come by.

    A piece has to guess two things that only what comes before it tells: since when the footage is unbroken, and how
    much its frames usually change, by which cuts are told.  Every frame's change is noted, so the guesses can be
    checked without a look at the footage.

    breaks: as in `pieces_of`.
    """

    breaks: frozenset[int]
    began: int = 0
    _usual: Change = CutFinder().usual
    _pieces: list[Piece] = field(default_factory=list)
    _cuts: list[int] = field(default_factory=list)

    def take(self, outcome: PieceOutcome) -> Piece | None:
        """None where the piece fits and is taken; otherwise the piece as it must be scored again."""
        piece = outcome.piece
        finder, usual = CutFinder(self._usual), self._usual
        cuts = []
        for number, change in enumerate(outcome.changes, start=max(piece.first, 1)):
            if finder.judge(change):
                cuts.append(number)
            if number == piece.until - 1:
                usual = finder.usual
        began = piece.first if piece.first in cuts or piece.first in self.breaks else self.began
        within = [number for number in cuts if number > piece.first]
        if piece.began != began or within != [number for number in outcome.cuts if number > piece.first]:
            return replace(piece, began=began, usual=self._usual)
        own = [number for number in cuts if number < piece.until and number not in self.breaks]
        own_breaks = [number for number in self.breaks if piece.first <= number < piece.until]
        self.began, self._usual = max([began, *own, *own_breaks]), usual
        self._pieces.append(piece)
        self._cuts += own
        return None

    def joined(self) -> Joined:
        """What has been taken so far."""
        return Joined(tuple(self._pieces), tuple(sorted({*self.breaks, *self._cuts})), tuple(self._cuts))


def joined_results(folder: Path, joined: Joined, listing: Listing, detector: Detector) -> Iterator[FrameResult]:
    """The results of all pieces in order, as one run gives them; the detector is told what theirs counted."""
    detector.cuts += [float(listing.time_s[number]) for number in joined.cuts]
    counted, number = -1, 0
    starts = iter((*joined.starts, len(listing)))
    segment, next_start = 0, next(starts)
    for piece in joined.pieces:
        outcome = outcome_of(folder, piece)
        assert outcome is not None, "pieces that were taken are whole"
        for batch in outcome.batches:
            if batch.number > counted:
                detector.count(batch)
                counted = batch.number
        for result in piece_results(folder, piece):
            if number == next_start:
                segment, next_start = segment + 1, next(starts)
            yield replace(result, segment=segment)
            number += 1
