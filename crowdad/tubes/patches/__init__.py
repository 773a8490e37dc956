"""Patch extractors, one a file.

A member offers `propose` (where), `previous_place` (how it goes back in time) and `channels` (what it reads).
"""

from crowdad.tubes.patches.extractor import EXTRACTORS, Extractor, extractor_kind
from crowdad.tubes.patches.spans import Span, tubes_through
from crowdad.tubes.patches.steps import steps_of, with_breaks
from crowdad.tubes.patches.subjects import SUBJECT_HW, motion_of, subject_of

__all__ = [
    "EXTRACTORS",
    "SUBJECT_HW",
    "Extractor",
    "Span",
    "extractor_kind",
    "motion_of",
    "steps_of",
    "subject_of",
    "tubes_through",
    "with_breaks",
]
