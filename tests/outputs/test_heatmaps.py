from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdad.errors import OutputNotReadableError
from crowdad.outputs.heatmaps import HeatmapReader, HeatmapWriter
from crowdad.records import Heatmap


def maps(count: int, shape: tuple[int, int] = (5, 7), cell_px: float = 8.0, seed: int = 0) -> list[Heatmap]:
    cells = np.random.default_rng(seed).random((count, *shape), dtype=np.float32)
    size_hw = (int(shape[0] * cell_px) - 1, int(shape[1] * cell_px) - 3)
    return [Heatmap(anomaly, cell_px, size_hw) for anomaly in cells]


def write(path: Path, heatmaps: list[Heatmap], first: int = 0) -> Path:
    with HeatmapWriter(path) as writer:
        for index, heatmap in enumerate(heatmaps, first):
            writer.write(index, heatmap)
    return path


def test_maps_come_back_frame_by_frame(tmp_path: Path) -> None:
    drawn = maps(600)
    with HeatmapReader(write(tmp_path / "h.npz", drawn, first=40)) as reader:
        assert len(reader) == 600
        read = list(reader)
    assert [index for index, _ in read] == list(range(40, 640))
    for (_, found), expected in zip(read, drawn, strict=True):
        assert found.anomaly == pytest.approx(expected.anomaly, abs=0.5 / 255 + 1e-6)
        assert (found.cell_px, found.size_hw) == (expected.cell_px, expected.size_hw)
        assert found.anomaly.dtype == np.float32


def test_plain_numpy_reads_the_file(tmp_path: Path) -> None:
    drawn = maps(300)
    with np.load(write(tmp_path / "h.npz", drawn), allow_pickle=False) as arrays:
        meta = json.loads(arrays["meta"].item())
        assert [chunk["n_frames"] for chunk in meta["chunks"]] == [256, 44]
        assert (meta["n_frames"], meta["chunks"][1]["first_frame"]) == (300, 256)
        assert meta["chunks"][0]["cell_px"] == 8.0
        assert arrays["anomaly_00000"].shape == (256, 5, 7)
        assert arrays["anomaly_00000"].dtype == np.uint8
        assert np.array_equal(arrays["anomaly_00001"][3], np.rint(drawn[259].anomaly * 255))


def test_a_new_size_starts_a_new_chunk(tmp_path: Path) -> None:
    drawn = maps(3) + maps(2, shape=(4, 4)) + maps(2, shape=(4, 4), cell_px=16)
    with HeatmapReader(write(tmp_path / "h.npz", drawn)) as reader:
        assert [(h.anomaly.shape, h.cell_px, h.size_hw) for _, h in reader] == [
            (h.anomaly.shape, h.cell_px, h.size_hw) for h in drawn
        ]


def test_frames_may_be_left_out(tmp_path: Path) -> None:
    with HeatmapWriter(tmp_path / "h.npz") as writer:
        for index, heatmap in zip((2, 5, 6), maps(3), strict=True):
            writer.write(index, heatmap)
    with HeatmapReader(tmp_path / "h.npz") as reader:
        assert [index for index, _ in reader] == [2, 5, 6]


@given(st.floats(0, 1, width=32))
def test_a_cell_stays_on_its_side_of_the_threshold(value: float) -> None:
    quantised = np.rint(np.float32(value) * 255).astype(np.uint8).astype(np.float32) / np.float32(255)
    assert (quantised >= 0.5) == (np.float32(value) >= 0.5)


def test_the_same_maps_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, maps(20)).read_bytes() for name in ("a.npz", "b.npz"))
    assert first == second


def test_a_quiet_minute_is_small_and_a_busy_one_below_three_megabytes(tmp_path: Path) -> None:
    quiet = [Heatmap(np.zeros((30, 45), dtype=np.float32), 8, (240, 360))] * 1500
    assert write(tmp_path / "quiet.npz", quiet).stat().st_size < 50_000
    assert write(tmp_path / "noise.npz", maps(1500, shape=(30, 45))).stat().st_size < 3_000_000


def test_an_interrupted_run_leaves_readable_maps(tmp_path: Path) -> None:
    def interrupted() -> None:
        with HeatmapWriter(tmp_path / "h.npz.part") as writer:
            for index, heatmap in enumerate(maps(10)):
                writer.write(index, heatmap)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with HeatmapReader(tmp_path / "h.npz.part") as reader:
        assert len(list(reader)) == 10


def test_no_frames_at_all_is_an_empty_file(tmp_path: Path) -> None:
    with HeatmapReader(write(tmp_path / "h.npz", [])) as reader:
        assert (len(reader), list(reader)) == (0, [])


def test_other_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputNotReadableError, match="heatmaps=False"):
        HeatmapReader(tmp_path / "missing.npz")
    whole = write(tmp_path / "h.npz", maps(30)).read_bytes()
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    np.save(tmp_path / "array.npz.npy", np.zeros(3))
    for name, content in {"cut.npz": whole[:-60], "text.npz": b"not a zip", "empty.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("cut.npz", "text.npz", "empty.npz", "foreign.npz", "array.npz.npy"):
        with pytest.raises(OutputNotReadableError, match="not a whole"):
            HeatmapReader(tmp_path / name)


def test_a_damaged_chunk_is_one_clear_line(tmp_path: Path) -> None:
    path = write(tmp_path / "h.npz", maps(200, shape=(20, 20)))
    content = bytearray(path.read_bytes())
    content[2000:2050] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(OutputNotReadableError, match="not a whole"), HeatmapReader(path) as reader:
        list(reader)


def test_a_zip_that_asks_for_the_impossible_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "heatmaps.npz"
    with HeatmapWriter(path) as writer:
        writer.write(0, Heatmap(np.zeros((2, 3), np.float32), 8.0, (16, 24)))
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + 6] = 127  # the version of zip that is needed
    path.write_bytes(whole)
    with pytest.raises(OutputNotReadableError, match=r"heatmaps\.npz"):
        HeatmapReader(path)


def test_an_array_header_that_is_no_python_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "heatmaps.npz"
    with zipfile.ZipFile(path, "w") as file:
        header = b"{'descr': ('|u1', \n".ljust(118)
        file.writestr("meta.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(OutputNotReadableError, match=r"heatmaps\.npz"):
        HeatmapReader(path)
