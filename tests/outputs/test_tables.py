from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crowdad.errors import OutputError, OutputNotReadableError
from crowdad.outputs.tables import FRAME_COLUMNS, FramesCsv, FrameTable, read_frames_csv
from crowdad.records import FrameResult, Heatmap

HEADER = "frame,time_s,normality,anomaly,flagged,warm_up,n_tubes"


def result(index: int, anomaly: float) -> FrameResult:
    heatmap = Heatmap(np.full((2, 2), anomaly, dtype=np.float32), 8, (16, 16))
    return FrameResult(index, index / 30, 0.25, anomaly, anomaly >= 0.5, index < 1, 3 * index, heatmap)


def test_rows_are_there_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    with FramesCsv(path) as table:
        table.write(result(0, 0.125))
        assert path.read_text() == f"{HEADER}\n0,0.000000,0.250000,0.125000,0,1,0\n"
        table.write(result(1, 0.75))
        assert path.read_text().endswith("\n1,0.033333,0.250000,0.750000,1,0,3\n")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with FramesCsv(tmp_path / "f.csv") as table:
        for index in range(5):
            table.write(result(index, index / 5))
    found = read_frames_csv(tmp_path / "f.csv")
    assert len(found) == 5
    assert found.frame.tolist() == [0, 1, 2, 3, 4]
    assert found.time_s == pytest.approx(np.arange(5) / 30, abs=1e-6)
    assert found.anomaly == pytest.approx(np.arange(5) / 5)
    assert found.flagged.tolist() == [False, False, False, True, True]
    assert found.warm_up.tolist() == [True, False, False, False, False]
    assert found.n_tubes.tolist() == [0, 3, 6, 9, 12]
    assert found.flagged.dtype == bool
    assert found.frame.dtype == np.int64


def test_a_row_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "frames.csv.part"
    path.write_text(f"{HEADER}\n0,0.0,1.0,0.1,0,1,0\n1,0.04,1.0,0.")
    assert read_frames_csv(path).frame.tolist() == [0]


def test_a_table_without_rows_is_empty(tmp_path: Path) -> None:
    FramesCsv(tmp_path / "f.csv").close()
    assert len(read_frames_csv(tmp_path / "f.csv")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        f"{HEADER}\n0,zero,1,1,1,1,1\n",
        f"{HEADER}\n0,1\n",
        f"{HEADER}\n\udcff".encode("utf-16", "replace"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "frames.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(OutputNotReadableError, match=r"frames\.csv: .*crowdad.detect") as error:
        read_frames_csv(path)
    assert "\n" not in str(error.value)


def test_a_table_for_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {name: np.zeros(3) for name in FRAME_COLUMNS}
    table = FrameTable(**columns)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert list(table.to_pandas().items()) == list(columns.items())
    monkeypatch.setitem(sys.modules, "pandas", None)  # as where it is not installed
    with pytest.raises(OutputError, match="pip install pandas"):
        table.to_pandas()


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputNotReadableError, match=r"crowdad\.detect"):
        read_frames_csv(tmp_path / "frames.csv")
