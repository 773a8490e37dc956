"""`crowdad watch`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from crowdad.cli.ending import INTERRUPTED
from crowdad.cli.grouped_help import ALARM_LEVEL, ALERTS, INPUT, LIVE_PAGE, SPEED
from crowdad.cli.options import (
    Config,
    Device,
    FalseAlarms,
    Fps,
    Kinds,
    MaxPixels,
    NotKinds,
    Overrides,
    Patches,
    PersonHeight,
    Quiet,
    Roi,
    Runtime,
    Seed,
    SensitivityChoice,
    Verbose,
    chosen_part,
    chosen_settings,
    given,
    output_option,
    seconds,
)
from crowdad.cli.terminal import notice
from crowdad.errors import ConfigError, line_of
from crowdad.wording import address_shown, one_line

if TYPE_CHECKING:
    from crowdad.detection.live import EventChange
    from crowdad.outputs.watch_status import WatchStatus

__all__ = ["watch"]


def duration(text: str) -> float:
    """Seconds of "90", "90s", "5m", "1h30m" or "1:30:00"; raises typer.BadParameter."""
    units = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if text and units:
        hours, minutes, rest = (float(part or 0) for part in units.groups())
        return 3600 * hours + 60 * minutes + rest
    return seconds(text) or 0.0


def _lag(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit():
        raise typer.BadParameter(f"{text!r} is no lag; write a number of frames, or auto for one tube")
    return int(text)


def watch(
    camera: Annotated[
        str,
        typer.Argument(
            metavar="CAMERA",
            help="rtsp://, http(s)://, tcp:// or udp://, the number of a webcam, or a file with --realtime; "
            "@FILE, here and for --webhook, --mqtt, --alert and --page-token: what the file holds.",
            envvar="CROWDAD_CAMERA",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", "-m", help="Model made by crowdad fit.  [learn from the first minutes]", rich_help_panel=INPUT
        ),
    ] = None,
    warm_up: Annotated[
        str,
        typer.Option(
            "--warm-up",
            metavar="TIME",
            help="Length of the footage to learn from first, without a model.",
            rich_help_panel=INPUT,
        ),
    ] = "5m",
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="What the camera is called.  [scheme and host of its address]", rich_help_panel=INPUT
        ),
    ] = None,
    output: Annotated[
        Path | None,
        output_option("Folder of the watch; an existing watch is continued."),
    ] = None,
    lag: Annotated[
        str,
        typer.Option(
            "--lag",
            metavar="FRAMES|auto",
            help="Delay of results in frames; auto: one tube; 0: none.",
            rich_help_panel=SPEED,
        ),
    ] = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", help="Raw anomaly that reads 0.5; higher = fewer events.", rich_help_panel=ALARM_LEVEL
        ),
    ] = None,
    false_alarms_per_hour: FalseAlarms = None,
    sensitivity: SensitivityChoice = None,
    kinds: Kinds = None,
    not_kinds: NotKinds = None,
    roi: Roi = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook", metavar="URL", help="POST each alert there.", envvar="CROWDAD_WEBHOOK", rich_help_panel=ALERTS
        ),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            "--mqtt",
            metavar="HOST",
            help="Broker: HOST[:PORT] or mqtts://user:password@HOST.",
            envvar="CROWDAD_MQTT",
            rich_help_panel=ALERTS,
        ),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option("--topic", help="Publish under it: TOPIC/events, /status, /available.", rich_help_panel=ALERTS),
    ] = None,
    alerts: Annotated[
        list[str] | None,
        typer.Option(
            "--alert",
            metavar="SINK=ADDRESS",
            help="Another sink, one of {sinks}; may be given again.",
            rich_help_panel=ALERTS,
        ),
    ] = None,
    save_clips: Annotated[
        bool,
        typer.Option("--save-clips", help="Keep the seconds around each event as mp4.", rich_help_panel=ALERTS),
    ] = False,
    keep_gb: Annotated[
        float,
        typer.Option("--keep-gb", help="The oldest clips go where all take more.", rich_help_panel=ALERTS),
    ] = 5.0,
    page: Annotated[
        str | None,
        typer.Option(
            "--page",
            metavar="PORT|HOST:PORT",
            help="Serve a live page there; a port alone: for browsers on this machine only.",
            rich_help_panel=LIVE_PAGE,
        ),
    ] = None,
    page_token: Annotated[
        str | None,
        typer.Option(
            "--page-token",
            help="What a browser must know to see the page.  [made up where others can reach it]",
            envvar="CROWDAD_PAGE_TOKEN",
            rich_help_panel=LIVE_PAGE,
        ),
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Play a file at its own pace.", rich_help_panel=INPUT)
    ] = False,
    limit: Annotated[
        str | None,
        typer.Option(
            "--duration", metavar="TIME", help="End after so long, such as 10m.  [never]", rich_help_panel=INPUT
        ),
    ] = None,
    fps: Fps = None,
    max_pixels: MaxPixels = None,
    config: Config = None,
    overrides: Overrides = None,
    seed: Seed = None,
    patches: Patches = None,
    person_height: PersonHeight = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Watch a camera and tell what is unusual while it happens.

    \b
      crowdad watch rtsp://user:password@host/stream                 learns from the first 5 minutes
      crowdad watch rtsp://host/stream -m gate3.safetensors -o gate3
      crowdad watch rtsp://host/stream -m gate3.safetensors --webhook https://host/path --save-clips
      crowdad watch 0 --mqtt broker --topic crowdad/desk             a webcam
      crowdad watch rtsp://host/stream -m gate3.safetensors --page 8080
      crowdad watch video.mp4 --realtime --duration 10m

    Arguments show in the list of processes: give logins as @FILE, or in the environment.

    Ends with Ctrl+C.  Events are in events.jsonl of the folder (docs/watching.md), how it stands in status.json.
    """
    from crowdad import workflows
    from crowdad.tubes.scale import GivenHeights
    from crowdad.workflows.detect_options import DetectOptions, load_scene

    camera, page_token = given(camera) or camera, given(page_token)
    base = None if model is None else load_scene(model).settings
    asked = any(option is not None for option in (config, overrides, seed, patches, kinds, not_kinds))
    options = workflows.WatchOptions(
        scoring=DetectOptions(
            model=model,
            settings=chosen_settings(
                config, overrides, seed if model is None else None, patches, base, kinds, not_kinds
            )
            if asked
            else None,
            person_height=GivenHeights.of(person_height),
            threshold=threshold,
            false_alarms_per_hour=false_alarms_per_hour,
            sensitivity=None if sensitivity is None else sensitivity.value,
            roi=roi,
            part=chosen_part(None, None, 1, fps, max_pixels),
            device=device,
            runtime=runtime,
        ),
        warm_up_s=duration(warm_up),
        lag=_lag(lag),
        alerts=workflows.AlertOptions(given(webhook), given(mqtt), topic, save_clips, keep_gb, _sinks(alerts or ())),
        duration_s=None if limit is None else duration(limit),
        realtime=realtime,
        name=name,
    )
    called = name or (address_shown(camera) if "://" in camera else Path(camera).name)
    with _LiveLine(quiet) as line, _page(page, page_token, called, line, quiet) as hooks:
        try:
            status = workflows.watch(camera, options, output=output, notice=notice, **hooks)
        except KeyboardInterrupt:
            line.close()
            notice("interrupted; all events up to now are in events.jsonl")
            return INTERRUPTED
    if not quiet:
        print(_summary(status))
    return 0


def _sinks(asked: Sequence[str]) -> dict[str, str]:
    """Kind of sink -> address, of each SINK=ADDRESS.  Raises ConfigError."""
    sinks: dict[str, str] = {}
    for text in asked:
        name, equals, address = text.partition("=")
        if not equals or name in sinks:
            raise ConfigError("--alert takes SINK=ADDRESS, each sink once")
        sinks[name] = given(address) or ""
    return sinks


@contextmanager
def _page(address: str | None, token: str | None, name: str, line: _LiveLine, quiet: bool) -> Iterator[dict[str, Any]]:
    """What the watch tells of its frames, events and status: the line in the terminal, and a page if there is one."""
    if address is None:
        if token is not None:
            raise ConfigError("--page-token was given without --page; give --page PORT or HOST:PORT, too")
        yield {"on_change": line.change, "on_status": line.status}
        return
    from crowdad.page import LivePage

    with LivePage(address, name=name, token=token) as page:
        if not quiet or page.token_made_up:  # which is told nowhere else
            told = page.url if token is None else f"{page.url.partition('?')[0]}?token=..."
            print(f"live page: {told}", flush=True)

        update = _costing_only_itself(page.board.update)
        show_change = _costing_only_itself(page.board.change)
        show_status = _costing_only_itself(page.board.status)

        def change(told: EventChange) -> None:
            line.change(told)
            show_change(told)

        def status(told: WatchStatus) -> None:
            line.status(told)
            show_status(told)

        yield {"on_update": update, "on_change": change, "on_status": status}


def _costing_only_itself(show: Callable[[Any], None]) -> Callable[[Any], None]:
    """A failure of the page is told once and does not end the watch."""
    told: list[str] = []

    def shown(news: Any) -> None:
        try:
            show(news)
        except Exception as error:
            if not told:
                told.append(line_of(error, "the live page does not show everything"))
                notice(told[0])

    return shown


class _LiveLine:
    """One line on the error stream that says how the watch stands, and a line for each event on the output."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        shown = not quiet and sys.stderr.isatty()
        self._bar = tqdm(bar_format="{desc}", leave=False, dynamic_ncols=True) if shown else None

    def status(self, status: WatchStatus) -> None:
        """Show how things stand."""
        if self._bar is not None:
            self._bar.set_description_str(one_line(_state_of(status)))

    def change(self, change: EventChange) -> None:
        """Print what became of an event."""
        if self._quiet or change.type == "update":
            return
        from crowdad.wording import clock_text

        box = ", ".join(f"{side:.0f}" for side in change.box_xyxy)
        line = f"{clock_text(change.time_s)}  event {change.key} {change.type}  anomaly {change.peak_anomaly:.2f}"
        if change.merged_into is not None:
            line += f", is part of {change.merged_into}"
        else:
            line += f", {change.kind}: {change.sentence}" if change.sentence else ""
            line += "" if change.end_s is None else f", lasted {change.end_s - change.start_s:.1f} s"
        tqdm.write(f"{line}, box {box}", file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> _LiveLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _state_of(status: WatchStatus) -> str:
    parts = [status.camera]
    if status.state != "online":
        parts.append(f"{status.state} {status.reason}".rstrip())
    share = "" if status.phase_share is None else f" {status.phase_share:.0%}"
    if status.phase != "scoring":
        parts.append(f"{status.phase}{share}")
    if status.scored:
        parts.append(f"{status.fps:.1f} fps, latency {status.latency_s:.2f} s, anomaly {status.anomaly:.2f}")
    parts.append(f"dropped {status.dropped}, events {status.events}")
    return " | ".join(parts)


def _summary(status: WatchStatus) -> str:
    """How a watch went, a few lines."""
    events = "nothing unusual" if not status.events else f"{status.events} event{'s' * (status.events != 1)}"
    lines = [f"{status.camera}: {events} in {status.scored} scored frames ({status.ended})"]
    if status.scored:
        delays = status.frame_delays
        lines.append(
            f"  latency {delays.median_s:.2f} s, 95 % below {delays.p95_s:.2f} s, longest {delays.max_s:.2f} s"
        )
    if status.events:
        delays = status.event_delays
        lines.append(f"  events announced {delays.median_s:.2f} s after they began, latest {delays.max_s:.2f} s")
    why = ", ".join(f"{reason}: {count}" for reason, count in status.skipped.items())
    skipped = f"{sum(status.skipped.values())} skipped ({why})" if why else "none skipped"
    lines.append(f"  {status.frames_total} frames came, {skipped}, {status.reconnects} reconnects")
    return "\n".join(map(one_line, lines))
