"""Footage as recorders, cables, disks and people with intent leave it, each made on the fly."""

from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import numpy as np

from tests.conftest import write_folder, write_video
from tests.tiny_scene import walkers

__all__ = ["COUNT", "STILL_8K", "damaged", "joined", "mixed_folder", "plain", "rotated", "rows_of_pictures", "sound"]

COUNT = 40
LOSSLESS = {"crf": "0"}
STILL_8K = (4320, 7680)


def plain(path: Path, count: int = COUNT, **how: object) -> Path:
    """Walkers at 128x96 and 10 frames a second."""
    return write_video(path, walkers(count), **how)  # type: ignore[arg-type]


def damaged(path: Path, flips: int = 40) -> Path:
    """Bytes of the pictures flipped; headers and index are sound."""
    plain(path, 60, g="6", container_options={"movflags": "faststart"})
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 200
    for place in np.random.default_rng(7).integers(start, len(whole) - 10, flips):
        whole[place] ^= 0xFF
    path.write_bytes(whole)
    return path


def cut(path: Path, share: float) -> Path:
    plain(path, 60, g="6", container_options={"movflags": "faststart"})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def joined(path: Path, *parts: np.ndarray) -> Path:
    """Transport streams one behind the other, as `cat` joins them."""
    pieces = [write_video(path.with_name(f"{number}-{path.name}"), part) for number, part in enumerate(parts)]
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    for piece in pieces:
        piece.unlink()
    return path


def rotated(path: Path, turned_deg: int) -> Path:
    """Stored lying on a side; turned back as the container says, it is `plain`."""
    stored = [np.ascontiguousarray(np.rot90(frame, -turned_deg // 90)) for frame in walkers(COUNT)]
    return write_video(path, stored, rotation_deg=turned_deg, **LOSSLESS)


def sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def without_index(path: Path) -> Path:
    whole = plain(path).read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    return path


def huge(path: Path) -> Path:
    """One 8K picture."""
    return write_video(path, [np.full(STILL_8K, 90, np.uint8)], codec="mjpeg", pix_fmt="yuvj420p")


def mixed_folder(folder: Path) -> Path:
    """Pictures 1 to 40, of which 10 is smaller, 20 empty and 21 noise; notes, a folder, a pipe and a dead link."""
    write_folder(folder, list(walkers(COUNT)))
    cv2.imwrite(str(folder / "010.png"), walkers(1)[0][:48, :64])
    (folder / "020.png").write_bytes(b"")
    (folder / "021.png").write_bytes(np.random.default_rng(0).bytes(500))
    (folder / "notes.txt").write_text("not a picture")
    (folder / "sub.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to("nowhere.png")
    return folder


def playlist(path: Path, secret: Path) -> Path:
    """A playlist that makes an unwary reader open another file."""
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    return path


def concat_list(path: Path, secret: Path) -> Path:
    path.write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    return path


def rows_of_pictures(count: int, size_hw: tuple[int, int]) -> np.ndarray:
    return walkers(count, size_hw=size_hw, speeds=(2.0,))
