"""Whether pieces fit each other is told from what they noted, without a look at the footage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crowdad.tubes.cuts import Change, CutFinder
from crowdad.workflows.batch.joins import Seams, pieces_of
from crowdad.workflows.batch.pieces import Piece, PieceOutcome


def everywhere(levels: float) -> Change:
    """So many grey levels all over the picture."""
    return Change(levels, levels / 2)


def outcome(piece: Piece, levels: list[float], cuts: tuple[int, ...] = ()) -> PieceOutcome:
    return PieceOutcome(piece, tuple(map(everywhere, levels)), cuts, ())


@pytest.mark.parametrize("count", [1, 9, 10, 19, 20, 21, 30, 55])
def test_pieces_cover_all_frames_once(count: int) -> None:
    pieces = pieces_of(count, 10, (3, 20))
    assert [n for piece in pieces for n in range(piece.first, piece.until)] == list(range(count))
    assert all(10 <= piece.until - piece.first < 20 for piece in pieces) or count < 10
    assert all(piece.began == (20 if piece.first >= 20 else 3 if piece.first >= 3 else 0) for piece in pieces)


def test_still_footage_fits_as_it_comes() -> None:
    seams = Seams(frozenset({15}))
    assert seams.take(outcome(Piece(0, 10), [1.0] * 14)) is None
    assert seams.take(outcome(Piece(10, 20), [1.0] * 14)) is None
    assert seams.began == 15
    assert seams.take(outcome(Piece(20, 30, began=15), [1.0] * 10)) is None
    assert seams.joined().starts == (15,)
    assert seams.joined().cuts == ()


def test_what_follows_a_cut_begins_there() -> None:
    seams = Seams(frozenset())
    assert seams.take(outcome(Piece(0, 10), [1.0] * 4 + [60.0] + [1.0] * 9, (5,))) is None
    guessed = Piece(10, 20)
    again = seams.take(outcome(guessed, [1.0] * 12))
    assert again is not None
    assert (again.first, again.until, again.began) == (10, 20, 5)
    assert seams.take(outcome(again, [1.0] * 12)) is None
    assert (seams.joined().starts, seams.joined().cuts) == ((5,), (5,))


def test_a_cut_at_a_seam_begins_its_piece() -> None:
    seams = Seams(frozenset())
    changes = [1.0] * 9 + [60.0, 1.0, 1.0]
    assert seams.take(outcome(Piece(0, 10), changes, (10,))) is None
    again = seams.take(outcome(Piece(10, 20), [60.0, *[1.0] * 9], (10,)))
    assert again == Piece(10, 20, began=10, usual=again.usual if again else None)
    assert again is not None
    assert seams.take(outcome(again, [60.0, *[1.0] * 9], (10,))) is None
    assert seams.joined().cuts == (10,)


def test_a_cut_in_the_lead_out_is_its_owners() -> None:
    seams = Seams(frozenset())
    assert seams.take(outcome(Piece(0, 10), [1.0] * 11 + [60.0, 1.0], (12,))) is None
    assert seams.joined().cuts == ()
    assert seams.take(outcome(Piece(10, 20), [1.0, 1.0, 60.0, *[1.0] * 7], (12,))) is None
    assert seams.joined().cuts == (12,)
    assert seams.began == 12


def test_restless_footage_is_scored_with_what_only_its_past_tells() -> None:
    """20 grey levels are a cut where frames usually change by 1, and nothing where they change by 17."""
    past = [17.0] * 99
    finder = CutFinder()
    assert not any(finder.judge(everywhere(levels)) for levels in past)
    seams = Seams(frozenset())
    assert seams.take(outcome(Piece(0, 100), [*past, 20.0, 20.0])) is None
    guessed = outcome(Piece(100, 200), [20.0] * 100, tuple(range(100, 200)))
    again = seams.take(guessed)
    assert again == Piece(100, 200, began=0, usual=finder.usual)
    assert again is not None
    assert seams.take(replace(guessed, piece=again, cuts=())) is None
