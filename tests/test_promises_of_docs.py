"""docs/inputs.md, watching.md, security.md, privacy.md: every row of a table of promises names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
FROM = {  # page: where its tables of promises begin; before it are tables that only describe
    "inputs.md": "## Footage",
    "watching.md": "## What becomes of it when",
    "security.md": "## The live page",
    "privacy.md": "## Who may read it",
}
PROMISED = sorted({found for text in TEXTS.values() for found in re.findall(r"`([\w/]+\.py)::(\w+)`", text)})


@pytest.mark.parametrize(("file", "name"), PROMISED)
def test_a_promise_names_a_test_that_is_there(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", FROM)
def test_every_row_of_a_table_of_promises_names_one(page: str) -> None:
    promises = TEXTS[page].partition(FROM[page])[2]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert len(rows) > 15
    assert [row for row in rows if "::test_" not in row] == []


@pytest.mark.parametrize("page", TEXTS)
def test_tests_that_a_page_speaks_of_are_there(page: str) -> None:
    for pattern in re.findall(r"`tests/([\w/.*]+)`", TEXTS[page]):
        assert list((ROOT / "tests").glob(pattern.rstrip("/"))), pattern
