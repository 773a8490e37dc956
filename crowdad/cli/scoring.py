"""`crowdad fit` and `overlay`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from crowdad.cli.grouped_help import ALARM_LEVEL, INPUT, OUTPUT
from crowdad.cli.options import (
    Config,
    Device,
    End,
    Footage,
    Fps,
    MaxPixels,
    Overrides,
    Overwrite,
    Patches,
    PersonHeight,
    Quiet,
    Seed,
    Start,
    Stride,
    Verbose,
    chosen_part,
    chosen_settings,
    output_option,
)
from crowdad.cli.terminal import Bars, notice
from crowdad.errors import CrowdadError

__all__ = ["fit", "overlay"]


def fit(
    footage: Footage,
    output: Annotated[Path, output_option("Model file to write.")],
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled", help="The footage may hold anomalies: leave out what is rare.", rich_help_panel=INPUT
        ),
    ] = False,
    also_normal: Annotated[
        list[Path] | None,
        typer.Option(
            "--also-normal",
            metavar="TICKS.JSON",
            help="False alarms saved by a report page: learn them as normal.  May be given again.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    no_picture: Annotated[
        bool,
        typer.Option(
            "--no-picture", help="Leave out the picture of what was learned, beside the model.", rich_help_panel=OUTPUT
        ),
    ] = False,
    no_pictures: Annotated[
        bool,
        typer.Option(
            "--no-pictures",
            help="Keep no pictures of people or of the view in the model, and draw none; a camera that is moved is "
            "then not noticed.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    start: Start = None,
    end: End = None,
    stride: Stride = 1,
    fps: Fps = None,
    person_height: PersonHeight = None,
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
      crowdad fit night.mp4 --person-height 95@110,100@230 -o gate3.safetensors   few people, whose size is known

    Five minutes in which people walk are enough for most kinds of events; an hour, to promise one false alarm an hour.
    Of more than an hour, samples are taken.
    """
    refused: list[CrowdadError] = []

    def refuse(error: CrowdadError) -> None:
        refused.append(error)
        notice(str(error))

    with Bars(quiet) as bars:
        from crowdad import workflows

        settings = chosen_settings(config, overrides, seed, patches)
        scene = workflows.fit(
            footage,
            unlabelled=unlabelled,
            also_normal=also_normal or (),
            person_height=person_height,
            settings=settings,
            output=output,
            overwrite=overwrite,
            picture=not (no_picture or no_pictures),
            pictures=not no_pictures,
            **asdict(chosen_part(start, end, stride, fps, max_pixels)),
            device=device,
            progress=bars,
            on_bad_input=refuse,
        )
    if not quiet:
        from crowdad.scene.kinds import kinds_off
        from crowdad.wording import some_of
        from crowdad.workflows.people_size import doubts_of, people_of

        learned = scene.provenance
        print(f"{output}: learned from {learned['tubes']} moving patches in {learned['frames']} frames")
        print(f"  people  {people_of(scene.scale).text}")
        for doubt in doubts_of(scene.scale):
            notice(doubt)
        if verbose:
            from crowdad.cli.looking import describe_scene

            print(describe_scene(scene))
        else:
            if off := kinds_off(scene.streams):
                print(f"  not for {some_of(off)}: the footage was too short or too empty for these kinds of events")
            if note := scene.calibration.promise(scene.settings.calibration.false_alarms_per_hour):
                print(f"  note    {note}")
        if not (no_picture or no_pictures):
            from crowdad.workflows.model_picture import picture_beside

            print(f"  look at {picture_beside(output)}")
        print(f"  next: crowdad detect FOOTAGE --model {output}")
    return 1 if refused else 0


def overlay(
    footage: Annotated[str, typer.Argument(help="The footage that the run was made from.")],
    run: Annotated[Path, typer.Argument(help="Folder of that run.")],
    output: Annotated[
        Path | None,
        output_option("Video to write.  [overlay.mp4 of the run]"),
    ] = None,
    colour_map: Annotated[
        str,
        typer.Option(
            "--colours", metavar="NAME", help="inferno, magma, plasma, turbo or viridis.", rich_help_panel=OUTPUT
        ),
    ] = "inferno",
    level: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="Anomaly in (0, 1) from which heat is shown and events begin.  [0.5, the run's]",
            rich_help_panel=ALARM_LEVEL,
        ),
    ] = None,
    strength: Annotated[
        float, typer.Option("--strength", min=0, max=1, help="Opacity of full heat.", rich_help_panel=OUTPUT)
    ] = 0.65,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Draw a run's overlay again, without scoring again.

    \b
      crowdad overlay video.mp4 runs/monday --colours turbo --threshold 0.7 -o warmer.mp4
    """
    with Bars(quiet) as bars:
        from crowdad import workflows

        path = workflows.overlay(
            footage, run, output=output, colour_map=colour_map, level=level, strength=strength, progress=bars
        )
    if not quiet:
        print(f"look at {path}")
    return 0
