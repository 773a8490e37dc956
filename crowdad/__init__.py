"""crowdad: where and when something unusual happens in footage of a crowd, learned without labels.

    import crowdad

    scene = crowdad.fit("normal/*.mp4", output="gate3.safetensors")
    for result in crowdad.score("monday.mp4", scene):
        if result.flagged:
            print(result.time_s, result.anomaly)

Names are loaded when they are first used, so that `import crowdad` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crowdad._version import __version__

if TYPE_CHECKING:
    from crowdad.config import Settings, load_settings
    from crowdad.detection.detector import Detector
    from crowdad.errors import CrowdadError
    from crowdad.outputs.results import RunResults, read_results
    from crowdad.outputs.tables import FrameTable, read_frames_csv
    from crowdad.records import Event, Frame, FrameResult, Heatmap
    from crowdad.scene.model import SceneModel
    from crowdad.sources import Source, open_source
    from crowdad.workflows import detect, fit, overlay, score

__all__ = [
    "CrowdadError",
    "Detector",
    "Event",
    "Frame",
    "FrameResult",
    "FrameTable",
    "Heatmap",
    "RunResults",
    "SceneModel",
    "Settings",
    "Source",
    "__version__",
    "detect",
    "fit",
    "load_settings",
    "open_source",
    "overlay",
    "read_frames_csv",
    "read_results",
    "score",
]

_HOMES = {
    "CrowdadError": "errors",
    "Detector": "detection.detector",
    "Event": "records",
    "Frame": "records",
    "FrameResult": "records",
    "FrameTable": "outputs.tables",
    "Heatmap": "records",
    "RunResults": "outputs.results",
    "SceneModel": "scene.model",
    "Settings": "config",
    "Source": "sources",
    "detect": "workflows",
    "fit": "workflows",
    "load_settings": "config",
    "open_source": "sources",
    "overlay": "workflows",
    "read_frames_csv": "outputs.tables",
    "read_results": "outputs.results",
    "score": "workflows",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crowdad' has no attribute {name!r}")
    value = getattr(import_module(f"crowdad.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
