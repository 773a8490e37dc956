"""Times and rates are measured: which picture is when, and how many come a second, whatever a container claims."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from crowdad.records import Frame
from crowdad.sources import Source, open_source
from tests.conftest import moving_square, write_video
from tests.sources.timed import joined, restamped

COUNT, FPS = 60, 25


def sound(folder: Path, name: str = "sound.mp4", count: int = COUNT, fps: int | Fraction = FPS, **options: str) -> Path:
    """Footage of 25 pictures a second, shown in another order than they are decoded."""
    return write_video(folder / name, moving_square(count), fps, **{"bf": "3", "g": "24", **options})  # type: ignore[arg-type]


def read(path: Path, **part: float) -> tuple[list[Frame], Source]:
    source = open_source(path, **part)  # type: ignore[arg-type]
    return list(source.frames()), source


def check(path: Path, count: int = COUNT, rate: float = FPS, **part: float) -> Source:
    """All pictures come, each once, evenly spaced, and nothing is said against the footage."""
    frames, source = read(path, **part)
    assert [frame.index for frame in frames] == list(range(count))
    times_s = [frame.time_s for frame in frames]
    assert times_s == pytest.approx([index / rate for index in range(count)], abs=1.1e-3)
    report = source.report
    assert (report.frames_read, report.frames_skipped, report.truncated) == (count, 0, False)
    assert source.fps == pytest.approx(rate, rel=1e-3)
    listing = source.listing()
    if listing is not None:
        assert listing.time_s.tolist() == times_s
    # From the middle on: the same pictures at the same times.
    start_s = times_s[count // 2]
    part_of = list(open_source(path, start_s=start_s, **part).frames())  # type: ignore[arg-type]
    assert [frame.index for frame in part_of] == list(range(count // 2, count))
    assert [frame.time_s for frame in part_of] == times_s[count // 2 :]
    for one, other in zip(part_of, frames[count // 2 :], strict=True):
        assert np.array_equal(one.luma, other.luma)
    return source


# --- pts in the order of decoding, dts alone, none at all


def test_avi_keeps_no_order_of_display(tmp_path: Path) -> None:
    check(sound(tmp_path, "b.avi"))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "flv", "nut"])
def test_pts_in_the_order_of_decoding(suffix: str, tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path), tmp_path / f"order.{suffix}", lambda n, _pts, _dts, tick: (round(n / FPS / tick),) * 2
    )
    assert check(path).listing() is None, "nobody enters it in the middle: one process scores it"


def test_pictures_that_an_edit_list_hides_are_told(tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path), tmp_path / "hidden.mp4", lambda n, _pts, _dts, tick: (round((n - 2) / FPS / tick),) * 2
    )
    assert any("edit list" in note and note.endswith(": 2") for note in check(path, COUNT - 2).report.notes)


@pytest.mark.parametrize("bframes", ["0", "3"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_timestamps_that_contradict_the_order_of_pictures(suffix: str, bframes: str, tmp_path: Path) -> None:
    def neighbours_swapped(_n: int, pts: int, dts: int, tick: Fraction) -> tuple[int, int]:
        rank = round(pts * tick * FPS)
        swapped = rank + (1, -1, 0, 0)[rank % 4] if rank >= 8 else rank
        return round(swapped / FPS / tick), dts - round(2 / FPS / tick)

    check(restamped(sound(tmp_path, bf=bframes), tmp_path / f"swapped.{suffix}", neighbours_swapped))


def test_pictures_are_those_of_the_sound_recording(tmp_path: Path) -> None:
    # Two encodings of the same pictures differ by a few grey values, one picture and the next by far more.
    mixed, plain = (
        np.array([frame.luma for frame in read(sound(tmp_path, name))[0]], float) for name in ("b.avi", "sound.mp4")
    )
    assert np.abs(mixed - plain).max() < 16
    assert np.abs(mixed[1:] - plain[:-1]).max(axis=(1, 2)).min() > 16


@pytest.mark.parametrize("name", ["a.mjpeg", "a.m1v", "a.h264", "a.hevc", "a.m4v", "a.obu"])
def test_raw_streams_are_counted_once(name: str, tmp_path: Path) -> None:
    codecs = {"mjpeg": "mjpeg", "m1v": "mpeg1video", "h264": "libx264", "hevc": "libx265", "m4v": "mpeg4"}
    codec = {**codecs, "obu": "libsvtav1"}[name.split(".")[1]]
    options = {} if codec in ("mjpeg", "libsvtav1") else {"bf": "2"}
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    check(write_video(tmp_path / name, moving_square(COUNT), FPS, codec, pix_fmt=pix_fmt, **options), fps=FPS)  # type: ignore[arg-type]


def test_lost_pictures_of_pts_in_the_order_of_decoding_cost_their_places(tmp_path: Path) -> None:
    path = sound(tmp_path, "holes.avi", g="12", bf="0")
    whole = bytearray(path.read_bytes())
    start = whole.index(b"movi") + 4
    for _ in range(30):  # the 30th chunk is wiped out
        start += 8 + struct.unpack("<I", whole[start + 4 : start + 8])[0]
        start += start % 2
    size = struct.unpack("<I", whole[start + 4 : start + 8])[0]
    whole[start + 8 : start + 8 + size] = b"\xff" * size
    path.write_bytes(whole)
    frames, source = read(path)
    assert source.report.frames_read + source.report.frames_skipped == COUNT
    assert frames[-1].time_s == pytest.approx(2.36)
    assert frames[-1].index == COUNT - 1


# --- holes


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
@pytest.mark.parametrize("gap_s", [12, 600])
def test_a_hole_is_a_break_and_does_not_slow_the_rate(suffix: str, gap_s: int, tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path, bf="0"),
        tmp_path / f"hole.{suffix}",
        lambda n, pts, _dts, tick: (pts + (round(gap_s / tick) if n >= 30 else 0),) * 2,
    )
    frames, source = read(path)
    assert source.fps == pytest.approx(FPS, rel=1e-3)
    assert [frame.segment for frame in frames] == [0] * 30 + [1] * 30
    assert frames[30].time_s == pytest.approx(30 / FPS + gap_s, abs=2e-3)
    (broken,) = source.report.breaks
    assert (broken.index, broken.reason) == (30, f"nothing was recorded for {gap_s}.0 s")
    assert not source.report.truncated
    assert source.report.notes == ()


# --- clocks that are set back


@pytest.mark.parametrize("suffix", ["mkv", "webm", "ts"])
@pytest.mark.parametrize("bframes", ["0", "3"])
def test_recordings_joined_by_cat_break_where_they_join(suffix: str, bframes: str, tmp_path: Path) -> None:
    if suffix == "webm":
        parts = [
            write_video(tmp_path / f"{n}.webm", moving_square(count), FPS, "libvpx")
            for n, count in enumerate((60, 40, 20))
        ]
    else:
        parts = [sound(tmp_path, f"{n}.{suffix}", count, bf=bframes) for n, count in enumerate((60, 40, 20))]
    path = joined(tmp_path / f"cat.{suffix}", *(parts if suffix == "ts" else parts[:2]))
    frames, source = read(path)
    count, joints = (120, 2) if suffix == "ts" else (100, 1)
    assert [frame.index for frame in frames] == list(range(count))
    assert [frame.segment for frame in frames] == ([0] * 60 + [1] * 40 + [2] * 20)[:count]
    assert [frame.time_s for frame in frames] == pytest.approx([n / FPS for n in range(count)], abs=2.1e-3)
    reasons = [broken.reason for broken in source.report.breaks]
    assert reasons == ["the clock of the footage is set back"] * joints
    assert source.fps == pytest.approx(FPS, rel=1e-3)
    assert source.report.frames_skipped == 0
    start_s = frames[80].time_s
    assert [frame.index for frame in open_source(path, start_s=start_s).frames()] == list(range(80, count))


OPEN_GROUPS = {
    "libx264": {"bf": "3", "g": "24", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"},
    "mpeg2video": {"bf": "2", "g": "12"},
}


def set_back(folder: Path, codec: str, suffix: str, at_key: bool) -> Path:
    """60 pictures a second whose clock is set back amid an open group: other packets follow in decoding order."""
    source = write_video(folder / "open.mkv", moving_square(COUNT), 60, codec, **OPEN_GROUPS[codec])  # type: ignore[arg-type]
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    ranks = np.argsort(np.argsort([packet.pts for packet in packets])).tolist()
    keys = [number for number, packet in enumerate(packets) if number and packet.is_keyframe]
    place = keys[len(keys) // 2] + (0 if at_key else 3)
    assert not at_key or min(ranks[place:]) < ranks[place], "pictures behind the keyframe are shown before it"
    step_s, late = Fraction(1, 60), max(number - rank for number, rank in enumerate(ranks))
    first = min(ranks[place:])

    def stamp(number: int, _pts: int, _dts: int, tick: Fraction) -> tuple[int, int]:
        back = first if number >= place else 0
        return round((ranks[number] - back) * step_s / tick), round((number - late - back) * step_s / tick)

    parts = [
        restamped(source, folder / f"{part}.{suffix}", stamp, packets=packets_of)
        for part, packets_of in enumerate((range(place), range(place, COUNT)))
    ]
    return joined(folder / f"back.{suffix}", *parts)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
@pytest.mark.parametrize("codec", OPEN_GROUPS)
def test_a_clock_set_back_in_an_open_group_leaves_every_picture_its_time(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    frames, source = read(set_back(tmp_path, codec, suffix, at_key=True))
    assert source.fps == pytest.approx(60, rel=1e-3)
    assert [frame.time_s for frame in frames] == pytest.approx([n / 60 for n in range(COUNT)], abs=2.1e-3)
    assert [broken.reason for broken in source.report.breaks] == ["the clock of the footage is set back"]
    assert source.report.frames_skipped == 0


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
@pytest.mark.parametrize("codec", OPEN_GROUPS)
def test_a_clock_set_back_between_keyframes_leaves_the_rate(suffix: str, codec: str, tmp_path: Path) -> None:
    frames, source = read(set_back(tmp_path, codec, suffix, at_key=False))
    assert source.fps == pytest.approx(60, abs=1)
    assert len(frames) == COUNT
    assert [broken.reason for broken in source.report.breaks] == ["the clock of the footage is set back"]


@pytest.mark.parametrize("suffix", ["flv", "avi", "nut", "mp4", "mkv", "ivf", "asf"])
def test_where_only_the_first_of_joined_recordings_is_read_it_says_so(suffix: str, tmp_path: Path) -> None:
    codec = {"ivf": "libvpx", "asf": "mpeg4"}.get(suffix, "libx264")
    kind = {"mkv": "matroska"}.get(suffix, suffix)
    part = write_video(tmp_path / f"one.{suffix}", moving_square(), FPS, codec)
    frames, source = read(joined(tmp_path / f"cat.{suffix}", part, part, part))
    notes = " ".join(source.report.notes)
    assert len(frames) == 72 or f"3 {kind} files were joined to one" in notes
    assert not read(part)[1].report.notes


# --- headers that lie


def lying_mkv(folder: Path, claimed_ns: int) -> Path:
    """Matroska whose DefaultDuration says so many nanoseconds, though 25 pictures come a second."""
    path = sound(folder, "lies.mkv", bf="0")
    whole = path.read_bytes()
    place = whole.index(b"\x23\xe3\x83")
    assert whole[place + 3] == 0x84
    path.write_bytes(whole[: place + 4] + struct.pack(">I", claimed_ns) + whole[place + 8 :])
    return path


@pytest.mark.parametrize("claimed", [12.5, 50.0])
def test_the_rate_of_a_header_is_not_believed(claimed: float, tmp_path: Path) -> None:
    source = check(lying_mkv(tmp_path, round(1e9 / claimed)))
    assert source.report.notes == (f"the container claims {claimed:g} frames a second, by its timestamps there are 25",)


def test_half_of_the_pictures_that_the_codec_claims(tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path, bf="0"), tmp_path / "half.ts", lambda n, _pts, _dts, tick: (round((1 + n / 12.5) / tick),) * 2
    )
    check(path, rate=12.5)


@pytest.mark.parametrize(("fps", "suffix"), [("24000/1001", "mkv"), ("30000/1001", "mkv"), ("60000/1001", "flv")])
def test_rounded_timestamps_give_the_exact_rate(fps: str, suffix: str, tmp_path: Path) -> None:
    rate = Fraction(fps)
    path = write_video(tmp_path / f"a.{suffix}", moving_square(COUNT), rate)
    assert open_source(path).fps == pytest.approx(float(rate), rel=1e-4)
    check(path, rate=float(rate))


def test_every_other_step_is_longer(tmp_path: Path) -> None:
    """Pictures at 0, 1, 3, 4, 6, .. thirtieths of a second are 20 a second."""
    times_s = [(index // 2 * 3 + index % 2) / 30 for index in range(COUNT)]
    path = write_video(tmp_path / "v.mp4", moving_square(COUNT), times_s=times_s)
    frames, source = read(path)
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert source.fps == pytest.approx(20, rel=0.02)


def test_a_phone_wavers_about_its_rate(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).normal(1 / 30, 0.004, 200).clip(0.01)
    times_s = np.cumsum(steps).tolist()
    frames, source = read(write_video(tmp_path / "v.mp4", moving_square(200), times_s=times_s))
    assert source.fps == pytest.approx(30, rel=0.03)
    assert {frame.segment for frame in frames} == {0}
    assert source.report.notes == ()


# --- a rate that changes


def changing(folder: Path, suffix: str = "mkv") -> Path:
    """125 pictures of 25 a second, then 75 of 12.5 a second."""
    times_s = [index / 25 if index < 125 else 5 + (index - 125) / 12.5 for index in range(200)]
    return write_video(folder / f"change.{suffix}", moving_square(200), FPS, times_s=times_s, bf="0")


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_where_the_rate_changes_the_footage_breaks_and_it_is_told(suffix: str, tmp_path: Path) -> None:
    frames, source = read(changing(tmp_path, suffix))
    assert source.fps == pytest.approx(25, rel=1e-2)
    (broken,) = source.report.breaks
    assert broken.index == pytest.approx(125, abs=1)
    assert broken.reason == "from here on there are 12.5 frames a second"
    assert frames[0].fps == pytest.approx(25, rel=1e-2)
    assert frames[-1].fps == pytest.approx(12.5, rel=1e-2)
    assert [frame.segment for frame in frames] == [0] * broken.index + [1] * (200 - broken.index)
    assert source.report.notes == ("the frame rate changes: 25 a second, 12.5 from 5.0 s",)


# --- odd timestamps


@pytest.mark.parametrize("offset", [-5_000_000, 2**40])
def test_timestamps_may_begin_anywhere(offset: int, tmp_path: Path) -> None:
    check(restamped(sound(tmp_path), tmp_path / "far.nut", lambda _n, pts, dts, _tick: (pts + offset, dts + offset)))


def test_counters_of_transport_streams_wrap(tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path),
        tmp_path / "wrap.ts",
        lambda _n, pts, dts, tick: (pts + 2**33 - round(1 / tick), dts + 2**33 - round(1 / tick)),
    )
    source = check(path)
    assert source.report.breaks == ()


def test_a_timestamp_that_occurs_twice(tmp_path: Path) -> None:
    source = sound(tmp_path, "sound.mkv", bf="0")
    path = restamped(source, tmp_path / "twice.flv", lambda n, pts, _dts, _tick: (pts - 40 * (n in (20, 41)),) * 2)
    check(path)


# --- sound ends


@pytest.mark.parametrize("suffix", ["nut", "y4m", "mkv", "avi", "flv", "mov", "webm", "ts", "mxf"])
def test_what_is_whole_does_not_end_early(suffix: str, tmp_path: Path) -> None:
    codec = {"y4m": "wrapped_avframe", "webm": "libvpx", "mxf": "mpeg2video"}.get(suffix, "libx264")
    check(write_video(tmp_path / f"a.{suffix}", moving_square(COUNT), FPS, codec))


def test_a_video_that_begins_late_does_not_end_early(tmp_path: Path) -> None:
    path = restamped(
        sound(tmp_path),
        tmp_path / "late.mkv",
        lambda _n, pts, dts, tick: (pts + round(3 / tick), dts + round(3 / tick)),
    )
    check(path)


def test_text_behind_the_last_box(tmp_path: Path) -> None:
    path = sound(tmp_path)
    path.write_bytes(path.read_bytes() + b"Recorded by camera 3, for the police only.\n")
    check(path)


def test_empty_chunks_of_an_avi_are_no_lost_pictures(tmp_path: Path) -> None:
    """A recorder writes an empty chunk where nothing changed: the picture before goes on being shown."""
    path = sound(tmp_path, "null.avi", bf="0")
    whole = bytearray(path.read_bytes())
    index = whole.rindex(b"idx1")
    entries = (struct.unpack("<I", whole[index + 4 : index + 8])[0]) // 16
    empty = [entries - 1, entries - 2, entries - 20]
    for number in empty:
        entry = index + 8 + 16 * number
        whole[entry + 12 : entry + 16] = b"\0\0\0\0"
        chunk = whole.index(b"movi") + struct.unpack("<I", whole[entry + 8 : entry + 12])[0]
        assert whole[chunk : chunk + 4] == b"00dc"
        whole[chunk + 4 : chunk + 8] = b"\0\0\0\0"
    path.write_bytes(whole)
    frames, source = read(path)
    assert len(frames) == COUNT - len(empty)
    assert (source.report.truncated, source.report.bad_packets) == (False, 0)


# --- a rate that is asked for


def test_a_rate_that_is_asked_for_takes_the_place_of_timestamps(tmp_path: Path) -> None:
    path = lying_mkv(tmp_path, 20_000_000)
    source = check(path, rate=12.5, fps=12.5)
    assert source.report.notes == (
        "frames are spaced evenly, 12.5 a second as asked; the file's own timestamps, 25 a second, are not used",
    )
    assert source.playable() is None
