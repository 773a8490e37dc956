"""`crowdad benchmark`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdad.cli.choices import check_choice
from crowdad.cli.grouped_help import INPUT, OUTPUT
from crowdad.cli.options import Config, Data, Device, Overrides, Quiet, Verbose
from crowdad.cli.terminal import Bars
from crowdad.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crowdad.evaluation.video import Outcome

__all__ = ["benchmark"]

_NATIVE = "native"


def benchmark(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The data set: {datasets}.")],
    data: Data = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Number of fits, with seeds 0, 1, ...")] = 3,
    unsupervised: Annotated[
        bool,
        typer.Option("--unsupervised", help="Learn from the unlabelled test clips in place of the training clips."),
    ] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Fit each test clip on itself alone (slow).")] = False,
    everything: Annotated[bool, typer.Option("--all", help="One-class, unsupervised and alone.")] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Ped2 one-class with one part exchanged at a time (many fits).")
    ] = False,
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            metavar="NAME",
            help="Change the footage: size, frame rate, perspective or picture; {variants}.",
            rich_help_panel=INPUT,
        ),
    ] = _NATIVE,
    config: Config = None,
    overrides: Overrides = None,
    device: Device = "auto",
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the numbers and all that belongs to them.", rich_help_panel=OUTPUT),
    ] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Measure on public data sets, under named protocols.

    \b
      crowdad benchmark ped2 --data DIR                     one-class: fitted on the normal clips
      crowdad benchmark ped2 --data DIR --unsupervised      fitted on the unlabelled test clips
      crowdad benchmark ped2 --data DIR --variant warp      through a steep perspective
      crowdad benchmark ped2 --data DIR --ablations         what each part of the detector is worth
      crowdad benchmark shanghaitech --data DIR             thirteen cameras, a scene for each
      crowdad benchmark usps --data DIR                     digits: clusters and anomalies
    """
    from crowdad.evaluation.datasets.digits import DIGIT_SETS

    check_choice("datasets", name, "NAME")
    check_choice("variants", variant, "--variant")
    if name in DIGIT_SETS:
        if unsupervised or alone or everything or ablations or variant != _NATIVE:
            raise ConfigError(
                f"{name} holds digits; --unsupervised, --alone, --all, --ablations and --variant are of footage, "
                "leave them out"
            )
        return _digits(name, data, range(seeds), config, overrides, device, json_path, quiet)
    if ablations:
        return _ablations(name, data, range(seeds), config, overrides, device, json_path, quiet)
    protocols = [protocol for protocol, asked in (("unsupervised", unsupervised), ("alone", alone)) if asked]
    if everything:
        protocols = ["one-class", "unsupervised", "alone"]
    return _footage(
        name,
        data,
        protocols or ["one-class"],
        range(seeds),
        config=config,
        overrides=overrides,
        variant=variant,
        device=device,
        json_path=json_path,
        quiet=quiet,
    )


def _footage(
    name: str,
    data: Path | None,
    protocols: Sequence[str],
    seeds: range,
    *,
    config: Path | None,
    overrides: list[str] | None,
    variant: str,
    device: str,
    json_path: Path | None,
    quiet: bool,
) -> int:
    from crowdad.config import load_settings
    from crowdad.evaluation import video as evaluation
    from crowdad.evaluation.datasets.catalogue import find_dataset
    from crowdad.scene.kinds import check_kinds

    settings = load_settings(config, overrides or ())
    check_kinds(settings)
    dataset = find_dataset(name, data)
    print(f"{name}, {variant}, seeds {seeds[0]} to {seeds[-1]}")
    print(f"  test-informed settings, by Ped2's test labels: {', '.join(evaluation.TEST_INFORMED)}")
    looks = evaluation.LOOKS_AT_TEST_LABELS.get(name, 0)
    print(f"  looks at test labels of {name} while choosing settings: {looks}", flush=True)
    outcomes: list[Outcome] = []
    for protocol in protocols:
        with Bars(quiet, f"{protocol}: ") as bars:
            outcome = evaluation.benchmark_video(
                protocol,
                dataset,
                seeds=seeds,
                settings=settings,
                variant=variant,
                device=device,
                progress=bars,
            )
        outcomes.append(replace(outcome, runs=()))  # maps of a large data set take gigabytes
        _show(outcome)
        if json_path is not None:
            # After each protocol: an interrupted run keeps what it has measured.
            command = ["crowdad", *sys.argv[1:]]
            content = evaluation.report(
                outcomes, name=name, seeds=seeds, settings=settings, variant=variant, command=command
            )
            _write_json(json_path, content)
    return 0


def _ablations(
    name: str,
    data: Path | None,
    seeds: range,
    config: Path | None,
    overrides: list[str] | None,
    device: str,
    json_path: Path | None,
    quiet: bool,
) -> int:
    from crowdad.config import load_settings
    from crowdad.evaluation.ablations import ablation_table, ablations

    if name != "ped2":
        raise ConfigError(f"--ablations of {name}; they are measured on ped2 only")
    settings = load_settings(config, overrides or ())
    rows = []
    with Bars(quiet, "ablations: ") as bars:
        for row in ablations(data, seeds=seeds, settings=settings, device=device, progress=bars):
            rows.append(row)
            if json_path is not None:
                _write_rows(json_path, "ped2 ablations", settings, [row.as_dict() for row in rows])
    print(ablation_table(rows))
    return 0


def _show(outcome: Outcome) -> None:
    from crowdad.evaluation.protocols import kind_table, metric_table
    from crowdad.evaluation.video import PROTOCOLS

    print(f"{outcome.protocol}: {PROTOCOLS[outcome.protocol]}")
    print(metric_table(outcome.metrics))
    if outcome.kinds:
        print(kind_table(outcome.kinds))
    if outcome.refused:
        print(f"  nothing could be learned from {', '.join(outcome.refused)}: counted as normal throughout")
    fit_s, fps = (sum(values) / len(values) for values in (outcome.fit_s, outcome.fps))
    print(f"  fit {fit_s:.0f} s, {fps:.0f} frames a second scored, decoding included", flush=True)


def _write_rows(path: Path, measured: str, settings: BaseModel, rows: list[dict[str, Any]]) -> None:
    """What was measured row by row, with settings, command, commit, machine and versions."""
    from crowdad.evaluation.protocols import provenance

    known = provenance(["crowdad", *sys.argv[1:]])
    _write_json(path, {"benchmark": measured, "settings": settings.model_dump(mode="json"), **known, "rows": rows})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    from crowdad.files import written_whole

    with written_whole(path, advice="give another --json") as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _digits(
    name: str,
    data: Path | None,
    seeds: range,
    config: Path | None,
    overrides: list[str] | None,
    device: str,
    json_path: Path | None,
    quiet: bool,
) -> int:
    with Bars(quiet) as bars:
        from crowdad.evaluation.datasets.digits import load_digits
        from crowdad.evaluation.datasets.root import data_root
        from crowdad.evaluation.digits.experiments import DigitRow, digit_metrics, headline_rows
        from crowdad.evaluation.digits.settings import load_digit_settings
        from crowdad.evaluation.protocols import metric_table
        from crowdad.workflows.footage import check_device
        from crowdad.workflows.progress import Stage

        settings = load_digit_settings(config, [f"dataset={name}", *(overrides or ())])
        digits = load_digits(name, data_root(data))
        bars.close()
        passes = f"{settings.clustering.conv_epochs} passes, {settings.anomaly.epochs} for each digit as the anomaly"
        print(f"{name}, seeds {seeds[0]} to {seeds[-1]}, {passes}", flush=True)
        rows: list[DigitRow] = []

        def keep(row: DigitRow) -> None:
            rows.append(row)
            bars.close()
            value = f"accuracy {row.accuracy:.4f}" if row.accuracy is not None else f"mean AUC {row.auc_mean:.4f}"
            print(f"  {row.table:<12}{row.method:<28}seed {row.seed}  {value}  {row.seconds:.0f} s", flush=True)
            if json_path is not None:
                # After each row: an interrupted run keeps what it has measured.
                _write_rows(json_path, name, settings, [row.as_json() for row in rows])

        def show(what: str, epoch: int, epochs: int, loss: float) -> None:
            bars(Stage(f"{what}, loss {loss:.5f}", epoch, epochs, "epoch"))

        headline_rows(digits, settings, seeds=seeds, device=check_device(device), on_row=keep, progress=show)
    print(metric_table(digit_metrics(rows)))
    return 0
