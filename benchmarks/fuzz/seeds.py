"""The sound inputs that the fuzzer damages: tiny clips in every common container, pictures, a model and a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from crowdad.config import load_settings
from crowdad.synthetic import GeneratedClip, write_clip
from crowdad.workflows import detect, fit

__all__ = ["FRAMES", "RAW_FPS", "Clip", "Seeds", "encode", "walkers", "write_seeds"]

FRAMES = 40
RAW_FPS = 10
_SIZE_HW = (48, 72)
_SETTINGS = (
    "encoder.epochs=2",
    "encoder.max_tubes=2000",
    "motion.preset=ultrafast",
    "normality.clusters=16",
    "scale.person_px=24",
    "scale.walk_px=1.5",
    "tubes.spacing=0.3",
)


@dataclass(frozen=True)
class Clip:
    """How a sound clip is made.  options: of the encoder; muxer: of the container."""

    name: str
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)


_SHORT_GOP = {"g": "12", "bf": "2"}
_CLIPS = (
    Clip("index-first.mp4", options=_SHORT_GOP, muxer={"movflags": "faststart"}),
    Clip("index-last.mp4", options=_SHORT_GOP),
    Clip("fragments.mp4", options=_SHORT_GOP, muxer={"movflags": "frag_keyframe+empty_moov"}),
    Clip("intra.mp4", options={"g": "1"}, muxer={"movflags": "faststart"}),
    Clip("hevc.mp4", "libx265", options={"x265-params": "log-level=none:keyint=12"}),
    Clip("ten-bit.mkv", pix_fmt="yuv420p10le", options=_SHORT_GOP),
    Clip("h264.mkv", options=_SHORT_GOP),
    Clip("camera.ts", options=_SHORT_GOP),
    Clip("mpeg2.ts", "mpeg2video", options=_SHORT_GOP),
    Clip("mpeg2.mpg", "mpeg2video", options=_SHORT_GOP),
    Clip("mpeg4.avi", "mpeg4", options={"g": "12"}),
    Clip("motion-jpeg.avi", "mjpeg", "yuvj420p"),
    Clip("motion-jpeg.mov", "mjpeg", "yuvj420p"),
    Clip("vp8.webm", "libvpx", options={"g": "12"}),
    Clip("vp9.webm", "libvpx-vp9", options={"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    Clip("sorenson.flv", "flv", options={"g": "12"}),
    Clip("windows.wmv", "wmv2", options={"g": "12"}),
    Clip("lossless.mkv", "ffv1", "gray"),
    Clip("animation.gif", "gif", "gray"),
    Clip("raw.h264", options=_SHORT_GOP),
)


@dataclass(frozen=True)
class Seeds:
    """Where the sound inputs lie.  clips, pictures: files; model: a fitted scene; run: the folder of a finished run
    of `footage`; normal: what the model learned from."""

    clips: list[Path]
    pictures: list[Path]
    model: Path
    run: Path
    footage: Path
    normal: Path

    def clip(self, name: str) -> Path:
        """The clip of this name."""
        return next(clip for clip in self.clips if clip.name == name)


def write_seeds(folder: Path) -> Seeds:
    """Make all sound inputs in `folder`; takes seconds."""
    frames = walkers()
    clips = [encode(folder / clip.name, clip, frames) for clip in _CLIPS]
    pictures = [_write_picture(folder / f"picture{suffix}", frames[0]) for suffix in (".png", ".jpg", ".tif", ".webp")]
    pictures += [_write_picture(folder / f"picture{suffix}", frames[0]) for suffix in (".bmp", ".pgm", ".jp2")]
    normal, model, run = folder / "normal.mp4", folder / "scene.safetensors", folder / "run"
    write_clip(GeneratedClip("ped2like", seed=1, normal_only=True, duration_s=12), normal)
    fit(normal, settings=load_settings(overrides=_SETTINGS), output=model)
    detect(clips[0], model=model, output=run, overlay=False)
    return Seeds(clips, pictures, model, run, clips[0], normal)


def walkers() -> list[npt.NDArray[np.uint8]]:
    """Textured boxes that cross a textured ground: uint8 (H, W) each."""
    rng = np.random.default_rng(0)
    height, width = _SIZE_HW
    ground = cv2.resize(rng.integers(40, 120, (12, 18), dtype=np.uint8), (width, height))
    bodies = [cv2.resize(rng.integers(90, 255, (5, 3), dtype=np.uint8), (6, 12)) for _ in range(3)]
    frames = []
    for index in range(FRAMES):
        frame = np.asarray(ground, np.uint8).copy()
        for number, body in enumerate(bodies):
            x = (10 + 20 * number + (-1) ** number * index) % (width - 6)
            frame[4 + 14 * number : 16 + 14 * number, x : x + 6] = body
        frames.append(frame)
    return frames


def encode(path: Path, clip: Clip, frames: Sequence[npt.NDArray[np.uint8]], fps: int = RAW_FPS) -> Path:
    """Write uint8 (H, W) pictures of `walkers` as the clip asks."""
    with av.open(str(path), "w", options=clip.muxer) as container:
        stream = container.add_stream(clip.codec, rate=fps, options=clip.options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *_SIZE_HW, clip.pix_fmt
        stream.codec_context.thread_count = 1
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))
    return path


def _write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path
