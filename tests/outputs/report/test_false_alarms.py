from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crowdad.errors import OutputNotReadableError
from crowdad.outputs.report.false_alarms import read_false_alarms

WHOLE: dict[str, Any] = {
    "format": "crowdad-false-alarms",
    "version": 1,
    "source": {"name": "clip.mp4", "sha256": None, "stride": 1, "fps": None},
    "spans": [{"event": 2, "start_s": 5.0, "end_s": 8.0, "boxes": [[5.0, 1, 2, 30, 40], [6.0, 4, 2, 34, 40]]}],
}


def test_what_the_page_saves_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ticks.json"
    path.write_text(json.dumps(WHOLE))
    (span,) = read_false_alarms(path).spans
    assert (span.start_s, span.end_s) == (5.0, 8.0)
    assert span.boxes[1] == (6.0, 4, 2, 34, 40)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "json"),
        ("[]", "file"),
        (json.dumps({**WHOLE, "version": 2}), "version"),
        (json.dumps({**WHOLE, "spans": []}), "spans"),
        (json.dumps({**WHOLE, "spans": [{**WHOLE["spans"][0], "boxes": []}]}), "boxes"),
        (json.dumps({**WHOLE, "format": "results"}), "format"),
    ],
)
def test_anything_else_is_refused_in_one_line(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ticks.json"
    path.write_text(content)
    with pytest.raises(OutputNotReadableError, match="report page") as refused:
        read_false_alarms(path)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputNotReadableError, match="No such file"):
        read_false_alarms(tmp_path / "none.json")
