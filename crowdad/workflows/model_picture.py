"""A scene model as a picture to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from crowdad.errors import ConfigError
from crowdad.files import written_whole
from crowdad.scene.model import SceneModel
from crowdad.workflows.people_size import people_of

__all__ = ["check_is_png", "drawn_whole", "picture_beside", "portray"]


def portray(scene: SceneModel, path: str | os.PathLike[str], *, name: str) -> Path:
    """Draw what a scene holds: its centres, where motion was, its calibration and how it learned; returns `path`.

    path: a .png to write, whole or not at all.  name: of the model, the picture's title.
    Raises ConfigError for another suffix, OutputNotWritableError.
    """
    from crowdad.outputs.scene_picture import Portrait, write_scene_picture

    check_is_png(path)
    portrait = Portrait(
        title=name,
        about=_about(scene),
        size_hw=scene.scale.size_hw,
        thumbnails=scene.motion.thumbnails,
        shares=scene.motion.shares,
        motions=scene.motion.motions,
        activity=scene.activity,
        people=people_of(scene.scale),
        calibration=scene.calibration,
        rate=scene.settings.calibration.false_alarms_per_hour,
        losses=_losses(scene),
    )
    return drawn_whole(path, lambda place: write_scene_picture(place, portrait))


def check_is_png(path: str | os.PathLike[str]) -> None:
    """Raise ConfigError where the name of a picture to write is not that of a PNG."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: the picture is a PNG; name it {path.stem or 'scene'}.png")


def drawn_whole(path: str | os.PathLike[str], draw: Callable[[Path], None]) -> Path:
    """Have a picture drawn into `path`, whole or not at all, and return it.  Raises OutputNotWritableError."""
    path = Path(path)
    with written_whole(path, private=True, advice="give another place for the picture") as part:
        draw(part)
    return path


def picture_beside(model: Path) -> Path:
    """Where the picture of a model file lies: NAME.png for NAME.safetensors, never the model itself."""
    return model.with_suffix(".png") if model.suffix == ".safetensors" else model.with_name(model.name + ".png")


def _about(scene: SceneModel) -> str:
    learned, (height, width) = scene.provenance, scene.scale.size_hw
    return (
        f"{learned['how']}, from {learned.get('tubes', '?')} moving patches in {learned.get('frames', '?')} frames of "
        f"{width}x{height} at {scene.scale.fps:g} a second"
    )


def _losses(scene: SceneModel) -> list[float]:
    """Of each epoch; none where the file does not tell them as numbers."""
    losses = scene.provenance.get("losses")
    if not isinstance(losses, list) or not all(isinstance(loss, int | float) for loss in losses):
        return []
    return [float(loss) for loss in losses]
