"""What a pass over footage met is counted whole and listed in bounds."""

from __future__ import annotations

from crowdad.sources import Skip, Tally
from crowdad.sources._report import LISTED_AT_MOST


def test_skips_in_a_row_are_one_place() -> None:
    tally = Tally()
    for time_s in (-2.1, 0.1, 0.2):
        tally.skip("lost", time_s)
    tally.frames_read += 1
    tally.skip("lost", 0.4)
    tally.skip("other", 0.5)
    tally.skip("not a picture", name="notes.txt")
    report = tally.report(())
    assert report.skips == (
        Skip("lost", 0.0, None, 0.2, 3),
        Skip("lost", 0.4, None, 0.4),
        Skip("other", 0.5, None, 0.5),
        Skip("not a picture", None, "notes.txt"),
    )
    assert report.skip_counts == {"lost": 4, "other": 1, "not a picture": 1}


def test_places_are_listed_in_bounds_and_counted_beyond() -> None:
    tally = Tally()
    for number in range(LISTED_AT_MOST + 50):
        tally.frames_read += 1
        tally.skip("lost", float(number))
        tally.skip("lost", number + 0.5)
    report = tally.report(())
    assert len(report.skips) == LISTED_AT_MOST
    assert all(skip.count == 2 for skip in report.skips)
    assert report.frames_skipped == 2 * (LISTED_AT_MOST + 50)
