"""Fitting a scene from footage, and choosing what scores a run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Unpack

from crowdad.config import Settings
from crowdad.errors import CrowdadError, FitError, OutputExistsError, OutputNotWritableError, TooShortError
from crowdad.scene.model import SceneModel
from crowdad.sources import Footage, Source
from crowdad.tubes.patches import Span
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.detect_options import Heights
from crowdad.workflows.false_alarms import ticked_spans
from crowdad.workflows.footage import (
    Part,
    PartKeywords,
    check_device,
    chosen_options,
    expand_specs,
    learning_sources,
    split_keywords,
)
from crowdad.workflows.model_picture import picture_beside, portray
from crowdad.workflows.progress import Progress, silent, told_by_share

__all__ = ["FitKeywords", "FitOptions", "fit", "fit_sources"]

_MAX_FPS_RATIO = 1.1
_LEAST_FPS = 2.0


class FitKeywords(PartKeywords, total=False):
    """The fields of `FitOptions`, as keywords."""

    unlabelled: bool
    also_normal: Sequence[str | os.PathLike[str]]
    person_height: Heights | None
    settings: Settings | None
    pictures: bool
    device: str


@dataclass(frozen=True, eq=False)
class FitOptions:
    """How a scene is learned; each field as `fit` describes it.

    part: what of each piece of footage is read.
    """

    unlabelled: bool = False
    also_normal: Sequence[str | os.PathLike[str]] = ()
    person_height: GivenHeights | None = None
    settings: Settings | None = None
    pictures: bool = True
    part: Part = field(default_factory=Part)
    device: str = "auto"

    def but(self, **keywords: Unpack[FitKeywords]) -> FitOptions:
        """The same with some fields set, those of its part and people's height as users give them.

        Raises ConfigError.
        """
        part, rest = split_keywords(keywords, FitKeywords)
        if "person_height" in rest:
            rest["person_height"] = GivenHeights.of(rest["person_height"])
        return replace(self, part=replace(self.part, **part), **rest)


def fit(
    footage: Footage,
    options: FitOptions | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    picture: bool = False,
    progress: Progress = silent,
    on_bad_input: Callable[[CrowdadError], None] | None = None,
    **keywords: Unpack[FitKeywords],
) -> SceneModel:
    """Learn what is normal in one camera's footage.

    Parameters
    ----------
    footage : path, str, a list of these, or numpy frames
        Video files, folders of pictures, globs, also as addresses in an object store; or frames that can be read again,
        see `score`.
    options : FitOptions, optional
        All that follows `on_bad_input` here in one record; a keyword beside it replaces the record's.
    output : path or str, optional
        File to save the model in; None: it is kept in memory.
    overwrite : bool
        Replace what is in `output`.
    picture : bool
        Draw what was learned into a PNG beside the model, too.
    progress : callable, optional
        Given a `Stage` each time the work has moved on.
    on_bad_input : callable, optional
        Given the error of each piece of footage that cannot be read, while others go on; None: it is raised.
    unlabelled : bool
        The footage may hold anomalies: what is rare in it is left out.
    also_normal : sequence of path or str
        Files of false alarms that report pages saved; what they tick is learned as normal, from the footage they name.
    person_height : float, str or path, optional
        People's height, head to feet, where it cannot be measured: pixels (95), pixels at rows of people's middle
        ("95@110,100@230"), or a file that a report page saved.
    settings : Settings, optional
        Everything else that can be chosen.
    pictures : bool
        Keep small pictures of people and of the empty view in the model; without them it cannot show what is normal,
        nor notice that the camera was moved.
    start_s, end_s, stride, fps, max_pixels, rgb, device
        As in `score`, for each piece of footage.

    Returns
    -------
    SceneModel

    Raises
    ------
    SourceError
        The footage cannot be read, or is shorter than one window (TooShortError).
    FitError
        Nothing can be learned from it: people hardly move (TooLittleMotionError), or their size cannot be measured
        (UnclearSizeError).
    OutputError
        `output` is taken, or cannot be written.
    ConfigError
        A keyword has a value that makes no sense.

    Notes
    -----
    Of more than an hour in all, windows of 60 s are read, spread evenly over the footage.

    Examples
    --------
    >>> scene = crowdad.fit("normal.mp4", output="gate4.safetensors", settings=settings)
    >>> scene
    SceneModel(one-class, 360x240 at 10 fps, people ... px tall, 16 centres, fitted on 160 frames)
    """
    chosen = chosen_options(FitOptions, options).but(**keywords)
    path = None if output is None else _free_path(Path(output), overwrite)
    beside = None if path is None or not picture else _free_path(picture_beside(path), overwrite, "--no-picture")
    device = check_device(chosen.device)
    opened = _readable(footage, chosen.part, progress, on_bad_input)  # kept: what was fetched stays as long
    sources, sampled = learning_sources([spec for spec, _ in opened], chosen.part)
    scene = fit_sources(
        sources,
        chosen.settings or Settings(),
        unlabelled=chosen.unlabelled,
        also_normal=ticked_spans(chosen.also_normal),
        heights=chosen.person_height,
        device=device,
        progress=progress,
    )
    scene.provenance["sampled"] = sampled
    if not chosen.pictures:
        scene = scene.without_pictures()
    if path is not None:
        scene.save(path)
        if beside is not None:
            portray(scene, beside, name=path.name)
    return scene


def _readable(
    footage: Footage, part: Part, progress: Progress, on_bad_input: Callable[[CrowdadError], None] | None
) -> list[tuple[Any, Source]]:
    """Each piece of footage that can be read, opened.  Raises FitError where none can."""
    opened = []
    for spec in expand_specs(footage):
        try:
            opened.append((spec, part.open(spec, progress)))
        except CrowdadError as error:
            if on_bad_input is None:
                raise
            on_bad_input(error)
    if not opened:
        raise FitError("none of the footage can be read; nothing to learn from")
    return opened


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
