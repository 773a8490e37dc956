"""Video files as people really have them: damaged, cut short, joined, turned, without times, or no video at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from crowdad.errors import ConfigError, NoVideoError, SourceError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources import VideoFile, open_source
from crowdad.sources import _reading as reading_module
from crowdad.sources import file as file_module
from tests.conftest import TINY_COUNT, moving_square, write_folder, write_video


def write_sound(path: Path, seconds: int = 1) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for index in range(16 * seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1000 * index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_cover(path: Path) -> Path:
    """Sound with a cover picture, which containers keep as a video stream of one frame."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(moving_square(1)[0], format="gray")
        picture.pts = 0
        container.mux([*cover.encode(picture), *cover.encode(None)])
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 16000, 0
        container.mux([*sound.encode(silence), *sound.encode(None)])
    return path


def write_with_index_first(path: Path, count: int = 60, **options: Any) -> Path:
    return write_video(path, moving_square(count, (96, 128)), container_options={"movflags": "faststart"}, **options)


def cut_to(path: Path, share: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def zero_bytes(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    return folder / "text.mp4"


def noise(folder: Path) -> Path:
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    return folder / "noise.mp4"


def without_index(folder: Path) -> Path:
    return cut_to(write_video(folder / "unfinished.mp4", moving_square()), 0.6)


def nothing_but_index(folder: Path) -> Path:
    path = write_with_index_first(folder / "hollow.mp4")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"mdat") + 4])
    return path


def all_damaged(folder: Path) -> Path:
    path = write_with_index_first(folder / "scrambled.mp4")
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 4
    whole[start:] = b"\xff" * (len(whole) - start)
    path.write_bytes(whole)
    return path


def playlist(folder: Path) -> Path:
    write_video(folder / "part.ts", moving_square())
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\npart.ts\n#EXT-X-ENDLIST\n")
    return folder / "list.m3u8"


def disguised_playlist(folder: Path) -> Path:
    write_video(folder / "part.ts", moving_square())
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile part.ts\n")
    return folder / "list.mp4"


def subtitles(folder: Path) -> Path:
    (folder / "words.txt").write_text("hello world\n" * 100)
    return folder / "words.txt"


def picture(folder: Path) -> Path:
    return write_folder(folder / "clip", list(moving_square(2))) / "001.png"


BAD: dict[str, tuple[Callable[[Path], Path], type[SourceError], str]] = {
    "zero bytes": (zero_bytes, UnreadableSourceError, "is empty"),
    "text": (text, UnreadableSourceError, "not a video file"),
    "noise": (noise, UnreadableSourceError, "not a video file"),
    "no moov": (without_index, UnreadableSourceError, "no index (moov)"),
    "moov only": (nothing_but_index, UnreadableSourceError, "no frame can be decoded"),
    "all damaged": (all_damaged, UnreadableSourceError, "no frame can be decoded"),
    "audio only": (lambda folder: write_sound(folder / "sound.mp4"), NoVideoError, "holds audio but no video"),
    "cover picture": (
        lambda folder: write_cover(folder / "song.mp4"),
        NoVideoError,
        "audio and a cover picture but no",
    ),
    "raw without fps": (
        lambda folder: write_video(folder / "a.h264", moving_square()),
        UnreadableSourceError,
        "with fps",
    ),
    "playlist": (playlist, UnreadableSourceError, "is a playlist"),
    "disguised playlist": (disguised_playlist, UnreadableSourceError, "is a playlist"),
    "text that could be drawn": (subtitles, UnreadableSourceError, "not a video file"),
    "one picture": (picture, UnreadableSourceError, "single picture"),
    "missing": (lambda folder: folder / "missing.mp4", SourceNotFoundError, "no such file"),
    "address": (lambda folder: "rtsp://camera/1", UnreadableSourceError, "watch it live"),  # type: ignore[dict-item, return-value]
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_clear_line(kind: str, tmp_path: Path) -> None:
    make, error, words = BAD[kind]
    path = make(tmp_path)
    with pytest.raises(error) as caught:
        open_source(path)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    # Of an address only scheme and host are told: the rest may hold a login.
    assert (str(path).rsplit("/", 1)[0] if kind == "address" else str(path).rsplit("/", 1)[-1]) in message


def test_a_file_that_may_not_be_read(tiny_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise av.error.PermissionError(13, "Permission denied")

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(UnreadableSourceError, match="permission denied"):
        open_source(tiny_video)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "avi"])
def test_a_recording_cut_short_gives_what_is_there(extension: str, tmp_path: Path) -> None:
    codec, pix_fmt = ("mjpeg", "yuvj420p") if extension == "avi" else ("libx264", "yuv420p")
    path = tmp_path / f"cut.{extension}"
    if extension == "mp4":
        write_with_index_first(path, g="12")
    else:
        write_video(path, moving_square(60, (96, 128)), codec=codec, pix_fmt=pix_fmt, g="12")
    source = open_source(cut_to(path, 0.6))
    frames = list(source.frames())
    assert 15 < len(frames) < 55
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert source.report.frames_read == len(frames)
    if extension != "ts":
        assert source.report.truncated


def test_fragments_cut_short_give_what_is_there(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = write_video(tmp_path / "f.mp4", moving_square(60, (96, 128)), container_options=options, g="12")
    assert not _truncated(path)
    source = open_source(cut_to(path, 0.6))
    assert 15 < len(list(source.frames())) < 55
    assert source.report.truncated


def _truncated(path: Path) -> bool:
    source = open_source(path)
    list(source.frames())
    return source.report.truncated


def test_no_sound_recording_counts_as_cut_short(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts", "a.mov", "a.flv"):
        assert not _truncated(write_video(tmp_path / name, moving_square(), container_format=None)), name


def flip_bytes(path: Path, count: int = 40) -> Path:
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 200 if b"mdat" in whole else len(whole) // 10
    for place in np.random.default_rng(7).integers(start, len(whole) - 10, count):
        whole[place] ^= 0xFF
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "avi"])
def test_damage_costs_only_what_it_hits(extension: str, tmp_path: Path) -> None:
    codec = "mpeg4" if extension == "avi" else "libx264"
    path = tmp_path / f"flipped.{extension}"
    if extension == "mp4":
        write_with_index_first(path, g="6")
    else:
        write_video(path, moving_square(60, (96, 128)), codec=codec, g="6")
    source = open_source(flip_bytes(path))
    frames = list(source.frames())
    report = source.report
    assert len(frames) >= 20
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    assert [frame.time_s for frame in frames] == sorted(frame.time_s for frame in frames)
    assert report.frames_read == len(frames)
    assert report.bad_packets or report.frames_skipped or any("damaged" in note for note in report.notes)
    assert sum(report.skip_counts.values()) == report.frames_skipped >= len(report.skips)


def test_a_lost_packet_costs_its_own_place(tmp_path: Path) -> None:
    """Every frame is a keyframe, so the three packets that are wiped out cost three frames and no other."""
    path = write_with_index_first(tmp_path / "holes.mp4", 30, g="1", bf="0")
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    whole = bytearray(path.read_bytes())
    for lost in (5, 6, 20):
        start, size = places[lost]
        assert start is not None
        whole[start : start + size] = b"\xff" * size
    path.write_bytes(whole)
    source = open_source(path)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == [index for index in range(30) if index not in (5, 6, 20)]
    assert all(frame.time_s == pytest.approx(frame.index / 10) for frame in frames)
    report = source.report
    assert report.bad_packets == report.frames_skipped == 3
    assert [(skip.time_s, skip.until_s, skip.count) for skip in report.skips] == [(0.5, 0.6, 2), (2.0, 2.0, 1)]
    assert report.skip_counts == {"could not be decoded": 3}


def test_damage_gives_the_same_frames_on_any_number_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flip_bytes(write_with_index_first(tmp_path / "flipped.mp4", g="12"))
    many = list(open_source(path).frames())
    real = file_module.video_stream

    def on_sixteen_cores(*args: Any) -> Any:
        stream = real(*args)
        stream.codec_context.thread_count = 16
        return stream

    monkeypatch.setattr(file_module, "video_stream", on_sixteen_cores)
    sixteen = list(open_source(path).frames())
    assert [frame.index for frame in many] == [frame.index for frame in sixteen]
    assert all(np.array_equal(one.luma, other.luma) for one, other in zip(many, sixteen, strict=True))


def test_reading_gives_up_after_many_bad_packets_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_with_index_first(tmp_path / "half.mp4", 60, g="1", bf="0")
    with av.open(str(path)) as container:
        start = [packet.pos for packet in container.demux(video=0) if packet.size][30]
    assert start is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + b"\xff" * (len(whole) - start))
    monkeypatch.setattr(reading_module, "MAX_BAD_IN_ROW", 10)
    source = open_source(path)
    assert len(list(source.frames())) == 30
    assert source.report.truncated
    assert source.report.bad_packets == 11


def test_two_sizes_joined_are_two_segments(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.ts", moving_square(24, (48, 64)))
    two = write_video(tmp_path / "two.ts", moving_square(20, (96, 128)))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    source = open_source(joined)
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(44))
    assert [frame.segment for frame in frames] == [0] * 24 + [1] * 20
    assert {frame.luma.shape for frame in frames[24:]} == {(96, 128)}
    times = [frame.time_s for frame in frames]
    assert times == pytest.approx([index / 10 for index in range(44)])
    (broken,) = source.report.breaks
    assert (broken.index, broken.reason) == (24, "size changes from 64x48 to 128x96")


def test_a_recording_joined_to_itself_is_two_segments(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.ts", moving_square())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 2)
    source = open_source(joined)
    frames = list(source.frames())
    assert [frame.segment for frame in frames] == [0] * 24 + [1] * 24
    assert source.report.breaks[0].reason == "the clock of the footage is set back"


def test_a_recording_that_goes_on_under_other_packet_numbers(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.ts", moving_square())
    two = write_video(tmp_path / "two.ts", moving_square(20), container_options={"mpegts_start_pid": "0x200"})
    (tmp_path / "joined.ts").write_bytes(one.read_bytes() + two.read_bytes())
    source = open_source(tmp_path / "joined.ts")
    assert len(list(source.frames())) == 44
    assert len(source.report.breaks) == 1


def test_another_program_after_a_join_ends_the_footage_in_order(tmp_path: Path) -> None:
    other = {"mpegts_start_pid": "0x200", "mpegts_pmt_start_pid": "0x1100"}
    one = write_video(tmp_path / "one.ts", moving_square())
    two = write_video(tmp_path / "two.ts", moving_square(20), container_options=other)
    (tmp_path / "joined.ts").write_bytes(one.read_bytes() + two.read_bytes())
    assert len(list(open_source(tmp_path / "joined.ts").frames())) == TINY_COUNT


def test_joined_mp4_files_are_told(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", moving_square())
    (tmp_path / "joined.mp4").write_bytes(one.read_bytes() * 3)
    source = open_source(tmp_path / "joined.mp4")
    assert len(list(source.frames())) == TINY_COUNT
    assert source.report.notes == ("3 mp4 files were joined to one; only the first is read, give them singly",)


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_pictures_are_turned_upright_once(rotation_deg: int, pix_fmt: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "r.mp4", moving_square(), rotation_deg=rotation_deg, pix_fmt=pix_fmt)
    plain = write_video(tmp_path / "p.mp4", moving_square(), pix_fmt=pix_fmt)
    source = open_source(path)
    for turned, stored in zip(source.frames(color=True), open_source(plain).frames(color=True), strict=True):
        assert np.array_equal(turned.luma, np.rot90(stored.luma, rotation_deg // 90))
        assert turned.bgr is not None
        assert stored.bgr is not None
        assert np.array_equal(turned.bgr, np.rot90(stored.bgr, rotation_deg // 90))
        assert turned.luma.shape == source.info.size_hw


def test_a_rotate_tag_turns_where_there_is_no_matrix(tmp_path: Path) -> None:
    tagged = write_video(tmp_path / "t.mkv", moving_square(3), stream_metadata={"rotate": "90"})
    plain = write_video(tmp_path / "p.mkv", moving_square(3))
    for turned, stored in zip(open_source(tagged).frames(), open_source(plain).frames(), strict=True):
        assert np.array_equal(turned.luma, np.rot90(stored.luma, -1))


def test_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.5, 0.55, 1.2, 2.0, 2.1, 2.15]
    source = open_source(write_video(tmp_path / "v.mp4", moving_square(8), times_s=times_s))
    assert [frame.time_s for frame in source.frames()] == pytest.approx(times_s, abs=1e-4)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "mpg", "avi"])
@pytest.mark.parametrize("start_s", [0.04, 1.0, 1.53, 2.08, 2.34])
def test_start_reads_from_the_keyframe_before(extension: str, start_s: float, tmp_path: Path) -> None:
    codec = {"mpg": "mpeg2video", "avi": "mpeg4"}.get(extension, "libx264")
    path = write_video(tmp_path / f"a.{extension}", moving_square(60), 25, codec, g="15", bf="2")
    whole = [frame for frame in open_source(path).frames() if frame.time_s >= start_s - 1e-6]
    part = list(open_source(path, start_s=start_s).frames())
    assert [frame.index for frame in part] == [frame.index for frame in whole]
    assert all(np.array_equal(one.luma, other.luma) for one, other in zip(part, whole, strict=True))


def test_raw_stream_is_spaced_by_the_given_rate(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "a.h264", moving_square()), fps=5)
    frames = list(source.frames())
    assert [frame.time_s for frame in frames] == pytest.approx([index / 5 for index in range(TINY_COUNT)])
    assert source.info.fps == 5
    assert "5 a second" in source.report.notes[0]


@pytest.mark.parametrize("count", [1, 2])
def test_very_short_footage(count: int, tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "short.mp4", moving_square(count)))
    assert [frame.index for frame in source.frames()] == list(range(count))
    assert source.info.frame_count == count


@pytest.mark.parametrize(
    "name", ["ünïcødé.mp4", "with space.mp4", "quo'te\".mp4", "http:x.mp4", "50%.mp4", "a#b?c.mp4", "[1].mp4", "-n.mp4"]
)
def test_any_name_will_do(name: str, tiny_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(tiny_video.read_bytes())
    assert len(list(open_source(tmp_path / name).frames())) == TINY_COUNT
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source(name).frames())) == TINY_COUNT


def test_what_is_known_before_reading(tiny_video: Path) -> None:
    info = open_source(str(tiny_video)).info
    assert (info.name, info.kind, info.size_hw, info.fps) == ("tiny.mp4", "file", (48, 64), 10.0)
    assert (info.frame_count, info.duration_s, info.codec, info.audio) == (TINY_COUNT, 2.4, "h264", False)
    assert info.size_bytes == tiny_video.stat().st_size
    assert info.recorded_at is None


def test_recording_time_is_taken_over_where_it_can_be_true(tmp_path: Path) -> None:
    for name, written, expected in (
        ("good.mp4", "2024-03-01T12:00:00.000000Z", "2024-03-01T12:00:00.000000Z"),
        ("unset.mp4", "1970-01-01T00:00:01.000000Z", None),
    ):
        path = write_video(tmp_path / name, moving_square(2), metadata={"creation_time": written})
        assert open_source(path).info.recorded_at == expected


def test_hash_is_that_of_the_file(tiny_video: Path) -> None:
    assert open_source(tiny_video).sha256() == hashlib.sha256(tiny_video.read_bytes()).hexdigest()


def test_huge_pictures_are_refused(tiny_video: Path) -> None:
    with pytest.raises(UnreadableSourceError, match=r"64x48, .*3000 pixels.*max_pixels"):
        _ = VideoFile(tiny_video, max_pixels=3000).info


def test_settings_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(ConfigError, match="stride"):
        VideoFile("nowhere.mp4", stride=0)


def test_a_file_removed_between_passes_says_so(tiny_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    path.write_bytes(tiny_video.read_bytes())
    source = open_source(path)
    os.remove(path)
    with pytest.raises(SourceNotFoundError, match="no such file"):
        next(source.frames())


def test_squeezed_pixels_are_told(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "wide.mp4", moving_square(), aspect="16:11"))
    assert any("not square" in note for note in source.report.notes)


def test_pixels_that_scaling_left_a_thousandth_off_are_square(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "cropped.mp4", moving_square(), aspect="1305:1304"))
    assert source.report.notes == ()
