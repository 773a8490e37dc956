"""docs/security.md: every bound that is promised names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))


def test_every_promise_names_a_test_that_is_there() -> None:
    assert len(PROMISED) > 30
    places = {file: ROOT / "tests" / file for file, _ in PROMISED}
    sources = {file: path.read_text(encoding="utf-8") if path.is_file() else "" for file, path in places.items()}
    assert [f"{file}::{name}" for file, name in PROMISED if f"def {name}(" not in sources[file]] == []


def test_every_row_of_a_table_of_bounds_names_one() -> None:
    bounds = TEXT.partition("## The live page")[2]
    rows = [line for line in bounds.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []
