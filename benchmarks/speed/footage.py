"""The footage that speed is measured on, each with a model of its scene; kept in a folder from run to run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras
from crowdad.config import Settings
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.files import written_whole
from crowdad.outputs.h264 import H264Writer
from crowdad.sources import open_source
from crowdad.synthetic import GeneratedClip, SceneConfig, write_clip
from crowdad.workflows import fit

__all__ = ["FOOTAGE", "Footage", "prepared", "repeated", "resized"]

FOOTAGE = {"ped2": "240x360, UCSD Ped2", "720p50": "1280x720 at 50 fps, drawn", "1080p25": "1920x1080 at 25 fps, drawn"}


@dataclass(frozen=True, eq=False)
class Footage:
    """A video with a model of its scene and a graph for ONNX Runtime beside that.

    fps: of the footage.  labels: bool (frames,), True where a frame is truly anomalous; None where nobody asks.
    """

    name: str
    video: Path
    model: Path
    frames: int
    fps: float
    labels: npt.NDArray[np.bool_] | None = None


def prepared(name: str, folder: Path, data: Path | None, frames: int, settings: Settings) -> Footage:
    """The footage of this name (of FOOTAGE) in `folder`, made where it is not there yet.

    frames: of generated footage; Ped2's test clips are taken whole, one after the other in one file.
    Raises DataError where the data set is not at hand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    video, model = folder / f"{name}-{frames}.mp4", folder / f"{name}.safetensors"
    if name == "ped2":
        return _ped2(folder, data, settings)
    scene = _scene(name)
    if not video.exists():
        write_clip(GeneratedClip(scene, 2, duration_s=frames / scene.fps), video)
    if not model.exists():
        normal = folder / f"{name}-normal.mp4"
        write_clip(GeneratedClip(scene, 1, normal_only=True, duration_s=min(40.0, 1500 / scene.fps)), normal)
        fit(normal, settings=settings, output=model)
    return Footage(name, video, model, frames, scene.fps)


def repeated(footage: Footage, times: int, folder: Path) -> Path:
    """The video so many times in a row, packets copied as they are."""
    path = folder / f"{footage.name}-x{times}.mp4"
    with av.open(str(path), "w") as whole, av.open(str(footage.video)) as first:
        stream = whole.add_stream_from_template(first.streams.video[0])
        tick = first.streams.video[0].time_base
        assert tick is not None
        length = round(footage.frames / footage.fps / float(tick))
        for turn in range(times):
            with av.open(str(footage.video)) as one:
                for packet in one.demux(one.streams.video[0]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.dts, packet.pts = packet.dts + turn * length, packet.pts + turn * length
                    packet.stream = stream
                    whole.mux(packet)
    return path


def resized(footage: Footage, lines: int, folder: Path) -> Path:
    """The video with pictures of so many lines."""
    path = folder / f"{footage.name}-{lines}.mp4"
    source = open_source(footage.video)
    height, width = source.info.size_hw
    size_hw = (lines, round(width * lines / height / 2) * 2)
    with H264Writer(path, size_hw, footage.fps, crf=20) as video:
        for frame in source.frames(color=True):
            assert frame.bgr is not None
            smaller = cv2.resize(frame.bgr, size_hw[::-1], interpolation=cv2.INTER_AREA)
            video.write(np.asarray(smaller, np.uint8), frame.time_s)
    return path


def _scene(name: str) -> SceneConfig:
    known = cameras()
    return replace(known["plaza720"], fps=50.0) if name == "720p50" else known["plaza1080"]


def _ped2(folder: Path, data: Path | None, settings: Settings) -> Footage:
    dataset = find_dataset("ped2", data)
    video, model = folder / "ped2.mp4", folder / "ped2.safetensors"
    sources = [clip.open() for clip in dataset.test]
    if not video.exists():
        with written_whole(video) as part, H264Writer(part, sources[0].info.size_hw, sources[0].fps, crf=18) as written:
            number = 0
            for source in sources:
                for frame in source.frames(color=True):
                    assert frame.bgr is not None
                    written.write(frame.bgr, number / source.fps)
                    number += 1
    if not model.exists():
        fit([clip.open() for clip in dataset.train], settings=settings, output=model)
    labels = np.concatenate([clip.labels() for clip in dataset.test])
    return Footage("ped2", video, model, len(labels), sources[0].fps, labels)
