"""What is unusual in UCSD's test clips, by eye: `ucsd_kinds.csv` lists data set, clip, frames and kind.

The data set's own truth says that a frame is anomalous, not by what.  The file was made by looking at every anomalous
interval of the test clips, one reader, once.  Frames are counted from 0, both ends included; several kinds may be in
one frame.  In frames 156 to 179 of Ped1's clip 31, which are labelled anomalous, nothing unusual was seen.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from crowdad.evaluation.datasets.clips import Clip, KindSpan

__all__ = ["UCSD_KINDS", "with_kinds"]

UCSD_KINDS = ("bicycle", "skater", "cart", "wheelchair", "grass", "slow bicycle", "other")
"""cart: a motor cart, lorry or van.  grass: somebody walks on the grass.  slow bicycle: at about the pace of the
walkers around it.  other: somebody pushes a trolley (Ped1's clip 13), or crosses the walkway (clip 11)."""


def with_kinds(name: str, clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Test clips of "ped1" or "ped2" with their kinds, by the number in their names."""
    known = _read()
    return tuple(replace(clip, kinds=known.get((name, _number(clip.name)), ())) for clip in clips)


@cache
def _read() -> dict[tuple[str, int], tuple[KindSpan, ...]]:
    by_clip: dict[tuple[str, int], list[KindSpan]] = defaultdict(list)
    text = files("crowdad.evaluation.datasets").joinpath("ucsd_kinds.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        span = KindSpan(row["kind"], int(row["first_frame"]), int(row["last_frame"]))
        by_clip[row["dataset"], int(row["clip"])].append(span)
    return {place: tuple(spans) for place, spans in by_clip.items()}


def _number(clip_name: str) -> int:
    digits = re.search(r"\d+$", clip_name)
    return int(digits[0]) if digits else -1
