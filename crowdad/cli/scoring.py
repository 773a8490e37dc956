"""`crowdad fit`, `detect` and `overlay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crowdad.cli.options import (
    Config,
    Device,
    End,
    Fps,
    MaxPixels,
    Overrides,
    Overwrite,
    Patches,
    Quiet,
    Resume,
    Runtime,
    Seed,
    Start,
    Stride,
    Verbose,
    chosen_settings,
    seconds,
)
from crowdad.cli.terminal import Bars, describe_run, notice
from crowdad.errors import ConfigError, CrowdadError

if TYPE_CHECKING:
    from crowdad.outputs.folder import RunFolder

__all__ = ["detect", "fit", "overlay"]

Footage = Annotated[
    list[str], typer.Argument(metavar="FOOTAGE", help="Videos, folders of pictures, or globs.", show_default=False)
]


def fit(
    footage: Footage,
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="The footage may hold anomalies: leave out what is rare.")
    ] = False,
    also_normal: Annotated[
        list[Path] | None,
        typer.Option(
            "--also-normal",
            metavar="TICKS.JSON",
            help="False alarms saved by a report page: learn them as normal.  May be given again.",
        ),
    ] = None,
    no_picture: Annotated[
        bool, typer.Option("--no-picture", help="Leave out the picture of what was learned, beside the model.")
    ] = False,
    start: Start = None,
    end: End = None,
    stride: Stride = 1,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    config: Config = None,
    overrides: Overrides = None,
    seed: Seed = None,
    patches: Patches = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Learn what is normal for one camera.

    \b
      crowdad fit normal/*.mp4 -o gate3.safetensors
      crowdad fit --unlabelled week/*.mp4 -o gate3.safetensors    anomalies may be inside
      crowdad fit UCSDped2/Train --fps 10 -o ped2.safetensors     folders of pictures
      crowdad fit normal/*.mp4 --also-normal false-alarms.json -o gate3.safetensors

    A few minutes of people moving are enough; of more than an hour, samples are taken.
    """
    settings = chosen_settings(config, overrides, seed, patches)
    from crowdad import workflows

    refused: list[CrowdadError] = []

    def refuse(error: CrowdadError) -> None:
        refused.append(error)
        notice(str(error))

    with Bars(quiet) as bars:
        scene = workflows.fit(
            footage,
            unlabelled=unlabelled,
            also_normal=also_normal or (),
            settings=settings,
            output=output,
            overwrite=overwrite,
            picture=not no_picture,
            start_s=seconds(start),
            end_s=seconds(end),
            stride=stride,
            fps=fps,
            **({} if max_pixels is None else {"max_pixels": max_pixels}),
            device=device,
            progress=bars,
            on_bad_input=refuse,
        )
    if not quiet:
        learned = scene.provenance
        print(f"{output}: learned from {learned['tubes']} moving patches in {learned['frames']} frames")
        if verbose:
            from crowdad.cli.looking import describe_scene

            print(describe_scene(scene))
        if not no_picture:
            from crowdad.workflows.portraying import picture_beside

            print(f"  look at {picture_beside(output)}")
        print(f"  next: crowdad detect FOOTAGE --model {output}")
    return 1 if refused else 0


def detect(
    footage: Footage,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="Model made by crowdad fit.  [learn from the footage itself]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the run; of several videos, the folder of their folders.  [runs/<name>]"
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Raw anomaly that reads 0.5, as threshold.raw in an earlier results.json; higher = fewer events.",
        ),
    ] = None,
    false_alarms_per_hour: Annotated[
        float | None,
        typer.Option("--false-alarms-per-hour", help="Choose the threshold for so many on normal footage.  [1]"),
    ] = None,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Leave out overlay.mp4.")] = False,
    no_heatmaps: Annotated[bool, typer.Option("--no-heatmaps", help="Leave out heatmaps.npz.")] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Leave out report.html and the footage beside it.")
    ] = False,
    roi: Annotated[
        Path | None, typer.Option("--roi", metavar="MASK.PNG", help="Score only where this picture is white.")
    ] = None,
    start: Start = None,
    end: End = None,
    stride: Stride = 1,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    recorded_at: Annotated[
        str | None,
        typer.Option("--recorded-at", help="Wall clock of the first frame, such as 2024-05-17T08:30:00."),
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    seed: Seed = None,
    patches: Patches = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    overwrite: Overwrite = False,
    resume: Resume = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Find what is unusual, and write a report page, heatmaps, events and an overlay video.

    \b
      crowdad detect video.mp4                                  learn from the video itself
      crowdad detect monday.mp4 --model gate3.safetensors -o runs/monday
      crowdad detect night/*.mp4 -m gate3.safetensors --false-alarms-per-hour 0.2
      crowdad detect video.mp4 --start 1:30 --end 2:00 --roi street.png
      crowdad detect night/*.mp4 -m gate3.safetensors --resume  go on after an interruption
    """
    from crowdad import workflows
    from crowdad.scene import SceneModel

    if overwrite and resume:
        raise ConfigError("both --overwrite and --resume were given; give one of them")
    base = None if model is None else SceneModel.load(model).settings
    settings = chosen_settings(config, overrides, seed if model is None else None, patches, base)
    part = {"start_s": seconds(start), "end_s": seconds(end), "stride": stride, "fps": fps}
    if max_pixels is not None:
        part["max_pixels"] = max_pixels
    specs, code = _found(footage)
    several = len(footage) > 1 or len(specs) > 1
    for spec in specs:
        try:
            with (
                Bars(quiet, f"{spec.name}: " if several else "") as bars,
                _folder(spec, output, several, overwrite, resume) as folder,
            ):
                results = workflows.detect(
                    spec,
                    model=model,
                    output=folder,
                    settings=settings,
                    threshold=threshold,
                    false_alarms_per_hour=false_alarms_per_hour,
                    roi=roi,
                    overlay=not no_overlay,
                    heatmaps=not no_heatmaps,
                    report=not no_report,
                    recorded_at=recorded_at,
                    device=device,
                    runtime=runtime,
                    progress=bars,
                    **part,  # type: ignore[arg-type]
                )
        except CrowdadError as error:
            notice(str(error))
            code = 1
            continue
        for warning in results.warnings:
            notice(f"{spec.name}: {warning}")
        if not quiet:
            print(describe_run(results, folder.path))
    return code


def _found(footage: list[str]) -> tuple[list[Path], int]:
    """The pieces of footage that can be found, and 1 where one could not (which was then told)."""
    from crowdad import workflows

    found: dict[Path, None] = {}
    code = 0
    for given in footage:
        try:
            found.update(dict.fromkeys(workflows.expand_specs(given)))
        except CrowdadError as error:
            notice(str(error))
            code = 1
    return list(found), code


def _folder(spec: Path, output: Path | None, several: bool, overwrite: bool, resume: bool) -> RunFolder:
    from crowdad.outputs.folder import RunFolder, run_name
    from crowdad.workflows.resuming import folder_to_resume

    if resume and output is not None and not several:
        return RunFolder(output, resume=True)
    if resume:
        return folder_to_resume(spec, output or "runs")
    if output is None:
        return RunFolder.numbered(spec.name)
    if not several:
        return RunFolder(output, overwrite)
    return RunFolder(output / run_name(spec.name), overwrite) if overwrite else RunFolder.numbered(spec.name, output)


def overlay(
    footage: Annotated[str, typer.Argument(help="The footage that the run was made from.")],
    run: Annotated[Path, typer.Argument(help="Folder of that run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Video to write.  [overlay.mp4 of the run]")
    ] = None,
    colour_map: Annotated[
        str, typer.Option("--colours", metavar="NAME", help="inferno, magma, plasma, turbo or viridis.")
    ] = "inferno",
    level: Annotated[
        float | None,
        typer.Option(
            "--threshold", help="Anomaly in (0, 1) from which heat is shown and events begin.  [0.5, the run's]"
        ),
    ] = None,
    strength: Annotated[float, typer.Option("--strength", help="Opacity of full heat, 0 to 1.")] = 0.65,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Draw a run's overlay again, without scoring again.

    \b
      crowdad overlay video.mp4 runs/monday --colours turbo --threshold 0.7 -o warmer.mp4
    """
    from crowdad import workflows

    with Bars(quiet) as bars:
        path = workflows.overlay(
            footage, run, output=output, colour_map=colour_map, level=level, strength=strength, progress=bars
        )
    if not quiet:
        print(f"look at {path}")
    return 0
