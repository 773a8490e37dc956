"""report.html: a run to look at, one file that needs nothing but the video beside it."""

from crowdad.outputs.report.packing import PackedHeat, pack_heat
from crowdad.outputs.report.page import Look, Reason, write_page

__all__ = ["Look", "PackedHeat", "Reason", "pack_heat", "write_page"]
