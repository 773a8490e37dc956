"""report.html: a run to look at, one file that needs nothing but the video beside it."""

from crowdad.outputs.report.packing import PackedHeat, pack_heat
from crowdad.outputs.report.page import Look, Reason, write_page
from crowdad.outputs.report.parts import asset, template
from crowdad.outputs.report.pictures import frame_peak

__all__ = ["Look", "PackedHeat", "Reason", "asset", "frame_peak", "pack_heat", "template", "write_page"]
