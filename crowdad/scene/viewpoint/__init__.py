"""A camera's view: its background without people, and whether footage still shows it."""

from crowdad.scene.viewpoint.alignment import Alignment
from crowdad.scene.viewpoint.background import LONGEST_PX, BackgroundKeeper, SightCheck
from crowdad.scene.viewpoint.verdict import CameraVerdict, Verdict, compare

__all__ = ["LONGEST_PX", "Alignment", "BackgroundKeeper", "CameraVerdict", "SightCheck", "Verdict", "compare"]
