"""What is told is so: sections of pictures, dates, streams, commands and ends that were told wrongly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import crowdad
from crowdad.errors import UnreadableSourceError
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.report.saying import clock_note, learn_line, summary_of
from crowdad.outputs.results import RunResults
from crowdad.scene.calibration import Calibration
from crowdad.sources import LiveFrame, expand, open_source, read_mask
from crowdad.workflows import WatchOptions
from crowdad.workflows.watching import warm_up as warming_up
from crowdad.workflows.watching.warm_up import WarmUp
from tests.hostile.conftest import Program
from tests.hostile.footage import plain
from tests.outputs.report.made_up import SHORT
from tests.tiny_scene import walkers


def in_16_bits(folder: Path, pictures: Any, bits: int, suffix: str = ".png") -> Path:
    """Pictures whose brightness fills the lower `bits` of 16."""
    folder.mkdir()
    for number, picture in enumerate(pictures):
        deep = (picture.astype(np.float64) * (2**bits - 1) / 255).round().astype(np.uint16)
        cv2.imwrite(str(folder / f"{number:03d}{suffix}"), deep)
    return folder


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_twelve_bits_in_sixteen_keep_their_levels(bits: int, suffix: str, tmp_path: Path) -> None:
    pictures = walkers(6)
    source = open_source(in_16_bits(tmp_path / "deep", pictures, bits, suffix))
    frames = list(source.frames(color=True))
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(frame.luma.astype(int) - picture).max() <= 1
        assert frame.bgr is not None
        assert np.abs(frame.bgr[..., 1].astype(int) - picture).max() <= 1
    assert f"pictures of 16 bits that make use of {bits}: brightness is taken from those" in source.report.notes


def test_all_sixteen_bits_are_read_as_they_were(tmp_path: Path) -> None:
    pictures = walkers(3)
    pictures[0, 0, 0] = 255
    source = open_source(in_16_bits(tmp_path / "deep", pictures, 16))
    assert not any("make use of" in note for note in source.report.notes)
    for frame, picture in zip(source.frames(), pictures, strict=True):
        assert np.array_equal(frame.luma, picture)


HALF = np.zeros((96, 128), np.uint8)
HALF[:48] = 255
WHITE, BLACK = np.full((96, 128), 255, np.uint8), np.zeros((96, 128), np.uint8)
MASKS = {
    "white, opaque where it counts": [WHITE, WHITE, WHITE, HALF],
    "black, opaque where it counts": [BLACK, BLACK, BLACK, HALF],
    "white where it counts, opaque": [HALF, HALF, HALF, WHITE],
    "white where it counts, the rest transparent": [HALF, HALF, HALF, HALF],
}


@pytest.mark.parametrize("what", MASKS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_mask_is_where_it_is_white_and_opaque(what: str, deep: bool, tmp_path: Path) -> None:
    picture = np.dstack(MASKS[what])
    cv2.imwrite(str(tmp_path / "mask.png"), picture.astype(np.uint16) * 257 if deep else picture)
    assert np.array_equal(read_mask(tmp_path / "mask.png", (96, 128)), HALF > 0)


def test_a_mask_of_12_bits_is_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), HALF.astype(np.uint16) * 16)
    assert np.array_equal(read_mask(tmp_path / "mask.png", (96, 128)), HALF > 0)


def test_an_aspect_ratio_that_only_the_container_knows_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "wide.mov"), "w") as container:
        stream = container.add_stream("qtrle", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "rgb24"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for picture in walkers(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="rgb24")))
        container.mux(stream.encode())
    notes = open_source(tmp_path / "wide.mov").report.notes
    assert [note for note in notes if "not square (4:3)" in note]


def test_a_cover_picture_is_no_video_stream(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "cover.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        cover = container.add_stream("mjpeg", rate=1)
        for stream in (video, cover):
            stream.width, stream.height = 128, 96
        video.pix_fmt, cover.pix_fmt = "yuv420p", "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for picture in walkers(8):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        container.mux(video.encode())
        container.mux(cover.encode(av.VideoFrame.from_ndarray(WHITE, format="gray").reformat(format="yuvj420p")))
        container.mux(cover.encode())
    source = open_source(tmp_path / "cover.mp4")
    assert not any("video stream of" in note for note in source.report.notes)
    assert len(list(source.frames())) == 8


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Path:
    """The folder of a run over a clip."""
    clip = plain(tmp_path / "clip.mp4", 12, metadata={"creation_time": "2024-05-17T08:30:00Z"})
    crowdad.detect(clip, model=tiny_model, output=tmp_path / "run", overlay=False, report=False)
    return tmp_path / "run"


def test_a_runs_folder_is_told_as_a_run_and_is_no_footage(run: Path, crowdad_program: Program) -> None:
    shown = crowdad_program("info", run).shown
    assert shown.startswith(f"{run.parent / 'clip.mp4'} (0:01.2): ")
    for read in (open_source, lambda path: expand([path])):
        with pytest.raises(UnreadableSourceError, match="folder of a run"):
            read(run)
    (run / "001.png").write_bytes((run / "timeline.png").read_bytes())
    assert expand([run]) == [run], "pictures beside a run are footage"


def test_a_containers_date_is_not_told_as_that_of_the_recording(run: Path, crowdad_program: Program) -> None:
    shown = crowdad_program("info", run.parent / "clip.mp4").shown
    assert "recorded at" not in shown
    assert "file date    2024-05-17T08:30:00" in shown
    results = crowdad.read_results(run / "results.json")
    assert "file date 2024-05-17 08:30:00" in summary_of(results)
    assert "By the file's date" in clock_note(results)
    known = {**results.settings, "run": {"recorded_at": "2024-05-17T08:30:00"}}
    given = results.model_copy(update={"settings": known})
    assert "recorded 2024-05-17 08:30:00" in summary_of(given)
    assert clock_note(given) == ""


def of_model(fitted: str) -> RunResults:
    results = SHORT.results()
    return results.model_copy(update={"model": results.model.model_copy(update={"fitted": fitted})})


def test_the_command_that_learns_ticks_is_whole() -> None:
    assert learn_line(of_model("one-class")) == (
        "crowdad fit FOOTAGE --also-normal false-alarms.json -o new-gate3.safetensors"
    )
    assert learn_line(of_model("self-fitted")) == (
        "crowdad fit FOOTAGE --unlabelled --also-normal false-alarms.json -o camera.safetensors"
    ), "footage with anomalies inside is not all normal"
    assert "--unlabelled" in learn_line(of_model("unlabelled"))


@pytest.mark.parametrize("hours", [1 / 599, 1 / 600.1, 0.1, 0.3, 0.77, 1.0, 13.0])
def test_a_rate_that_is_advised_is_promised(hours: float) -> None:
    calibration = Calibration(0.1, 50.0, 0.0, 0.05, hours, "exponential tail")
    assert calibration.promise(math.ceil(1 / hours)) == ""


class _Slow:
    """A fit that takes longer than the camera lasts."""

    def __init__(self, *_: object) -> None:
        import threading

        self.done, self.error, self.scene = threading.Event(), None, None

    def stop(self) -> None:
        pass


@pytest.mark.parametrize(("count", "learning"), [(30, True), (5, False)])
def test_a_watch_that_ends_while_learning_says_so(
    count: int, learning: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming_up, "_Fit", _Slow)

    def camera() -> Iterator[LiveFrame]:
        for number, picture in enumerate(walkers(count)):
            yield LiveFrame(number, number / 10, picture, None, captured_s=number / 10)

    def nobody(*_: object) -> None:
        pass

    with RunFolder(tmp_path / "watch") as folder:
        warm_up = WarmUp(folder, "cam", WatchOptions(warm_up_s=1.0), count=nobody, progress=nobody, notice=nobody)
        assert warm_up.scene(camera(), lambda: 10.0) is None
    assert warm_up.learning == learning
