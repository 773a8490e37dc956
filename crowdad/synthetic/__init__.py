"""Drawn crowds with known anomalies and a known perspective: the demo's footage and the yardstick for scale.

clip = GeneratedClip("demo", seed=1)
for picture, truth in clip: ...          # uint8 (H, W, 3) BGR, Truth
write_clip(clip, "demo.mp4")             # and demo.truth.json
"""

from crowdad.synthetic.agents import ANOMALIES, CROWD_KINDS, IN_SCOPE, OUT_OF_SCOPE, PLACE_KINDS
from crowdad.synthetic.background import Fixture
from crowdad.synthetic.camera import PERSON_HEIGHT_M, WALKING_SPEED_M_S, Camera
from crowdad.synthetic.clip import GeneratedClip, Whereabouts
from crowdad.synthetic.files import ClipTruth, load_truth, write_clip
from crowdad.synthetic.light import Light
from crowdad.synthetic.moods import CrowdEvent
from crowdad.synthetic.paths import Lane, Stream
from crowdad.synthetic.region import Lawn
from crowdad.synthetic.scenes import SCENES, SceneConfig, scene_config
from crowdad.synthetic.studio import VISIBLE_SHARE, Truth

__all__ = [
    "ANOMALIES",
    "CROWD_KINDS",
    "IN_SCOPE",
    "OUT_OF_SCOPE",
    "PERSON_HEIGHT_M",
    "PLACE_KINDS",
    "SCENES",
    "VISIBLE_SHARE",
    "WALKING_SPEED_M_S",
    "Camera",
    "ClipTruth",
    "CrowdEvent",
    "Fixture",
    "GeneratedClip",
    "Lane",
    "Lawn",
    "Light",
    "SceneConfig",
    "Stream",
    "Truth",
    "Whereabouts",
    "load_truth",
    "scene_config",
    "write_clip",
]
