"""`crowdad benchmark` and `crowdad data get` for every data set of footage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from crowdad.cli import main
from crowdad.evaluation import ablations as evaluation_ablations
from crowdad.evaluation import video as evaluation
from crowdad.evaluation.ablations import ABLATIONS, AblationOutcome
from crowdad.evaluation.datasets.catalogue import CLIP_DATASETS
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.datasets.variants import VARIANTS
from crowdad.evaluation.protocols import KindMetric, Metric
from tests.evaluation.datasets.layouts import avenue, ped1, ped1_videos, shanghaitech
from tests.striped_digits import striped_digits


def run(*arguments: object) -> int:
    """The exit code of `crowdad ARGUMENTS`."""
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return leaving.value.code if isinstance(leaving.value.code, int) else int(leaving.value.code is not None)


def test_every_data_set_and_variant_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("benchmark", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"The data set: {', '.join([*CLIP_DATASETS, 'mnist', 'usps'])}." in shown
    assert f"; {', '.join(VARIANTS)}." in shown


@pytest.mark.parametrize(
    ("arguments", "told", "known"),
    [(["ped3"], "ped3", ["ped2", "usps"]), (["ped2", "--variant", "blue"], "blue", ["native", "drift"])],
)
def test_what_there_is_is_told_where_another_is_asked_for(
    arguments: list[str], told: str, known: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("benchmark", *arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert all(f"'{name}'" in said for name in [told, *known])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the command asks the evaluation for, protocol and arguments; nothing is fitted."""
    calls: list[tuple[str, dict[str, object]]] = []

    def outcome(protocol: str, dataset: Dataset, **arguments: object) -> evaluation.Outcome:
        calls.append((protocol, {"dataset": dataset.name, "folder": dataset.folder, **arguments}))
        metrics = (Metric("EER", "micro", (0.25, 0.75)),)
        kinds = (KindMetric("cart", 40, 2, (0.75, 0.25), (2, 1)),)
        return evaluation.Outcome(protocol, metrics, (1.0, 3.0), (50.0, 70.0), 25.0, kinds=kinds)

    monkeypatch.setattr(evaluation, "benchmark_video", outcome)
    return calls


@pytest.mark.parametrize(
    ("name", "draw", "looks"),
    [("ped1", ped1, 40), ("ped1", ped1_videos, 40), ("avenue", avenue, 0), ("shanghaitech", shanghaitech, 0)],
)
def test_each_is_measured_under_its_name(
    name: str,
    draw: object,
    looks: int,
    tmp_path: Path,
    asked: list[tuple[str, dict[str, object]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(draw)
    draw(tmp_path)
    written = tmp_path / "out" / "result.json"
    assert run("benchmark", name, "--data", tmp_path, "--seeds", 2, "--json", written, "--set", "encoder.epochs=3") == 0
    ((protocol, arguments),) = asked
    assert protocol == "one-class"
    assert (arguments["dataset"], arguments["seeds"]) == (name, range(2))
    assert tmp_path in Path(str(arguments["folder"])).parents
    assert arguments["variant"] == "native"
    shown = capsys.readouterr().out
    for text in (
        f"{name}, native, seeds 0 to 1",
        f"looks at test labels of {name}",
        "0.5000",
        "fit 2 s, 60 frames",
        "1.5 of 2",
    ):
        assert text in shown
    content = json.loads(written.read_text())
    assert (content["benchmark"], content["assumed_fps"], content["looks_at_test_labels"]) == (name, 25.0, looks)
    assert content["settings"]["encoder"]["epochs"] == 3
    (cart,) = content["outcomes"]["one-class"]["kinds"]["rows"]
    assert cart == {"kind": "cart", "frames": 40, "intervals": 2, "auc": [0.75, 0.25], "told": [2, 1]}


@pytest.mark.parametrize(
    ("options", "protocols"),
    [
        ([], ["one-class"]),
        (["--unsupervised"], ["unsupervised"]),
        (["--alone", "--unsupervised"], ["unsupervised", "alone"]),
        (["--all"], ["one-class", "unsupervised", "alone"]),
    ],
)
def test_protocols(
    options: list[str], protocols: list[str], tmp_path: Path, asked: list[tuple[str, dict[str, object]]]
) -> None:
    avenue(tmp_path)
    assert run("benchmark", "avenue", "--data", tmp_path, "--variant", "20fps", *options) == 0
    assert [protocol for protocol, _ in asked] == protocols
    assert {str(arguments["variant"]) for _, arguments in asked} == {"20fps"}


def test_ablations_are_shown_and_written_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = AblationOutcome(next(iter(ABLATIONS)), (Metric("frame AUC, micro", "all frames", (0.75,)),), (60.0,))
    monkeypatch.setattr(evaluation_ablations, "ablations", lambda *_, **__: iter([row]))
    written = tmp_path / "ablations.json"
    assert run("benchmark", "ped2", "--data", tmp_path, "--ablations", "--seeds", 1, "--json", written) == 0
    assert "0.750" in capsys.readouterr().out
    assert len(json.loads(written.read_text())["rows"]) == 1
    assert run("benchmark", "avenue", "--data", tmp_path, "--ablations") == 2
    assert "ped2 only" in capsys.readouterr().err


TINY_DIGITS = ("clustering.conv_epochs=1", "clustering.restarts=1", "anomaly.epochs=1", "anomaly.digits=[4]")


def test_digits_show_their_progress_and_a_mean_over_seeds_and_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("crowdad.evaluation.datasets.digits.load_digits", lambda *_: striped_digits())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    written = tmp_path / "usps.json"
    sets = [part for setting in TINY_DIGITS for part in ("--set", setting)]
    assert run("benchmark", "usps", "--data", tmp_path, "--seeds", 2, "--json", written, *sets) == 0
    said = capsys.readouterr()
    methods = ("cae", "cae-l2", "cae-clusters", "cae-reconstruction", "cae-l2-clusters", "cae-l2-reconstruction")
    for method in methods:
        assert f"  {method}," in said.out, "no mean over the seeds"
    assert "epoch/s" in said.err
    assert "usps cae-l2 seed 1 digit 4 at 0%, loss" in said.err
    content = json.loads(written.read_text())
    assert [row["seed"] for row in content["rows"]] == [0] * 6 + [1] * 6
    assert {row["method"] for row in content["rows"]} == set(methods)
    assert content["settings"]["anomaly"]["epochs"] == 1
    assert content["commit"]
    assert run("benchmark", "usps", "--data", tmp_path, "--seeds", 1, "--quiet", *sets) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["--unsupervised", "--alone", "--all", "--ablations", "--variant=warp"])
def test_digits_have_no_footage(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("benchmark", "mnist", "--data", tmp_path, option) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mnist holds digits" in line


def test_looks_at_test_labels_are_as_many_as_the_text_counts() -> None:
    text = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    section = text.partition("### How often test labels were looked at")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (.+) \| (?:\*\*)?(\d+)(?:\*\*)? \|$", section, re.MULTILINE)
    counts = [int(count) for _, count in rows]
    of_ped1 = sum(int(count) for what, count in rows[:-1] if "Ped1" in what)
    assert counts[-1] == sum(counts[:-1]), "the last row adds the others up"
    assert {"ped1": of_ped1, "ped2": counts[-1] - of_ped1} == evaluation.LOOKS_AT_TEST_LABELS


@pytest.mark.parametrize("name", ["avenue", "shanghaitech", "ped1"])
def test_a_missing_data_set_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("benchmark", name, "--data", tmp_path) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert f"crowdad data get {'ucsd' if name == 'ped1' else name}" in said.err
    assert said.out == "", "nothing is announced that is not measured"


@pytest.mark.parametrize("name", ["avenue", "shanghaitech"])
def test_what_has_to_be_fetched_by_hand(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "get", name, "--data", tmp_path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    for expected in ("http", str(tmp_path), f"crowdad data get {name} --data", "unpack"):
        assert expected in line
    {"avenue": avenue, "shanghaitech": shanghaitech}[name](tmp_path)
    assert run("data", "get", name, "--data", tmp_path) == 0
    assert f"{name} is in {tmp_path}" in capsys.readouterr().out


def test_a_damaged_one_is_not_said_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shanghaitech(tmp_path)
    np.save(folder / "testing" / "test_frame_mask" / "01_0014.npy", np.zeros(3))
    assert run("data", "get", "shanghaitech", "--data", tmp_path) == 1
    assert "01_0014.npy: " in capsys.readouterr().err
