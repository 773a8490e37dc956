"""Patch extractors, one a file; a member offers `propose` (where) and `previous_place` (how it goes back in time)."""

from crowdad.patches.extractor import EXTRACTORS, Extractor

__all__ = ["EXTRACTORS", "Extractor"]
