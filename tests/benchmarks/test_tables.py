"""Tables between markers, from rows made up here."""

from __future__ import annotations

import json

import pytest

from benchmarks import tables
from benchmarks.digits.tables import DIGIT_TABLES


def accuracy_row(method: str, seed: int, accuracy: float, loss: float, table: str = "clustering") -> dict:
    return {
        "table": table,
        "dataset": "mnist",
        "method": method,
        "seed": seed,
        "accuracy": accuracy,
        "nmi": 0.9,
        "loss": loss,
        "epochs": 200,
        "seconds": 10.0,
    }


ROWS = [
    accuracy_row("cae-l2", 1, 0.95, 0.02),
    accuracy_row("cae-l2", 0, 0.93, 0.01),
    accuracy_row("cae", 0, 0.80, 0.01),
    accuracy_row("cae-l2-augmented", 0, 0.98, 0.01, table="beyond"),
    {
        "table": "anomaly",
        "dataset": "mnist",
        "method": "cae-l2-clusters",
        "seed": 0,
        "contamination": 0.01,
        "auc": {"4": 0.75, "9": 0.5},
        "auc_mean": 0.625,
        "epochs": 60,
    },
    *(
        {
            "table": "duad",
            "dataset": "usps",
            "method": method,
            "seed": 0,
            "contamination": 0.1,
            "auc": {"0": auc},
            "auc_mean": auc,
            "epochs": 100,
            "purity": {"0": [0.95, 0.99]},
        }
        for method, auc in (("duad", 0.9), ("ae-reconstruction", 0.8))
    ),
]


def test_a_line_shows_the_paper_every_seed_and_the_label_free_choice():
    line = next(line for line in DIGIT_TABLES["digits-clustering"](ROWS).splitlines() if "| cae-l2 |" in line)
    assert line == "| mnist | cae-l2 | 95.11 | 94.00 ± 1.41 | 93.0, 95.0 | 93.00 | 90.00 ± 0.00 | 200 | 10 |"


def test_one_seed_is_called_one_seed():
    assert "| 80.00 (one seed) |" in DIGIT_TABLES["digits-clustering"](ROWS)


def test_anomaly_lines_leave_missing_digits_empty():
    text = DIGIT_TABLES["digits-anomaly"](ROWS)
    assert "| mnist | 1 % | cae-l2-clusters |  |  |  |  | 0.750 |" in text
    assert "| 0.500 | 0.6250 (one seed) | 0.9075 | 1 | 60 |" in text


def test_duad_lines_show_the_methods_side_by_side_and_the_purity():
    text = DIGIT_TABLES["digits-duad"](ROWS)
    assert "| usps | 10 % | 0.8000 (one seed) | 0.9000 (one seed) |  |  | 90 → 95.0 → 99.0 | 1 |" in text


@pytest.mark.parametrize("name", sorted(DIGIT_TABLES))
def test_every_table_says_when_there_is_nothing_and_is_square_when_there_is(name):
    assert "No rows yet" in DIGIT_TABLES[name]([])
    lines = [line for line in DIGIT_TABLES[name](ROWS).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) <= 1


def test_only_what_stands_between_markers_is_written(tmp_path):
    (tmp_path / "digits.json").write_text(json.dumps({"rows": ROWS}))
    page = "before\n<!-- table:digits-headline -->\nold\n<!-- /table:digits-headline -->\nafter\n"
    filled = tables.fill(page, tmp_path)
    assert filled.startswith("before\n<!-- table:digits-headline -->\n| what |")
    assert filled.endswith("<!-- /table:digits-headline -->\nafter\n")
    assert "old" not in filled
    assert tables.fill(filled, tmp_path) == filled


def test_a_marker_without_a_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'nothing'"):
        tables.fill("<!-- table:nothing -->\n<!-- /table:nothing -->", tmp_path)


def test_check_changes_nothing_and_says_what_is_stale(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("<!-- table:digits-clustering -->\nnot from the results\n<!-- /table:digits-clustering -->\n")
    before = page.read_text()
    assert tables.main(["--check"], [page]) == 1
    assert page.read_text() == before
    assert "README.md" in capsys.readouterr().err
    assert tables.main([], [page, tmp_path / "absent.md"]) == 0
    assert tables.main(["--check"], [page]) == 0


def test_the_repositorys_pages_are_up_to_date():
    assert tables.main(["--check"]) == 0
