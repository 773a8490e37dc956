"""Fitting a scene from footage, and choosing what scores a run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from crowdad.config import Settings
from crowdad.errors import CrowdadError, FitError, OutputExistsError, OutputNotWritableError, TooShortError
from crowdad.scene.model import SceneModel
from crowdad.sources import MAX_PIXELS, Source
from crowdad.tubes.patches import Span
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.false_alarms import ticked_spans
from crowdad.workflows.footage import Part, check_device, expand_specs, learning_sources
from crowdad.workflows.model_picture import picture_beside, portray
from crowdad.workflows.progress import Progress, silent, told_by_share

__all__ = ["fit", "fit_sources"]

_MAX_FPS_RATIO = 1.1
_LEAST_FPS = 2.0


def fit(
    specs: Any,
    *,
    unlabelled: bool = False,
    also_normal: Sequence[str | os.PathLike[str]] = (),
    person_height: GivenHeights | float | str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    picture: bool = False,
    pictures: bool = True,
    start_s: float | None = None,
    end_s: float | None = None,
    stride: int = 1,
    fps: float | None = None,
    max_pixels: int = MAX_PIXELS,
    device: str = "auto",
    progress: Progress = silent,
    on_bad_input: Callable[[CrowdadError], None] | None = None,
) -> SceneModel:
    """Learn what is normal in one camera's footage.

    specs: video files, folders of pictures, globs, also as addresses in an object store, a list of these, or numpy
        frames (array, or a function that returns a fresh generator; each uint8 (H, W) or (H, W, 3) BGR) with their
        `fps`.
    unlabelled: the footage may hold anomalies; what is rare in it is then left out.
    also_normal: files of false alarms saved by the report page of runs; what they tick is learned as normal, from the
        footage they name.
    person_height: of people, head to feet, where it cannot be measured: pixels (`95`), pixels at rows of their middle
        (`"95@110,100@230"`), or the file that the report page's "Set people's size" saves.
    output: where to save the model, or None to keep it in memory.  overwrite: let an earlier file there go.
    picture: also draw what was learned into a PNG beside it, see `portray`.
    pictures: keep the small pictures of people and of the empty view in the model; without them it cannot show what is
        normal, nor see that the camera was moved.
    start_s, end_s, stride, fps: the part of each piece of footage to read; fps for what carries no times.
    max_pixels: footage with larger pictures is refused.
    device: "auto", "cpu" or "cuda".  on_bad_input: told of each piece that cannot be read, while others go on.

    More than an hour in all is learned from in 60 s windows spread evenly over the footage.
    Raises SourceError, FitError (TooLittleMotionError where people hardly move), OutputError, ConfigError.
    """
    heights = GivenHeights.of(person_height)
    path = None if output is None else _free_path(Path(output), overwrite)
    beside = None if path is None or not picture else _free_path(picture_beside(path), overwrite, "--no-picture")
    part = Part(start_s, end_s, stride, fps, max_pixels)
    device = check_device(device)
    readable, opened = [], []  # kept open: what was fetched stays as long
    for spec in expand_specs(specs):
        try:
            opened.append(part.open(spec, progress))
            readable.append(spec)
        except CrowdadError as error:
            if on_bad_input is None:
                raise
            on_bad_input(error)
    if not readable:
        raise FitError("none of the footage can be read; nothing to learn from")
    sources, sampled = learning_sources(readable, part)
    spans = ticked_spans(also_normal)
    scene = fit_sources(
        sources,
        settings or Settings(),
        unlabelled=unlabelled,
        also_normal=spans,
        heights=heights,
        device=device,
        progress=progress,
    )
    scene.provenance["sampled"] = sampled
    if not pictures:
        scene = scene.without_pictures()
    if path is not None:
        scene.save(path)
        if beside is not None:
            portray(scene, beside, name=path.name)
    return scene


def fit_sources(
    sources: list[Source],
    settings: Settings,
    *,
    unlabelled: bool,
    also_normal: Sequence[tuple[Source, Span]] = (),
    heights: GivenHeights | None = None,
    device: str,
    progress: Progress,
) -> SceneModel:
    """`training.fit_scene`, with the faults of footage and heights told first.

    Raises TooShortError, FitError, ConfigError.
    """
    from crowdad.scene.fitting import fit_scene

    rates = [source.new_fps for source in (*sources, *(source for source, _ in also_normal))]
    if min(rates) < _LEAST_FPS:
        raise FitError(
            f"new pictures come at {min(rates):.2g} a second, too few to follow anybody; "
            f"{_LEAST_FPS:g} or more are needed"
        )
    if max(rates) > _MAX_FPS_RATIO * min(rates):
        raise FitError(
            f"the footage runs at {min(rates):g} to {max(rates):g} frames a second; one scene is one camera at one "
            "rate, bring it to one rate with --stride, or fit each rate by itself"
        )
    if heights is not None:
        heights.plane(sources[0].info.size_hw)
    needed = settings.tubes.steps + 1
    try:
        with _one_thread():
            return fit_scene(
                sources,
                settings,
                unlabelled=unlabelled,
                also_normal=also_normal,
                heights=heights,
                device=device,
                progress=told_by_share(progress),
            )
    except FitError:
        found = max(source.report.frames_read for source in sources)
        if found < needed:
            raise TooShortError(
                f"{sources[0].name}: {_frames(found)}, at least {needed} are needed to see a movement, and minutes to "
                "learn from; use longer footage"
            ) from None
        raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Train on one thread: batches are so small that more are slower, and one gives the same numbers on any machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"


def _free_path(path: Path, overwrite: bool, without: str = "") -> Path:
    """`path`, known to be writable before minutes are spent.  without: option that does without the file.

    Raises OutputError.
    """
    if re.match(r"(s3|gs|file):/", str(path)):  # a path has lost the second slash
        raise OutputNotWritableError(f"{path}: models are written to a file, not to an address; copy it there")
    if without and path.is_dir():
        raise OutputNotWritableError(f"{path}: is a folder where the model's picture would be; use {without}")
    if path.is_dir():
        raise OutputNotWritableError(
            f"{path}: is a folder; give the model a file name, such as -o {path}/scene.safetensors"
        )
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path}: exists; choose another name, or --overwrite to replace it{f', or {without}' if without else ''}"
        )
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            return path
    except OSError as error:
        raise OutputNotWritableError(f"{path}: {folder} cannot be written; give another place with -o") from error
