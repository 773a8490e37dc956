"""The ablation benchmark around its measurement: rows that go on where they were left, and the table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ablations
from crowdad.evaluation.ablations import ABLATIONS, AblationOutcome
from crowdad.evaluation.protocols import Metric

MICRO = {"default": 0.98, "no votes": 0.91}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows that were measured."""
    names: list[str] = []

    def measure(_root: Any, *, rows: Sequence[str], seeds: Sequence[int], **_: Any) -> Iterator[AblationOutcome]:
        for name in rows:
            names.append(name)
            value = MICRO.get(name, 0.95)
            micro = Metric("frame AUC, micro", "all", tuple(value + 0.01 * seed for seed in seeds), 0.9, 0.99)
            yield AblationOutcome(name, (micro,), (50.0,) * len(seeds))

    monkeypatch.setattr(ablations, "ablations", measure)
    return names


def test_rows_go_on_where_they_were_left(asked: list[str], tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "results" / "rows.json")]
    assert ablations.main(["--only", "votes", *output]) == 0
    assert asked == ["votes at the end only", "no votes"]
    assert ablations.main(output) == 0
    assert sorted(asked) == sorted(ABLATIONS)
    rows = json.loads(Path(output[1]).read_text())["rows"]
    assert [row["name"] for row in rows] == list(ABLATIONS), "in the table's order, whatever came first"
    assert rows[1]["overrides"] == ["tubes.kind=grid"]
    assert rows[0]["seeds"] == [0, 1, 2]
    assert {"commit", "machine", "settings"} <= set(rows[0])
    assert ablations.main(output) == 0
    assert len(asked) == len(ABLATIONS), "all were there"
    assert ablations.main([*output, "--only", "default", "--set", "encoder.epochs=1"]) == 0
    assert ablations.main([*output, "--only", "default", "--seeds", "1"]) == 0
    assert asked[-2:] == ["default", "default"], "other settings, other seeds: other measurements"


def test_the_table_shows_what_each_exchange_costs(asked: list[str], tmp_path: Path) -> None:
    output = tmp_path / "rows.json"
    ablations.main(["--seeds", "1", "--output", str(output)])
    text = ablations.table(json.loads(output.read_text())["rows"])
    line = next(line for line in text.splitlines() if line.startswith("| no votes"))
    assert "| 1 | 0.910 [0.900, 0.990] | – | – | – | – | – | -0.070 | 50 |" in line
    assert next(line for line in text.splitlines() if line.startswith("| default")).endswith("| – | 50 |")
    assert len({line.count("|") for line in text.splitlines()}) == 1
    assert "No rows yet" in ablations.table([])


def test_what_is_no_file_of_rows_is_one_line(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.json").write_text("[]")
    assert ablations.main(["--output", str(tmp_path / "rows.json")]) == 1
    assert "not a file of rows" in capsys.readouterr().err
    assert not asked
