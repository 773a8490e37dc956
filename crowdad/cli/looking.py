"""`crowdad info`, `demo` and `data get`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crowdad.cli.ending import guarded
from crowdad.cli.options import Data, Fps, MaxPixels, Quiet, Verbose, chosen_part
from crowdad.cli.terminal import Bars, describe_run, notice
from crowdad.errors import ConfigError
from crowdad.wording import without_login

if TYPE_CHECKING:
    from crowdad.scene import SceneModel
    from crowdad.sources import Source

__all__ = ["data_app", "demo", "describe_scene", "describe_source", "info"]

data_app = typer.Typer(no_args_is_help=True, help="Data sets for the benchmarks.", rich_markup_mode=None)


def info(
    path: Annotated[
        str, typer.Argument(help="A model file, a video or a folder of pictures, here or at an s3:// address.")
    ],
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.PNG", help="Draw a model: what is normal, where, and its threshold."),
    ] = None,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    verbose: Verbose = 0,
) -> int:
    """Say what is in a model or in footage.

    \b
      crowdad info gate3.safetensors
      crowdad info gate3.safetensors --picture gate3.png
      crowdad info video.mp4
    """
    shown = without_login(path)
    if path.endswith(".safetensors"):
        from crowdad.scene import SceneModel
        from crowdad.sources import at_hand

        scene = SceneModel.load(at_hand(path))
        print(f"{shown}: scene model\n{describe_scene(scene, settings=verbose > 0)}")
        if picture is not None:
            from crowdad import workflows

            print(f"  look at {workflows.portray(scene, picture, name=Path(path).name)}")
    elif picture is not None:
        raise ConfigError(f"{path}: --picture draws models (.safetensors), not footage; leave it out")
    else:
        with Bars() as bars:
            source = chosen_part(None, None, 1, fps, max_pixels).open(path, bars)
        print(f"{shown}: footage\n{describe_source(source)}")
    return 0


def describe_scene(scene: SceneModel, settings: bool = False) -> str:
    """What a model knows, a few lines."""
    from crowdad.workflows.sizing import certainty_of

    scale, learned, calibration = scene.scale, scene.provenance, scene.calibration
    sources = learned.get("sources", [])
    height, width = scale.size_hw
    middle_x = (width - 1) / 2
    top, bottom = (float(scale.person_px(middle_x, row)) for row in scale.rows)
    rate = scene.settings.calibration.false_alarms_per_hour
    lines = [
        f"learned      {learned['how']}, from {learned.get('frames', '?')} frames, "
        f"{learned.get('tubes', '?')} moving patches",
        f"footage      {', '.join(sources[:5])}{' ...' if len(sources) > 5 else ''}",
        f"picture      {width}x{height}, {scale.fps:g} frames a second",
        f"people       {top:.0f} px tall at row {scale.rows[0]:.0f}, {bottom:.0f} px at row {scale.rows[1]:.0f}"
        + (f", from {scale.figures} figures" if scale.figures else "")
        + f": {certainty_of(scale)}",
        f"walking      {scale.walk * scale.fps:.2f} person heights a second; flow over {scale.gap} frames",
        f"clusters     {len(scene.centres)} of unit codes in {scene.centres.shape[1]} dimensions",
        f"calibration  {calibration.how}, {calibration.hours * 60:.1f} minutes; threshold "
        f"{calibration.threshold(rate):.4g} raw for {rate:g} false {'alarm' if rate == 1 else 'alarms'} an hour",
    ]
    if note := calibration.promise(rate):
        lines.append(f"note         {note}")
    if settings:
        lines.append(f"settings     {scene.settings.model_dump_json()}")
    return "\n".join(f"  {line}" for line in lines)


def describe_source(source: Source) -> str:
    """What is known of footage before it is read, a few lines."""
    from crowdad.outputs.clock import clock_text

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
        lines.append(f"recorded at  {known.recorded_at}")
    lines += [f"note         {note}" for note in source.report.notes]
    return "\n".join(f"  {line}" for line in lines)


def demo(
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder for the clip and its run.")] = Path("demo"),
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> int:
    """Try it: draw a crowd with known anomalies, detect them, and say how well it went."""
    from crowdad.demo import run_demo

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
    from crowdad.datasets.download import get as download

    folder = download(name, data, progress=not quiet)
    if not quiet:
        print(f"{name} is in {folder}")
    return 0


data_app.command("get")(guarded(get))


@data_app.callback()
def _data() -> None:
    """Data sets for the benchmarks."""
