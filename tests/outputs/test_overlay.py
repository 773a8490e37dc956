from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import ConfigError, OutputNotReadableError, TooShortError
from crowdad.outputs.h264 import H264Writer
from crowdad.outputs.heat import COLOUR_MAPS, HeatPaint
from crowdad.outputs.overlay import OverlaySettings, write_overlay
from crowdad.outputs.scorebar import bar_height
from crowdad.outputs.tables import FrameTable
from crowdad.records import Event, Frame, Heatmap

FPS = 25.0
Picture = npt.NDArray[np.uint8]


def grey_frames(times_s: npt.NDArray[np.float64], size_hw: tuple[int, int], colour: bool = False) -> Iterator[Frame]:
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    for index, time_s in enumerate(times_s):
        luma = (100 + 40 * np.sin((rows + index) / 15) * np.cos(columns / 20)).astype(np.uint8)
        yield Frame(index, float(time_s), luma, np.stack([luma] * 3, axis=2) if colour else None)


def table(times_s: npt.NDArray[np.float64], anomaly: npt.NDArray[np.float64]) -> FrameTable:
    count = len(times_s)
    no = np.zeros(count, dtype=bool)
    return FrameTable(
        np.arange(count), times_s, np.ones(count), anomaly, anomaly >= 0.5, no, np.zeros(count, dtype=int)
    )


def hot_square(size_hw: tuple[int, int], value: float = 1.0, cell_px: float = 8.0) -> Heatmap:
    """Calm but for four cells around row 5, column 5."""
    shape = (int(np.ceil(size_hw[0] / cell_px)), int(np.ceil(size_hw[1] / cell_px)))
    cells = np.full(shape, 0.1, dtype=np.float32)
    cells[4:6, 4:6] = value
    return Heatmap(cells, cell_px, size_hw)


def event(event_id: int, first: int, last: int) -> Event:
    box = (32.0, 32.0, 48.0, 48.0)
    return Event(event_id, first / FPS, (last + 1) / FPS, first, last, first / FPS, first, 1.0, box, {first: box})


def decode(path: Path) -> tuple[list[float], list[Picture]]:
    with av.open(str(path)) as container:
        frames = []
        for packet in container.demux(video=0):
            # A film cut off in the middle of a picture ends with half a packet, which players skip.
            with contextlib.suppress(av.error.InvalidDataError):
                frames += packet.decode()
        times_s = [frame.time for frame in frames if frame.time is not None]
        return times_s, [frame.to_ndarray(format="bgr24").astype(np.uint8) for frame in frames]


def draw(
    path: Path, times_s: npt.NDArray[np.float64], size_hw: tuple[int, int], value: float = 1.0, **look: object
) -> int:
    heatmaps = ((index, hot_square(size_hw, value)) for index in range(len(times_s)))
    scores = table(times_s, np.full(len(times_s), value))
    settings = OverlaySettings(**{"crf": 1, **look})  # type: ignore[arg-type]
    return write_overlay(grey_frames(times_s, size_hw), heatmaps, scores, [], path, fps=FPS, settings=settings)


@pytest.mark.parametrize("size_hw", [(96, 128), (97, 131), (17, 33)])
def test_the_film_has_every_frame_at_its_time(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    times_s = np.arange(40) / FPS
    assert draw(tmp_path / "o.mp4", times_s, size_hw) == 40
    found_s, pictures = decode(tmp_path / "o.mp4")
    assert found_s == pytest.approx(times_s, abs=1e-4)
    height, width = size_hw[0] + bar_height(size_hw[0]), size_hw[1]
    assert pictures[0].shape == (height + height % 2, width + width % 2, 3)


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).choice([1 / 30, 1 / 25, 0.2, 1001 / 60000], size=59)
    times_s = 3.0 + np.concatenate([[0], np.cumsum(steps)])
    draw(tmp_path / "o.mp4", times_s, (48, 64))
    found_s, _ = decode(tmp_path / "o.mp4")
    assert found_s == pytest.approx(times_s - 3.0, abs=1e-4)


def test_times_that_do_not_rise_do_not_stop_the_film(tmp_path: Path) -> None:
    assert draw(tmp_path / "o.mp4", np.array([0, 0.04, 0.04, 0.02, 0.2]), (48, 64)) == 5
    found_s, _ = decode(tmp_path / "o.mp4")
    assert len(found_s) == 5
    assert found_s == sorted(set(found_s))


def test_browsers_can_play_it(tmp_path: Path) -> None:
    draw(tmp_path / "overlay.mp4.part", np.arange(30) / FPS, (96, 128))
    content = (tmp_path / "overlay.mp4.part").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")
    assert b"moof" not in content
    with av.open(str(tmp_path / "overlay.mp4.part")) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.frames == 30
        assert container.duration == pytest.approx(30 / FPS * 1e6, rel=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4.part"]


def test_pixels_are_left_alone_where_all_is_normal(tmp_path: Path) -> None:
    size_hw = (96, 128)
    draw(tmp_path / "o.mp4", np.arange(5) / FPS, size_hw)
    _, pictures = decode(tmp_path / "o.mp4")
    for frame, picture in zip(grey_frames(np.arange(5) / FPS, size_hw), pictures, strict=True):
        off = np.abs(picture[:96].astype(int) - frame.luma[..., None])
        off[16:64, 16:64] = 0
        assert off.max() <= 6
        blue, _, red = picture[36:44, 36:44].reshape(-1, 3).mean(axis=0)
        assert red > blue + 60


def test_calm_footage_is_only_footage(tmp_path: Path) -> None:
    draw(tmp_path / "o.mp4", np.arange(5) / FPS, (96, 128), value=0.29)
    _, pictures = decode(tmp_path / "o.mp4")
    for frame, picture in zip(grey_frames(np.arange(5) / FPS, (96, 128)), pictures, strict=True):
        assert np.abs(picture[:96].astype(int) - frame.luma[..., None]).max() <= 6


def test_boxes_are_there_while_the_event_lasts_and_no_longer(tmp_path: Path) -> None:
    size_hw, times_s = (96, 128), np.arange(20) / FPS
    frames, scores = grey_frames(times_s, size_hw), table(times_s, np.zeros(20))
    write_overlay(frames, [], scores, [event(1, 5, 9)], tmp_path / "o.mp4", fps=FPS, settings=OverlaySettings(crf=1))
    _, pictures = decode(tmp_path / "o.mp4")
    framed = [index for index, picture in enumerate(pictures) if picture[32, 36:46].min() > 200]
    assert framed == [5, 6, 7, 8, 9]


def test_the_playhead_moves_over_the_score(tmp_path: Path) -> None:
    draw(tmp_path / "o.mp4", np.arange(50) / FPS, (240, 360))
    _, pictures = decode(tmp_path / "o.mp4")
    heads = [
        int(np.argmax(picture[241:264, 50:].min(axis=(0, 2)))) for picture in (pictures[0], pictures[25], pictures[49])
    ]
    assert heads[0] < 15
    assert heads[1] == pytest.approx((heads[0] + heads[2]) / 2, abs=6)
    assert heads[2] > 290


def test_a_picture_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    frames = [*grey_frames(np.arange(2) / FPS, (96, 128))]
    frames.append(Frame(2, 2 / FPS, np.full((64, 32), 250, dtype=np.uint8), segment=1))
    scores = table(np.arange(3) / FPS, np.zeros(3))
    maps = [(2, Heatmap(np.zeros((8, 4), dtype=np.float32), 8, (64, 32)))]
    write_overlay(frames, maps, scores, [], tmp_path / "o.mp4", fps=FPS, settings=OverlaySettings(crf=1))
    _, pictures = decode(tmp_path / "o.mp4")
    assert pictures[2][48, 64].min() > 230
    assert pictures[2][48, 10].max() < 20


def test_maps_of_other_footage_are_refused(tmp_path: Path) -> None:
    frames = grey_frames(np.arange(3) / FPS, (96, 128))
    scores = table(np.arange(3) / FPS, np.zeros(3))
    maps = [(0, hot_square((48, 64)))]
    with pytest.raises(OutputNotReadableError, match=r"frame 0 .*128x96, .*64x48"):
        write_overlay(frames, maps, scores, [], tmp_path / "o.mp4", fps=FPS)


def test_no_frame_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(TooShortError, match="0 frames"):
        write_overlay([], [], table(np.zeros(0), np.zeros(0)), [], tmp_path / "o.mp4", fps=FPS)
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_film_plays_up_to_there(tmp_path: Path, stop: type[BaseException]) -> None:
    times_s = np.arange(200) / FPS

    def interrupted() -> Iterator[Frame]:
        for frame in grey_frames(times_s, (48, 64)):
            if frame.index == 130:
                raise stop
            yield frame

    with pytest.raises(stop):
        write_overlay(interrupted(), [], table(times_s, np.zeros(200)), [], tmp_path / "o.mp4.part", fps=FPS)
    found_s, _ = decode(tmp_path / "o.mp4.part")
    assert found_s == pytest.approx(times_s[:130], abs=1e-4)


def test_a_killed_film_plays_up_to_its_last_fragment(tmp_path: Path) -> None:
    code = f"""
        import os, signal, numpy as np
        from crowdad.outputs.h264 import H264Writer
        writer = H264Writer({str(tmp_path / "o.mp4.part")!r}, (48, 64), 25)
        noise = np.random.default_rng(0)
        for index in range(400):
            writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8), index / 25)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ}, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found_s, _ = decode(tmp_path / "o.mp4.part")
    assert len(found_s) >= 200


def test_a_failing_disk_is_reported_as_an_os_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    def fill() -> None:
        with H264Writer(full, (48, 64), 25) as writer:
            for index in range(200):
                writer.write(np.full((48, 64, 3), index, dtype=np.uint8), index / 25)

    with pytest.raises(OSError, match="No space left"):
        fill()


def test_heat_appears_below_the_threshold_and_is_full_above() -> None:
    under = np.full((96, 128, 3), 128, dtype=np.uint8)
    strengths = []
    for value in (0.3, 0.35, 0.5, 0.7, 1.0):
        painted = under.copy()
        HeatPaint("inferno").blend(painted, Heatmap(np.full((12, 16), value, dtype=np.float32), 8, (96, 128)))
        strengths.append(int(np.abs(painted.astype(int) - under).max()))
    assert strengths[0] <= 1
    assert strengths == sorted(strengths)
    assert strengths[-1] > 60


def test_another_threshold_moves_the_heat() -> None:
    painted = np.full((96, 128, 3), 128, dtype=np.uint8)
    before = painted.copy()
    HeatPaint("turbo", threshold=0.9).blend(painted, hot_square((96, 128), 0.65))
    assert np.array_equal(painted, before)
    HeatPaint("turbo", threshold=0.5).blend(painted, hot_square((96, 128), 0.65))
    assert not np.array_equal(painted, before)


def test_heat_lies_where_its_cells_are_also_at_the_edge() -> None:
    size_hw = (90, 125)
    cells = np.zeros((12, 16), dtype=np.float32)
    cells[11, 15] = 1.0
    painted = np.full((*size_hw, 3), 128, dtype=np.uint8)
    HeatPaint().blend(painted, Heatmap(cells, 8, size_hw))
    changed = np.argwhere((painted != 128).any(axis=2))
    assert changed.min(axis=0) == pytest.approx((86, 118), abs=4)
    assert changed.max(axis=0).tolist() == [89, 124]


def test_heat_is_smooth_between_cells() -> None:
    rows, columns = np.mgrid[:12, :16]
    cells = np.exp(-((rows - 5) ** 2 + (columns - 7) ** 2) / 5).astype(np.float32)
    painted = np.full((96, 128, 3), 128, dtype=np.uint8)
    HeatPaint().blend(painted, Heatmap(cells, 8, (96, 128)))
    assert np.abs(np.diff(painted[44].astype(int), axis=0)).max() < 30


@pytest.mark.parametrize("name", sorted(COLOUR_MAPS))
def test_every_colour_map_paints(name: str) -> None:
    painted = np.full((96, 128, 3), 128, dtype=np.uint8)
    HeatPaint(name).blend(painted, hot_square((96, 128)))
    assert (painted != 128).any()


def test_an_unknown_colour_map_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"'jet' .* inferno, magma"):
        HeatPaint("jet")


def drawn_with(kind: str, x: float, path: Path, size_hw: tuple[int, int]) -> Picture:
    """A picture of a film with one event of this kind, its box at column x."""
    times_s, box = np.arange(3) / FPS, (x, 50.0, x + 16, 90.0)
    told = replace(event(1, 0, 2), kind=kind, box_xyxy=box, boxes={0: box})
    scores, look = table(times_s, np.zeros(3)), OverlaySettings(crf=1)
    write_overlay(grey_frames(times_s, size_hw), [], scores, [told], path, fps=FPS, settings=look)
    return decode(path)[1][1]


@pytest.mark.parametrize("x", [0.0, 120.0, 344.0], ids=["left", "middle", "right"])
def test_the_kind_stands_at_the_box_within_the_picture(x: float, tmp_path: Path) -> None:
    plates = {}
    for kind in ("", "against the stream"):
        picture = drawn_with(kind, x, tmp_path / "o.mp4", (240, 360))
        light = np.flatnonzero(picture[38:48, :, 1].max(axis=0) > 240)
        plates[kind] = (int(light.min()), int(light.max()))
    widths = {kind: last - first for kind, (first, last) in plates.items()}
    assert widths["against the stream"] > 4 * widths[""] > 0
    assert plates["against the stream"][0] <= x + 16


def test_a_small_picture_has_room_for_the_number_alone(tmp_path: Path) -> None:
    with_kind, without = (drawn_with(kind, 40.0, tmp_path / "o.mp4", (96, 100)) for kind in ("against the stream", ""))
    assert np.array_equal(with_kind, without)
