"""The table of inputs in docs/inputs.md, row by row: a readable file gets a result, any other one clear line."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import crowdad
from crowdad.errors import CrowdadError
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.results import RunResults
from crowdad.outputs.tables import FrameTable, read_frames_csv
from tests.conftest import write_video
from tests.hostile import footage
from tests.hostile.conftest import Ended, Program
from tests.hostile.footage import COUNT, plain
from tests.tiny_scene import walkers

QUICK = ("--no-overlay", "--no-report", "-q")

REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "the file is empty (0 bytes); copy or record it again"),
    "text.mp4": (lambda path: path.write_text("no footage\n" * 50), "not a video file that can be read (550 bytes)"),
    "unfinished.mp4": (footage.without_index, "the mp4 has no index (moov)"),
    "sound.mp4": (footage.sound, "holds audio but no video; give a file with a video stream"),
    "raw.h264": (plain, "a raw stream carries no timestamps; say how many frames a second it has with"),
    "one.mp4": (lambda path: plain(path, 1), "1 frame, one window of this scene takes 6; use longer footage"),
    "two.mp4": (lambda path: plain(path, 2), "2 frames, one window of this scene takes 6"),
    "five.mp4": (lambda path: plain(path, 5), "5 frames, one window of this scene takes 6"),
    "huge.mkv": (footage.huge, "pictures of 7680x4320, more than 25000000 pixels are not read; scale the footage down"),
    "speck.mkv": (
        lambda path: write_video(path, walkers(9)[:, :12, :12], codec="ffv1", pix_fmt="gray"),
        "pictures of 12x12, at least 16x16 are needed",
    ),
    "list.m3u8": (lambda path: footage.playlist(path, path), "is a playlist, not footage"),
    "list.mp4": (lambda path: footage.concat_list(path, path), "is a playlist, not footage"),
    "pipe.mp4": (lambda path: os.mkfifo(path), "neither a file nor a folder but a device or pipe"),
    "link.mp4": (lambda path: path.symlink_to("nowhere.mp4"), "is a link to what does not exist"),
    "loop.mp4": (lambda path: path.symlink_to(path), "is a link to what does not exist"),
    "folder": (lambda path: path.mkdir(), "holds no video, no pictures and no folder of pictures"),
    "gone.mp4": (lambda path: None, "no such file or folder"),
}


def test_what_cannot_be_read_is_one_line_and_the_others_go_on(
    tiny_model: Path, tmp_path: Path, crowdad_program: Program
) -> None:
    for name, (make, _) in REFUSED.items():
        make(tmp_path / name)
    good = plain(tmp_path / "good.mp4")
    names = [*REFUSED, good.name]
    ended = crowdad_program(
        "detect", *(tmp_path / name for name in names), "-m", tiny_model, "-o", tmp_path / "runs", *QUICK
    )
    assert ended.code == 1
    assert len(ended.errors) == len(REFUSED)
    for name, (_, words) in REFUSED.items():
        (line,) = [line for line in ended.errors if f"{name}: " in line and words in line]
        assert line.startswith("crowdad: ")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["good"]
    assert len(read_frames_csv(tmp_path / "runs" / "good" / "frames.csv")) == COUNT


@pytest.mark.parametrize("name", REFUSED)
def test_the_library_refuses_with_the_same_line(name: str, tiny_model: Path, tmp_path: Path) -> None:
    make, words = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(CrowdadError) as refusal:
        crowdad.detect(tmp_path / name, model=tiny_model, output=tmp_path / "run")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "run").exists()


@dataclass(frozen=True)
class Run:
    """A run over one file of the table."""

    results: RunResults
    table: FrameTable
    folder: Path
    ended: Ended

    def heat(self) -> dict[int, Any]:
        with HeatmapReader(self.folder / "heatmaps.npz") as maps:
            return dict(maps)


Detect = Callable[..., Run]


@pytest.fixture
def detect(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> Detect:
    """Run the program over a path and check what holds for every run: all frames accounted for, no half files."""

    def run(path: Path, *options: object) -> Run:
        folder = tmp_path / f"run of {path.name}"
        ended = crowdad_program("detect", path, "-m", tiny_model, "-o", folder, *(options or QUICK))
        assert ended.code == 0, ended.errors
        results, table = crowdad.read_results(folder / "results.json"), read_frames_csv(folder / "frames.csv")
        counts = results.counts
        assert counts.frames_total == counts.scored + sum(counts.skipped.values())
        assert sum(skip.frames for skip in counts.skips) == sum(counts.skipped.values())
        assert (np.diff(table.time_s) > 0).all()
        assert (np.diff(table.frame) > 0).all()
        assert not list(folder.glob("*.part"))
        assert [f"crowdad: {path.name}: {warning}" for warning in results.warnings] == ended.errors
        return Run(results, table, folder, ended)

    return run


@pytest.fixture(scope="module")
def usual(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over `plain` footage without loss, which others are held against."""
    place = tmp_path_factory.mktemp("usual")
    clip = plain(place / "plain.mp4", **footage.LOSSLESS)
    crowdad.detect(clip, model=tiny_model, output=place / "run", overlay=False, report=False)
    return place / "run"


def test_a_recording_cut_short_is_scored_as_far_as_it_goes(detect: Detect, tmp_path: Path) -> None:
    run = detect(footage.cut(tmp_path / "cut.mp4", 0.6))
    assert run.results.counts.truncated
    assert 15 < len(run.table) < 55
    assert f"all {len(run.table)} frames there are were scored" in run.ended.errors[0]


def test_forty_flipped_bytes_cost_what_they_hit_and_no_time(detect: Detect, tmp_path: Path) -> None:
    run = detect(footage.damaged(tmp_path / "damaged.mp4"))
    counts = run.results.counts
    assert len(run.table) >= 30
    assert run.table.time_s == pytest.approx(run.table.frame / 10), "frames keep their times around a gap"
    missing = sorted(set(range(60)) - set(run.table.frame.tolist()))
    assert counts.skipped == {"could not be decoded": len(missing)}
    told = [
        round(skip.start_s * 10) + step
        for skip in counts.skips
        for step in range(skip.frames)
        if skip.start_s is not None
    ]
    assert told == missing
    assert counts.bad_packets or any("damaged" in warning for warning in run.results.warnings)


def test_nothing_but_damage_is_given_up_in_one_line(
    detect: Detect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plain(tmp_path / "half.mp4", 60, g="1", bf="0", container_options={"movflags": "faststart"})
    with av.open(str(path)) as container:
        start = [packet.pos for packet in container.demux(video=0) if packet.size][30]
    assert start is not None
    path.write_bytes(path.read_bytes()[:start] + b"\xff" * (path.stat().st_size - start))
    monkeypatch.setattr("crowdad.sources._reading.MAX_BAD_IN_ROW", 10)
    run = detect(path)
    assert len(run.table) == 30
    assert run.results.counts.truncated
    assert any("reading was given up at 4.1 s" in warning for warning in run.results.warnings)


def test_two_sizes_joined_are_not_mixed(detect: Detect, usual: Path, tmp_path: Path) -> None:
    run = detect(footage.joined(tmp_path / "joined.ts", walkers(COUNT), footage.rows_of_pictures(20, (48, 64))))
    counts = run.results.counts
    assert counts.skipped == {"picture of another size": 20}
    (skip,) = counts.skips
    assert (skip.start_s, skip.end_s, skip.frames) == (4.0, 5.9, 20)
    assert not run.table.anomaly[COUNT:].any()
    assert sorted(run.heat()) == list(range(COUNT))
    assert any("size changes from 128x96 to 64x48" in warning for warning in run.results.warnings)


def test_windows_start_anew_where_recordings_were_joined(detect: Detect, tmp_path: Path) -> None:
    run = detect(footage.joined(tmp_path / "twice.ts", walkers(COUNT), walkers(COUNT)))
    assert np.array_equal(run.table.anomaly[:COUNT], run.table.anomaly[COUNT:])
    assert np.array_equal(run.table.warm_up[:COUNT], run.table.warm_up[COUNT:])
    assert run.table.warm_up[COUNT]


@pytest.mark.parametrize("turned_deg", [90, 180, 270])
def test_turned_footage_is_scored_as_it_is_seen(turned_deg: int, detect: Detect, usual: Path, tmp_path: Path) -> None:
    run = detect(footage.rotated(tmp_path / "turned.mp4", turned_deg))
    assert run.results.source.size_hw == (96, 128)
    assert (run.folder / "frames.csv").read_bytes() == (usual / "frames.csv").read_bytes()
    assert (run.folder / "heatmaps.npz").read_bytes() == (usual / "heatmaps.npz").read_bytes()
    assert run.results.events == crowdad.read_results(usual / "results.json").events


def test_the_overlay_of_turned_footage_stands_upright(detect: Detect, tmp_path: Path) -> None:
    run = detect(footage.rotated(tmp_path / "turned.mp4", 90), "--no-report", "-q")
    with av.open(str(run.folder / "overlay.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.width == 128
        assert sum(1 for _ in video.decode(stream)) == COUNT


def test_times_come_from_the_timestamps(detect: Detect, tmp_path: Path) -> None:
    times_s = list(np.cumsum(np.tile([0.08, 0.12], COUNT // 2)) - 0.08)
    run = detect(plain(tmp_path / "variable.mp4", times_s=times_s))
    assert run.table.time_s == pytest.approx(times_s, abs=1e-4)


def test_a_raw_stream_with_its_rate_given(detect: Detect, tmp_path: Path) -> None:
    run = detect(plain(tmp_path / "raw.h264"), "--fps", "10", *QUICK)
    assert run.table.time_s == pytest.approx(np.arange(COUNT) / 10)


KINDS: dict[str, dict[str, Any]] = {
    "ten-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "grey.avi": {"codec": "ffv1", "pix_fmt": "gray"},
    "alpha.mkv": {"codec": "ffv1", "pix_fmt": "yuva420p"},
    "interlaced.ts": {"codec": "mpeg2video", "flags": "+ilme+ildct"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_pictures(name: str, detect: Detect, tmp_path: Path) -> None:
    run = detect(plain(tmp_path / name, **KINDS[name]))
    assert run.results.counts.scored == len(run.table) == COUNT
    assert run.table.n_tubes.any()


def test_odd_sizes_are_padded_in_the_overlay_only(detect: Detect, tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.mkv", walkers(COUNT)[:, :95, :127], codec="ffv1", pix_fmt="yuv444p")
    run = detect(path, "--no-report", "-q")
    assert run.results.source.size_hw == (95, 127)
    assert next(iter(run.heat().values())).size_hw == (95, 127)
    with av.open(str(run.folder / "overlay.mp4")) as video:
        assert video.streams.video[0].width == 128
        assert video.streams.video[0].height % 2 == 0


def test_one_window_is_enough(detect: Detect, tmp_path: Path) -> None:
    run = detect(plain(tmp_path / "six.mp4", 6))
    assert run.table.warm_up.tolist() == [True] * 5 + [False]


def test_larger_pictures_are_read_when_asked_for(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    path = footage.huge(tmp_path / "huge.mkv")
    ended = crowdad_program("detect", path, "-m", tiny_model, "--max-pixels", 40_000_000, "-o", tmp_path / "run")
    assert "shape" in ended.errors[0], "it was read, and only the model refuses it"
    assert crowdad_program("info", path).code == 1
    assert "7680x4320" in crowdad_program("info", path, "--max-pixels", 40_000_000).shown
    small = plain(tmp_path / "small.mp4")
    ended = crowdad_program("detect", small, "-m", tiny_model, "--max-pixels", 10_000, "-o", tmp_path / "run")
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "10000 pixels" in ended.errors[0]
    assert crowdad_program("detect", small, "-m", tiny_model, "--max-pixels", 1, "-o", tmp_path / "run").code == 2


def test_a_picture_that_grows_beyond_the_limit_on_the_way_is_not_decoded(detect: Detect, tmp_path: Path) -> None:
    path = footage.joined(tmp_path / "grows.ts", walkers(20), footage.rows_of_pictures(5, (192, 256)))
    run = detect(path, "--max-pixels", 20_000, *QUICK)
    assert len(run.table) == 20
    assert run.results.counts.bad_packets == 5


def test_a_folder_of_everything(detect: Detect, tmp_path: Path) -> None:
    run = detect(footage.mixed_folder(tmp_path / "pictures"))
    counts = run.results.counts
    assert counts.skipped == {"not a picture": 1, "picture cannot be read": 2, "picture of another size": 1}
    assert [(skip.name, skip.start_s) for skip in counts.skips] == [
        ("notes.txt", None),
        ("020.png", 1.9),
        ("021.png", 2.0),
        (None, 0.9),
    ]
    assert 19 not in run.table.frame
    assert run.table.time_s == pytest.approx(run.table.frame / 10)


NAMES = (
    "ünïcødé 広場.mp4",
    "with space.mp4",
    "quo'te\".mp4",
    "=cmd|'calc'!A0.mp4",
    "<script>alert(1)<.mp4",
    "new\nline.mp4",
    "red\x1b[31m.mp4",
    "$\\frac$ %s {}.mp4",
    b"bad\xff.mp4".decode("utf-8", "surrogateescape"),
    "-n.mp4",
)


def test_any_name_will_do(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program
) -> None:
    content = plain(tmp_path / "plain.mp4", 8).read_bytes()
    (tmp_path / "clips").mkdir()
    for name in NAMES:
        (tmp_path / "clips" / name).write_bytes(content)
    monkeypatch.chdir(tmp_path / "clips")
    model = ("-m", tiny_model, "--no-overlay", "--no-heatmaps", "--no-report")
    ended = crowdad_program("detect", *model, "-o", tmp_path / "runs", "--", *NAMES)
    assert (ended.code, ended.errors) == (0, [])
    assert len(list((tmp_path / "runs").iterdir())) == len(NAMES)
    assert "\x1b" not in ended.shown
    assert r"new\nline.mp4 (" in ended.shown
    found = {crowdad.read_results(run / "results.json").source.name for run in (tmp_path / "runs").iterdir()}
    assert found == {name.encode("utf-8", "backslashreplace").decode() for name in NAMES}


def test_a_missing_file_with_a_wild_name_is_one_line(tmp_path: Path, crowdad_program: Program) -> None:
    for name in ("gone\nline.mp4", "gone\x1b[31m.mp4", "nul\x00.mp4", "n" * 5000 + ".mp4", ""):
        ended = crowdad_program("detect", name)
        assert (ended.code, len(ended.errors)) == (1, 1), name
        assert ended.errors[0].isprintable()
        assert "a bug" not in ended.errors[0]
