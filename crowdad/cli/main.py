"""`crowdad`: the program itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from crowdad.cli.benchmarking import benchmark
from crowdad.cli.detecting import detect
from crowdad.cli.ending import guarded
from crowdad.cli.exporting import export
from crowdad.cli.grouped_help import GroupedCommand
from crowdad.cli.looking import data_app, demo, info
from crowdad.cli.scoring import fit, overlay
from crowdad.cli.streams import lasting_streams
from crowdad.cli.watching import watch

__all__ = ["app", "main"]

_HELP = """Find where and when something unusual happens in footage of a crowd.  Learns from the footage itself: no
labels, no pretrained detector.

\b
  crowdad detect video.mp4                              learn from the video itself, then score it
  crowdad fit normal/*.mp4 -o gate3.safetensors         learn one camera from normal footage
  crowdad detect monday.mp4 --model gate3.safetensors   score with what was learned
  crowdad watch rtsp://host/stream                      tell what is unusual while it happens
  crowdad demo                                          try it on a generated crowd

Each run has a folder (runs/<name>) with report.html, overlay.mp4, timeline.png, frames.csv and results.json.

Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted."""

app = typer.Typer(
    name="crowdad",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (detect, fit, watch, overlay, export, info, demo):
    app.command(cls=GroupedCommand)(guarded(verb))
app.command(cls=GroupedCommand)(guarded(benchmark, private=False))
app.add_typer(data_app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        from crowdad._version import __version__

        print(f"crowdad {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with `arguments` (default: those of the process) and leave with its exit code."""
    with lasting_streams():
        app(args=None if arguments is None else list(arguments), prog_name="crowdad")
