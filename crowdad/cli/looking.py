"""`crowdad info`, `demo` and `data get`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crowdad.cli.ending import FAILED, guarded, tell_failure
from crowdad.cli.grouped_help import INPUT, OUTPUT, GroupedCommand
from crowdad.cli.options import (
    Data,
    Fps,
    MaxPixels,
    PersonHeight,
    Quiet,
    Verbose,
    chosen_part,
    found_footage,
    output_option,
)
from crowdad.cli.terminal import Bars, describe_run, notice
from crowdad.errors import ConfigError, OutputNotReadableError, TooLittleMotionError, UnclearSizeError
from crowdad.wording import one_line, without_login

if TYPE_CHECKING:
    from crowdad.scene.model import SceneModel
    from crowdad.sources import Source, Spec
    from crowdad.tubes.scale import GivenHeights
    from crowdad.workflows.footage import Part

__all__ = ["data_app", "demo", "describe_scene", "describe_source", "info"]

data_app = typer.Typer(no_args_is_help=True, help="Data sets for the benchmarks.", rich_markup_mode=None)


def info(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="A model file, a run's folder, or footage: videos, folders of pictures or globs, also s3://.",
            show_default=False,
        ),
    ],
    people: Annotated[
        bool | None,
        typer.Option(
            "--people/--no-people",
            help="Measure people's size in footage, which reads all of it (of more than an hour, an hour).  "
            "[of one video; not of several]",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    person_height: PersonHeight = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="OUT.PNG",
            help="Draw a model (what is normal, where, its threshold), or people's size as outlines on a frame.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    verbose: Verbose = 0,
) -> int:
    """Say what is in a model or in footage, and how tall people are there.

    \b
      crowdad info gate3.safetensors
      crowdad info gate3.safetensors --picture gate3.png
      crowdad info video.mp4                                    people's size, too, which takes a while
      crowdad info video.mp4 --picture people.png               ... as outlines on a frame
      crowdad info video.mp4 --person-height 95 --picture people.png
      crowdad info footage/                                     all its videos, at once
    """
    from crowdad.tubes.scale import GivenHeights

    heights = GivenHeights.of(person_height)
    footage: list[Spec] = []
    code = 0
    _check_drawable(picture, paths)
    for path in paths:
        if path.endswith(".safetensors"):
            _tell_scene(path, picture, verbose)
        elif os.path.isfile(os.path.join(path, "results.json")):
            if picture is not None:
                raise ConfigError(f"--picture draws a model or a video; {path} is a run's folder")
            _tell_run(Path(path))
        else:
            found, missed = found_footage([path], verbose)
            footage += found
            code = max(code, missed)
    if footage:
        _check_drawable(picture, footage)
        if people is None:
            people = len(footage) == 1 or heights is not None
        with Bars() as bars:
            asked = _People(heights, picture) if people or picture is not None else None
            code = max(code, _tell_footage(footage, chosen_part(None, None, 1, fps, max_pixels), asked, bars, verbose))
    elif heights is not None and not code:
        raise ConfigError("--person-height is of people in footage; no footage is given")
    return code


def _check_drawable(picture: Path | None, given: Sequence[object]) -> None:
    if picture is not None and len(given) > 1:
        raise ConfigError(f"--picture draws one model or one video; {len(given)} are given")


@dataclass(frozen=True)
class _People:
    """What is asked of people's size in footage: their height where it is given, and where to draw it."""

    heights: GivenHeights | None
    picture: Path | None


def _tell_scene(path: str, picture: Path | None, verbose: int) -> None:
    from crowdad.scene.model import SceneModel
    from crowdad.sources import at_hand

    scene = SceneModel.load(at_hand(path))
    print(f"{one_line(without_login(path))}: scene model\n{describe_scene(scene, settings=verbose > 0)}")
    if picture is not None:
        from crowdad import workflows

        print(f"  look at {workflows.portray(scene, picture, name=Path(path).name)}")


def _tell_run(folder: Path) -> None:
    from crowdad.outputs.results import read_results
    from crowdad.tubes.scale import SceneScale
    from crowdad.workflows.people_size import size_lines

    results = read_results(folder / "results.json")
    print(describe_run(results, folder))
    for warning in results.warnings:
        print(f"  warning: {one_line(warning)}")
    if results.model.scale:
        try:
            scale = SceneScale.from_dict(results.model.scale)
        except ValueError as error:
            raise OutputNotReadableError(
                f"{folder}: its results hold a size of people that is impossible; run crowdad detect again"
            ) from error
        print("\n".join(f"  {one_line(line)}" for line in size_lines(scale)))


def _tell_footage(footage: list[Spec], part: Part, asked: _People | None, bars: Bars, verbose: int) -> int:
    """Tell of each; FAILED where one could not be read, which costs the others nothing."""
    code = 0
    for spec in footage:
        try:
            source = part.open(spec, bars)
            bars.close()
            print(f"{one_line(without_login(str(spec)))}: footage\n{describe_source(source)}", flush=True)
            if asked is not None:
                code = max(code, _tell_people(spec, part, asked, bars))
        except Exception as error:
            code = max(code, tell_failure(error, str(spec), verbose))
    return code


def _tell_people(spec: Spec, part: Part, asked: _People, bars: Bars) -> int:
    """Tell their size and speed; FAILED where that was to be drawn and is refused."""
    from crowdad.workflows.measuring import measured, picture_people
    from crowdad.workflows.people_size import size_lines

    try:
        scale = measured(spec, part, asked.heights, bars)
    except (TooLittleMotionError, UnclearSizeError) as error:
        bars.close()
        print(f"  people       refused: {error}")
        return 0 if asked.picture is None else FAILED
    bars.close()
    print("\n".join(f"  {line}" for line in size_lines(scale)))
    if scale.certainty == "unsure" and asked.picture is None:
        print("  note         see whether the outlines of --picture OUT.png fit people; if not, give --person-height")
    if asked.picture is not None:
        print(f"  look at {picture_people(spec, part, scale, asked.picture)}")
    return 0


def describe_scene(scene: SceneModel, settings: bool = False) -> str:
    """What a model knows, a few lines."""
    from crowdad.scene.kinds import kinds_off
    from crowdad.workflows.people_size import size_lines

    scale, learned, calibration = scene.scale, scene.provenance, scene.calibration
    sources = learned.get("sources", [])
    height, width = scale.size_hw
    rate = scene.settings.calibration.false_alarms_per_hour
    lines = [
        f"learned      {learned['how']}, from {learned.get('frames', '?')} frames, "
        f"{learned.get('tubes', '?')} moving patches",
        f"footage      {', '.join(sources[:5])}{' ...' if len(sources) > 5 else ''}",
        f"picture      {width}x{height}, {scale.fps:g} frames a second",
        *size_lines(scale),
        f"clusters     {len(scene.motion.centres)} of unit codes in {scene.motion.centres.shape[1]} dimensions",
        f"calibration  {calibration.how}, {calibration.basis}; threshold "
        f"{calibration.threshold(rate):.4g} raw for {rate:g} false {'alarm' if rate == 1 else 'alarms'} an hour",
    ]
    if off := kinds_off(scene.streams):
        lines.append(f"not for      {', '.join(off)}: the footage was too short or too empty for these kinds of events")
    if note := calibration.promise(rate):
        lines.append(f"note         {note}")
    if settings:
        lines.append(f"settings     {scene.settings.model_dump_json()}")
    return "\n".join(f"  {one_line(without_login(line))}" for line in lines)


def describe_source(source: Source) -> str:
    """What is known of footage before it is read, a few lines."""
    from crowdad.wording import clock_text

    known = source.info
    height, width = known.size_hw
    new = f", about {source.new_fps:.2g} new ones" if source.new_fps < source.fps else ""
    codec = f"; {known.codec}" if known.codec and new else f", {known.codec}" if known.codec else ""
    lines = [
        f"picture      {width}x{height}, {round(known.fps, 2):g} frames a second{new}{codec}",
        f"frames       {'not stated' if known.frame_count is None else known.frame_count}",
        f"length       {'not stated' if known.duration_s is None else clock_text(known.duration_s)}",
    ]
    if known.size_bytes is not None:
        lines.append(f"size         {known.size_bytes / 1e6:.1f} MB")
    if known.recorded_at:
        lines.append(f"file date    {known.recorded_at} (of the container; --recorded-at says when it was recorded)")
    lines += [f"note         {note}" for note in source.report.notes]
    return "\n".join(f"  {one_line(without_login(line))}" for line in lines)


def demo(
    folder: Annotated[Path, output_option("Folder for the clip and its run.")] = Path("demo"),
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> int:
    """Try it: draw a crowd with known anomalies, detect them, and say how well it went."""
    from crowdad.synthetic.demo import run_demo

    if not quiet:
        print(f"drawing a crowd into {folder}, learning from it and scoring it: about a minute", flush=True)
    with Bars(quiet) as bars:
        report = run_demo(folder, progress=bars)
    for warning in report.results.warnings:
        notice(warning)
    print(describe_run(report.results, report.folder))
    print("how well it went (frame AUC: 1 = every anomalous frame scored above every normal one, 0.5 = chance)")
    for row in report.kinds:
        print(f"  {row.kind:<14}{row.auc:.3f}  in {row.frames} frames{'' if row.in_scope else '   (known limit)'}")
    print(f"  all in scope  {report.auc:.3f}  (frame differencing: {report.baseline_auc:.3f})")
    print(f"done in {report.seconds:.0f} s")
    return 0


def get(
    name: Annotated[
        str, typer.Argument(help="ucsd, mnist or usps; avenue, shanghaitech: told where to fetch them by hand.")
    ],
    data: Data = None,
    quiet: Quiet = False,
) -> int:
    """Download a data set with a check of its hash, or say what to do without a network.

    \b
      crowdad data get ucsd --data ~/data
      crowdad data get avenue --data ~/data
    """
    from crowdad.evaluation.datasets.download import get as download

    folder = download(name, data, progress=not quiet)
    if not quiet:
        print(f"{name} is in {folder}")
    return 0


data_app.command("get", cls=GroupedCommand)(guarded(get, private=False))


@data_app.callback()
def _data() -> None:
    """Data sets for the benchmarks."""
