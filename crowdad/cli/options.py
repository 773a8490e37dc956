"""Options that several verbs share, with their help."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdad.cli.ending import tell_failure
from crowdad.cli.grouped_help import ADVANCED, ALARM_LEVEL, INPUT, OUTPUT, SPEED
from crowdad.errors import ConfigError

if TYPE_CHECKING:
    from crowdad.config import Settings
    from crowdad.sources import Spec
    from crowdad.workflows.footage import Part

__all__ = [
    "Config",
    "Data",
    "Device",
    "End",
    "FalseAlarms",
    "Footage",
    "Fps",
    "Kinds",
    "MaxPixels",
    "NotKinds",
    "Overrides",
    "Overwrite",
    "Patches",
    "PersonHeight",
    "Quiet",
    "Resume",
    "Roi",
    "Runtime",
    "Seed",
    "SensitivityChoice",
    "Start",
    "Stride",
    "Verbose",
    "chosen_part",
    "chosen_settings",
    "found_footage",
    "given",
    "named",
    "output_option",
    "seconds",
]

_LONGEST_SECRET = 4096


class Sensitivities(StrEnum):
    """What --sensitivity takes."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def seconds(text: str | None) -> float | None:
    """Seconds of "90", "1:30" or "1:02:03.5"; raises typer.BadParameter."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)?|(\d+:)?\d+:[0-5]?\d(\.\d+)?", text):
        raise typer.BadParameter(f"{text!r} is no time; write seconds (90) or HH:MM:SS (0:01:30)")
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def named(text: str) -> str:
    """The name as given; raises typer.BadParameter for an empty one, which would be the working folder."""
    if not text:
        raise typer.BadParameter("the name is empty; is a variable of your script not set?")
    return text


def output_option(help_text: str) -> Any:
    """`--output` that names a file or a folder of this machine."""
    return typer.Option(
        "--output", "-o", metavar="PATH", parser=lambda text: Path(named(text)), help=help_text, rich_help_panel=OUTPUT
    )


def given(text: str | None) -> str | None:
    """The text itself, or what the file of "@FILE" holds: secrets in a command show in the list of processes.

    Raises ConfigError if the file cannot be read, is empty or holds more than one line.
    """
    if text is None or not text.startswith("@"):
        return text
    path = Path(text[1:])
    try:
        with path.open(encoding="utf-8") as file:
            held = file.read(_LONGEST_SECRET).strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"{text}: the file cannot be read ({reason}); @FILE stands for what a file holds") from None
    if not held or "\n" in held:
        raise ConfigError(f"{text}: the file must hold one line")
    return held


Footage = Annotated[
    list[str],
    typer.Argument(metavar="FOOTAGE", help="Videos, folders of pictures, or globs, also s3://.", show_default=False),
]
Start = Annotated[
    str | None, typer.Option("--start", help="Read from here on: seconds or HH:MM:SS.", rich_help_panel=INPUT)
]
End = Annotated[str | None, typer.Option("--end", help="Read up to here: seconds or HH:MM:SS.", rich_help_panel=INPUT)]
Stride = Annotated[int, typer.Option("--stride", help="Keep every n-th frame.", rich_help_panel=INPUT)]
Fps = Annotated[
    float | None,
    typer.Option(
        "--fps",
        help="Frames a second of folders of pictures and raw streams; videos carry their own. [10 for folders]",
        rich_help_panel=INPUT,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=256,
        help="Refuse footage whose pictures have more.  [25 million: 20 megapixel cameras pass, 8K does not]",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings from a TOML file.", rich_help_panel=ADVANCED)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="One setting; may be given again.", rich_help_panel=ADVANCED
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed of every random choice while fitting.", rich_help_panel=ADVANCED)
]
Patches = Annotated[
    str | None,
    typer.Option(
        "--patches",
        help="tubes follow their subject, grid patches stay put, pixels follow it and see looks, not motion.  [tubes]",
        metavar="tubes|grid|pixels",
        rich_help_panel=ADVANCED,
    ),
]
PersonHeight = Annotated[
    str | None,
    typer.Option(
        "--person-height",
        metavar="PX|PX@ROW,..|FILE",
        help="People's height in pixels, head to feet: 95 everywhere, 95@110,100@230 at rows of their middle, or the "
        "people.json that a report page saved.  [measured]",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to compute.", rich_help_panel=SPEED)
]
Runtime = Annotated[
    str,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="What computes the scores: {runtimes}; auto: torch on a GPU, ONNX Runtime on a CPU.",
        rich_help_panel=SPEED,
    ),
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(
        "--false-alarms-per-hour",
        help="False alarms an hour to expect on normal footage; sets the threshold.  [1]",
        rich_help_panel=ALARM_LEVEL,
    ),
]
SensitivityChoice = Annotated[
    Sensitivities | None,
    typer.Option(
        "--sensitivity",
        help="How readily to tell: about 0.2, 1 or 5 false alarms an hour; of a short clip, how clearly a moment "
        "stands out.  [normal]",
        rich_help_panel=ALARM_LEVEL,
    ),
]
Kinds = Annotated[
    str | None,
    typer.Option(
        "--kinds",
        metavar="KIND,KIND",
        help='Tell only events of these kinds, such as "fast,against the stream".  [all]',
        rich_help_panel=ALARM_LEVEL,
    ),
]
NotKinds = Annotated[
    str | None,
    typer.Option(
        "--not-kinds", metavar="KIND,KIND", help="Tell no events of these kinds.", rich_help_panel=ALARM_LEVEL
    ),
]
Roi = Annotated[
    Path | None,
    typer.Option("--roi", metavar="MASK.PNG", help="Score only where this picture is white.", rich_help_panel=INPUT),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier run left there.", rich_help_panel=OUTPUT)
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on where the same command was interrupted; what is whole is left as it is.",
        rich_help_panel=OUTPUT,
    ),
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv shows tracebacks.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=OUTPUT)]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder with the data sets.  [$CROWDAD_DATA, else the user's cache folder]",
        rich_help_panel=INPUT,
    ),
]


def chosen_settings(
    config: Path | None,
    overrides: list[str] | None,
    seed: int | None,
    patches: str | None,
    base: Settings | None = None,
    kinds: str | None = None,
    not_kinds: str | None = None,
) -> Settings:
    """Settings from a file and the options that set one, the options winning.  Raises ConfigError."""
    import json

    from crowdad.config import load_settings

    items = list(overrides or ())
    if seed is not None:
        items.append(f"seed={seed}")
    if patches is not None:
        items.append(f"tubes.kind={patches}")
    for name, listed in (("kinds", kinds), ("not_kinds", not_kinds)):
        if listed is not None:
            named = [kind.strip() for kind in listed.split(",") if kind.strip()]
            if not named:
                raise ConfigError(f"--{name.replace('_', '-')} names no kind of event; name some, or leave it out")
            items.append(f"events.{name}={json.dumps(named)}")
    settings = load_settings(config, items, base)
    if items or config is not None:
        from crowdad.scene.kinds import check_kinds

        check_kinds(settings)
    return settings


def chosen_part(start: str | None, end: str | None, stride: int, fps: float | None, max_pixels: int | None) -> Part:
    """What of the footage is read.  Raises typer.BadParameter for what is no time."""
    from crowdad.sources import MAX_PIXELS
    from crowdad.workflows.footage import Part

    return Part(seconds(start), seconds(end), stride, fps, MAX_PIXELS if max_pixels is None else max_pixels)


def found_footage(footage: list[str], verbose: int = 0) -> tuple[list[Spec], int]:
    """The pieces of footage that can be found, and the exit code: of failure where one could not, which was told."""
    from crowdad import workflows

    found: dict[Spec, None] = {}
    code = 0
    for given in footage:
        try:
            found.update(dict.fromkeys(workflows.expand_specs(given)))
        except Exception as error:
            code = max(code, tell_failure(error, given, verbose))
    return list(found), code
