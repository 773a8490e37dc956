"""`crowdad detect`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from crowdad.cli.ending import naming, tell_failure
from crowdad.cli.grouped_help import ALARM_LEVEL, INPUT, OUTPUT, SPEED
from crowdad.cli.options import (
    Config,
    Device,
    End,
    FalseAlarms,
    Footage,
    Fps,
    Kinds,
    MaxPixels,
    NotKinds,
    Overrides,
    Overwrite,
    Patches,
    PersonHeight,
    Quiet,
    Resume,
    Roi,
    Runtime,
    Seed,
    SensitivityChoice,
    Start,
    Stride,
    Verbose,
    chosen_part,
    chosen_settings,
    found_footage,
    named,
)
from crowdad.cli.terminal import Bars, describe_run, describe_runs, notice
from crowdad.errors import ConfigError

if TYPE_CHECKING:
    from crowdad.outputs.results import RunResults
    from crowdad.sources import Spec
    from crowdad.workflows.batch.fleet import Fleet
    from crowdad.workflows.batch.spread import Failure
    from crowdad.workflows.detect_options import DetectOptions
    from crowdad.workflows.output_paths import OutputPaths, RunPlace

__all__ = ["detect"]

_GPU_SHARE = 0.2
"""Of a GPU that one task asks a cluster for: decoding and flow run on the CPU, so one task alone leaves it idle."""


class FootageBeside(StrEnum):
    """What --footage takes."""

    LINK = "link"
    COPY = "copy"
    NONE = "none"


def detect(
    footage: Footage,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="PATH",
            help="Model made by crowdad fit.  [learn from the footage itself]",
            rich_help_panel=INPUT,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            parser=named,
            help="Folder of the run, or an s3:// address; of several videos, the folder of their folders.  "
            "[runs/<name>]",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Raw anomaly that reads 0.5, as threshold.raw in an earlier results.json; higher = fewer events.",
            rich_help_panel=ALARM_LEVEL,
        ),
    ] = None,
    false_alarms_per_hour: FalseAlarms = None,
    sensitivity: SensitivityChoice = None,
    no_overlay: Annotated[
        bool, typer.Option("--no-overlay", help="Leave out overlay.mp4.", rich_help_panel=OUTPUT)
    ] = False,
    no_heatmaps: Annotated[
        bool, typer.Option("--no-heatmaps", help="Leave out heatmaps.npz.", rich_help_panel=OUTPUT)
    ] = False,
    no_report: Annotated[
        bool,
        typer.Option("--no-report", help="Leave out report.html and the footage beside it.", rich_help_panel=OUTPUT),
    ] = False,
    footage_beside: Annotated[
        FootageBeside,
        typer.Option(
            "--footage",
            help="Beside report.html: a second name of the original file (link), a copy, or none.",
            rich_help_panel=OUTPUT,
        ),
    ] = FootageBeside.LINK,
    kinds: Kinds = None,
    not_kinds: NotKinds = None,
    roi: Roi = None,
    start: Start = None,
    end: End = None,
    stride: Stride = 1,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    recorded_at: Annotated[
        str | None,
        typer.Option(
            "--recorded-at", help="Wall clock of the first frame, such as 2024-05-17T08:30:00.", rich_help_panel=INPUT
        ),
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    seed: Seed = None,
    patches: Patches = None,
    person_height: PersonHeight = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    overwrite: Overwrite = False,
    resume: Resume = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            help="Number of files, and pieces of long ones, to score side by side.",
            rich_help_panel=SPEED,
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="auto|ADDRESS",
            help="... on a Ray cluster: this machine's, or the one at host:port.",
            rich_help_panel=SPEED,
        ),
    ] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Find what is unusual, and write a report page, heatmaps, events and an overlay video.

    \b
      crowdad detect video.mp4                                  learn from the video itself
      crowdad detect monday.mp4 --model gate3.safetensors -o runs/monday
      crowdad detect night/*.mp4 -m gate3.safetensors --false-alarms-per-hour 0.2
      crowdad detect video.mp4 --start 1:30 --end 2:00 --roi street.png
      crowdad detect night.mp4 --person-height 95               people are 95 pixels tall, few as they are
      crowdad detect night/*.mp4 -m gate3.safetensors --resume  go on after an interruption
      crowdad detect night/*.mp4 -m gate3.safetensors --jobs 8  eight side by side
    """
    if overwrite and resume:
        raise ConfigError("both --overwrite and --resume were given; give one of them")
    if model is not None and seed is not None:
        raise ConfigError("--seed is for learning, and --model has learned; give one of them")
    with Bars(quiet) as bars:
        from crowdad.sources import at_hand, pinned
        from crowdad.tubes.scale import GivenHeights
        from crowdad.workflows.detect_options import DetectOptions, load_scene
        from crowdad.workflows.output_paths import OutputPaths
        from crowdad.workflows.progress import in_bytes

        given = None if model is None else pinned(model)
        base = None if given is None else load_scene(at_hand(given, in_bytes(bars, "fetching the model"))).settings
        settings = chosen_settings(config, overrides, seed, patches, base, kinds, not_kinds)
        options = DetectOptions(
            model=given,
            settings=settings,
            person_height=GivenHeights.of(person_height),
            threshold=threshold,
            false_alarms_per_hour=false_alarms_per_hour,
            sensitivity=None if sensitivity is None else sensitivity.value,
            roi=roi,
            overlay=not no_overlay,
            heatmaps=not no_heatmaps,
            report=not no_report,
            footage_beside=footage_beside.value,
            part=chosen_part(start, end, stride, fps, max_pixels),
            recorded_at=recorded_at,
            device=device,
            runtime=runtime,
        )
        specs, code = found_footage(footage, verbose)
        paths = OutputPaths(output, len(footage) > 1 or len(specs) > 1, overwrite, resume)
        if jobs is None and ray is None:
            return max(code, _in_turn(specs, options, paths, bars, quiet, verbose))
        fleet = _fleet(jobs, ray, device)
        return max(code, _side_by_side(specs, options, paths, fleet, bars, quiet))


def _in_turn(
    specs: list[Spec], options: DetectOptions, paths: OutputPaths, bars: Bars, quiet: bool, verbose: int
) -> int:
    """Score one after the other, whatever becomes of the others; the highest exit code."""
    from crowdad.outputs.folder import RunFolder
    from crowdad.workflows import detecting

    code = 0
    for spec in specs:
        told: list[str] = []
        try:
            bars.label = f"{spec.name}: " if paths.several else ""
            with paths.held(spec) as place:
                results = detecting.detect_with(
                    spec,
                    options,
                    output=place,
                    overwrite=paths.overwrite,
                    resume=paths.resume,
                    progress=bars,
                    notice=partial(_tell_now, spec, told),
                )
        except Exception as error:
            code = max(code, tell_failure(error, str(spec), verbose))
            continue
        bars.close()
        _tell(spec, results, place.path if isinstance(place, RunFolder) else place, quiet, told)
    return code


def _side_by_side(
    specs: list[Spec], options: DetectOptions, paths: OutputPaths, fleet: Fleet, bars: Bars, quiet: bool
) -> int:
    """Score all at once; 1 where one failed, the others are whole then."""
    from crowdad.outputs.remote import RemoteRun
    from crowdad.workflows.batch.spread import PIECE_S, Failure, detect_many

    chosen = {spec: paths.place(spec) for spec in specs}
    # Pieces meet in the folder that a run is written in, which machines of a cluster need not have in common then.
    apart = not fleet.one_machine and RemoteRun.of(paths.output) is not None

    def tell(spec: Spec, ended: RunResults | Failure) -> None:
        if isinstance(ended, Failure):
            notice(naming(str(spec), ended.reason))
        else:
            bars.close()
            _tell(spec, ended, chosen[spec], quiet or paths.several)

    with fleet:
        ends = detect_many(
            chosen,
            options,
            fleet,
            overwrite=paths.overwrite,
            resume=paths.resume,
            piece_s=None if apart else PIECE_S,
            progress=bars,
            on_end=tell,
        )
    bars.close()
    failed = sum(isinstance(ended, Failure) for ended in ends.values())
    if paths.several and not quiet:
        print(describe_runs(ends, chosen))
    if failed and paths.several:
        notice(f"{failed} of {len(ends)} failed; the same command with --resume tries those alone")
    return 1 if failed else 0


def _tell_now(spec: Spec, told: list[str], line: str) -> None:
    told.append(line)
    notice(f"{spec.name}: {line}")


def _tell(spec: Spec, results: RunResults, place: RunPlace, quiet: bool, told: Sequence[str] = ()) -> None:
    for warning in (warning for warning in results.warnings if warning not in told):
        notice(f"{spec.name}: {warning}")
    if not quiet:
        print(describe_run(results, place))


def _fleet(jobs: int | None, ray: str | None, device: str) -> Fleet:
    from crowdad.workflows.batch.fleet import LocalFleet, RayFleet

    if jobs is not None and ray is not None:
        raise ConfigError("both --jobs and --ray were given; give one of them")
    if ray is None:
        return LocalFleet(jobs or 1)
    return RayFleet(ray, gpu_share=_GPU_SHARE if device == "cuda" else 0.0)
