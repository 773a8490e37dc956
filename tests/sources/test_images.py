"""Folders of pictures as people have them: mixed, half copied, oddly named."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from crowdad.errors import ConfigError, SourceNotFoundError, UnreadableSourceError
from crowdad.sources import ImageFolder, open_source
from tests.conftest import TINY_COUNT, moving_square, write_folder


@pytest.mark.parametrize("extension", ["tif", "png", "bmp", "pgm"])
def test_pictures_are_read_as_they_are(extension: str, tmp_path: Path) -> None:
    pictures = moving_square(5)
    folder = write_folder(tmp_path / "clip", list(pictures), "{:03d}." + extension)
    assert all(np.array_equal(frame.luma, pictures[frame.index]) for frame in ImageFolder(folder).frames())


def test_numbers_are_counted_not_spelled(tmp_path: Path) -> None:
    pictures = moving_square(12)
    folder = write_folder(tmp_path / "clip", list(pictures), "frame{}.png")
    frames = list(ImageFolder(folder).frames())
    assert [np.array_equal(frame.luma, picture) for frame, picture in zip(frames, pictures, strict=True)] == [True] * 12


def test_a_rate_is_assumed_and_said(tiny_folder: Path) -> None:
    assumed, given = ImageFolder(tiny_folder), ImageFolder(tiny_folder, fps=25)
    assert assumed.info.fps == 10
    assert assumed.report.notes == ("pictures carry no times; 10 frames a second are assumed",)
    assert given.info.fps == 25
    assert given.report.notes == ()
    assert [frame.time_s for frame in given.frames()] == [index / 25 for index in range(TINY_COUNT)]


def test_what_cannot_be_read_is_named_and_keeps_its_place(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", list(moving_square(6)))
    (folder / "002.png").write_bytes(b"")
    (folder / "004.png").write_bytes((folder / "004.png").read_bytes()[:40])
    (folder / "005.png").write_text("no picture")
    (folder / "notes.txt").write_text("hello")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "._001.png").write_bytes(b"x")
    (folder / "sub").mkdir()
    source = open_source(folder)
    assert [frame.index for frame in source.frames()] == [0, 2, 5]
    report = source.report
    assert report.skip_counts == {"not a picture": 2, "picture cannot be read": 3}
    assert [skip.name for skip in report.skips] == ["notes.txt", "Thumbs.db", "002.png", "004.png", "005.png"]
    assert [skip.time_s for skip in report.skips] == [None, None, 0.1, 0.3, 0.4]
    assert source.info.frame_count == 6


def test_mixed_sizes_are_segments(tmp_path: Path) -> None:
    pictures = [*moving_square(3), *moving_square(2, (30, 40)), *moving_square(1)]
    source = open_source(write_folder(tmp_path / "clip", pictures))
    frames = list(source.frames())
    assert [frame.segment for frame in frames] == [0, 0, 0, 1, 1, 2]
    assert [found.reason for found in source.report.breaks] == [
        "size changes from 64x48 to 40x30",
        "size changes from 40x30 to 64x48",
    ]


def test_gray_and_color_pictures_mix(tmp_path: Path) -> None:
    source = open_source(write_folder(tmp_path / "clip", [moving_square(1)[0], moving_square(1, color=True)[0]]))
    assert [frame.bgr is not None and frame.bgr.shape for frame in source.frames(color=True)] == [(48, 64, 3)] * 2


def test_sixteen_bit_pictures_become_eight(tmp_path: Path) -> None:
    deep = moving_square(1)[0].astype(np.uint16) * 257
    (tmp_path / "1.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    (frame,) = ImageFolder(tmp_path).frames()
    assert np.abs(frame.luma.astype(int) - moving_square(1)[0]).max() <= 1


@pytest.mark.parametrize("name", ["ünïcødé", "with space", "quo'te\"", "a#b", "[x]"])
def test_any_name_will_do(name: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / name, list(moving_square(2)), name + "{}.png")
    assert len(list(open_source(folder).frames())) == 2


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UnreadableSourceError, match="no pictures"):
        open_source(tmp_path)


def test_folder_of_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    with pytest.raises(UnreadableSourceError, match="1 pictures"):
        open_source(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no such folder"):
        _ = ImageFolder(tmp_path / "nowhere").info


def test_hash_follows_names_and_content(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "one", list(moving_square(3)))
    same = write_folder(tmp_path / "same", list(moving_square(3)))
    assert ImageFolder(one).sha256() == ImageFolder(same).sha256()
    (same / "003.png").rename(same / "004.png")
    assert ImageFolder(one).sha256() != ImageFolder(same).sha256()


def test_pictures_left_out_are_not_opened(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", list(moving_square(6)))
    (folder / "002.png").write_bytes(b"")
    source = open_source(folder, stride=2)
    assert [frame.index for frame in source.frames()] == [0, 2, 4]
    assert source.report.frames_skipped == 0


def test_a_picture_that_is_too_large_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [np.zeros((96, 128), np.uint8), np.zeros((6000, 5000), np.uint8)]
    source = open_source(write_folder(tmp_path / "bomb", pictures))
    decoded: list[int] = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda blob, flag: decoded.append(len(blob)) or decode(blob, flag))
    assert [frame.index for frame in source.frames()] == [0]
    assert source.report.skip_counts == {"picture of more than 25000000 pixels": 1}
    assert len(decoded) == 1


def test_a_picture_of_a_few_bytes_and_a_thousand_million_pixels_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 32_000, 32_000, 1, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(4001))))
    ]
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(UnreadableSourceError, match="25000000 pixels"):
        open_source(tmp_path)


def test_pictures_of_too_many_pixels_are_skipped_or_refused(tmp_path: Path) -> None:
    pictures = [*moving_square(3), moving_square(1, (96, 128))[0]]
    source = open_source(write_folder(tmp_path / "grows", pictures), max_pixels=4000)
    assert len(list(source.frames())) == 3
    assert source.report.skip_counts == {"picture of more than 4000 pixels": 1}
    with pytest.raises(UnreadableSourceError, match=r"128x96, .*4000 pixels.*max_pixels"):
        open_source(write_folder(tmp_path / "large", pictures[::-1]), max_pixels=4000)
    with pytest.raises(ConfigError, match="max_pixels is 0"):
        open_source(tmp_path / "grows", max_pixels=0)
