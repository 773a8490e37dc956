"""How tall people are and how fast they walk, measured from the footage; the views that follow from it.

Everything after this room counts in person heights (ph) and walking speeds, so that footage of any size, frame rate
and perspective looks alike to it.
"""

from crowdad.tubes.scale.cost import check_cost, most_tubes
from crowdad.tubes.scale.given import GivenHeights
from crowdad.tubes.scale.probe import ScaleProbe
from crowdad.tubes.scale.scene_scale import Certainty, SceneScale
from crowdad.tubes.scale.view import View, views

__all__ = ["Certainty", "GivenHeights", "ScaleProbe", "SceneScale", "View", "check_cost", "most_tubes", "views"]
