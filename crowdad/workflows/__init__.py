"""The verbs as functions: what the command line calls, and a library's front door.

fit: footage -> `SceneModel`.  score: frames -> one `FrameResult` after the other.
events: scored frames -> events.  detect: footage -> a run's folder.
watch: a camera -> its events while they last.  overlay: a run's folder -> its overlay, drawn again.
portray: a model -> a picture of what it holds.  export: a model file -> a graph that scores without torch.
"""

from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import detect, events, score
from crowdad.workflows.exporting import export
from crowdad.workflows.fitting import FitOptions, fit
from crowdad.workflows.footage import expand_specs
from crowdad.workflows.model_picture import portray
from crowdad.workflows.overlaying import overlay
from crowdad.workflows.progress import Progress, Stage
from crowdad.workflows.watching.notify import AlertOptions
from crowdad.workflows.watching.session import watch
from crowdad.workflows.watching.watch_options import WatchOptions

__all__ = [
    "AlertOptions",
    "DetectOptions",
    "FitOptions",
    "Progress",
    "Stage",
    "WatchOptions",
    "detect",
    "events",
    "expand_specs",
    "export",
    "fit",
    "overlay",
    "portray",
    "score",
    "watch",
]
