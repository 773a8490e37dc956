"""Tiny footage drawn on the fly, and the rule that a skipped test is a failed run where `CROWDAD_NO_SKIPS` is set."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.config import Settings, load_settings
from crowdad.scene.model import SceneModel
from crowdad.synthetic import GeneratedClip, write_clip

if TYPE_CHECKING:
    from tests.object_store import Bucket

TINY_FPS = 10
TINY_COUNT = 24
TINY_SIZE_HW = (48, 64)

_unwanted_skips: list[str] = []


def moving_square(
    count: int = TINY_COUNT, size_hw: tuple[int, int] = TINY_SIZE_HW, *, color: bool = False
) -> npt.NDArray[np.uint8]:
    """A bright square that walks over a still, smooth background; every frame differs from every other.

    Returns uint8 (count, H, W), or (count, H, W, 3) in BGR order with `color`.
    """
    height, width = size_hw
    rows, columns = np.mgrid[0:height, 0:width]
    background = 60 + 30 * np.sin(rows / 5) * np.cos(columns / 7)
    frames = np.repeat(background[None], count, axis=0).astype(np.uint8)
    side = max(4, height // 4)
    for index in range(count):
        x = (2 * index) % max(1, width - side)
        y = (height - side) // 2 + index % 3
        frames[index, y : y + side, x : x + side] = 150 + (7 * index) % 90
    if not color:
        return frames
    tint = np.array([1.0, 0.8, 0.6])
    return (frames[..., None] * tint).astype(np.uint8)


def write_video(
    path: Path,
    frames: npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]],
    fps: int | Fraction = TINY_FPS,
    codec: str = "libx264",
    *,
    pix_fmt: str = "yuv420p",
    times_s: Sequence[float] | None = None,
    rotation_deg: int = 0,
    container_format: str | None = None,
    container_options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    stream_metadata: Mapping[str, str] | None = None,
    **codec_options: str,
) -> Path:
    """Encode uint8 grey (H, W) or BGR (H, W, 3) frames and return `path`.

    times_s: display time of each frame, for variable frame rates; None spaces them by `fps`.
    rotation_deg: what a player turns the picture by, counterclockwise, written as the container's display matrix.
    container_options: passed to the muxer, such as {"movflags": "faststart"}; metadata,
    stream_metadata: tags of the container and of its stream.
    codec_options: passed to the encoder, such as `g="12"`, `crf="18"` or `bf="2"`.
    """
    height, width = frames[0].shape[:2]
    time_base = Fraction(1, 90_000) if times_s is not None else 1 / Fraction(fps)
    with av.open(str(path), "w", format=container_format, options=dict(container_options or {})) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=Fraction(fps), options=codec_options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        stream.metadata.update(stream_metadata or {})
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="gray" if picture.ndim == 2 else "bgr24")
            frame.pts = index if times_s is None else round(Fraction(times_s[index]) / time_base)
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_folder(folder: Path, frames: Sequence[npt.NDArray[np.uint8]], pattern: str = "{:03d}.png") -> Path:
    """Write each frame as a picture, numbered from 1 as UCSD does, and return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(frames, start=1):
        name = pattern.format(number)
        encoded, blob = cv2.imencode(Path(name).suffix, picture)
        assert encoded
        (folder / name).write_bytes(blob.tobytes())
    return folder


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 mp4 of `moving_square()`: 24 frames of 64x48 at 10 fps.  Shared: read it, don't change it."""
    return write_video(tmp_path_factory.mktemp("tiny_video") / "tiny.mp4", moving_square())


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder 001.png .. 024.png of `moving_square()`.  Shared: read it, don't change it."""
    return write_folder(tmp_path_factory.mktemp("tiny_folder") / "clip", list(moving_square()))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept of fetched footage and runs on their way is kept in a folder of the tests' own."""
    from crowdad.outputs import remote
    from crowdad.sources import _fetched

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fetched, "cache_folder", lambda: folder / "fetched")
        patch.setattr(remote, "staging_folder", lambda: folder / "runs")
        yield


@pytest.fixture
def own_threads() -> Callable[[], set[str]]:
    """Names of crowdad's threads that run now and did not before the test (another test's may still end)."""
    before = set(threading.enumerate())
    return lambda: {thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("crowdad-")}


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The endpoint of an object store on loopback; the environment leads to it."""
    from tests.object_store import served

    yield from served()


@pytest.fixture
def bucket(object_store: str) -> Bucket:
    """An empty bucket of the object store."""
    from tests.object_store import new_bucket

    return new_bucket()


TINY_SETTINGS = (
    "encoder.epochs=2",
    "encoder.max_tubes=2000",
    "motion.preset=ultrafast",
    "normality.clusters=16",
    "normality.clusters_unlabelled=12",
    "scale.bursts=24",
    "scale.person_px=24",
    "scale.walk_px=1.5",
    "tubes.spacing=0.4",
)
"""Overrides that make a fit take seconds; what it learns is coarse."""


@dataclass(frozen=True)
class TinyCamera:
    """A generated camera of 360x240 at 10 fps, and a scene fitted on it.

    normal, unusual: mp4 of 16 s and 12 s; only the second has anomalies, its truth lies beside it.
    settings: what `model` was fitted with.
    """

    normal: Path
    unusual: Path
    settings: Settings
    scene: SceneModel
    model: Path


@pytest.fixture(scope="session")
def tiny_camera(tmp_path_factory: pytest.TempPathFactory) -> TinyCamera:
    """One camera's footage and its fitted scene.  Shared, also by pytest-xdist's workers: read it, don't change it."""
    from crowdad.workflows import fit

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny_camera"
    folder.mkdir(exist_ok=True)
    normal, unusual, model = folder / "normal.mp4", folder / "unusual.mp4", folder / "tiny.safetensors"
    settings = load_settings(overrides=TINY_SETTINGS)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not model.exists():
            write_clip(GeneratedClip("ped2like", seed=1, normal_only=True, duration_s=16), normal)
            write_clip(GeneratedClip("ped2like", seed=2, duration_s=12), unusual)
            fit(normal, settings=settings, output=model)
    return TinyCamera(normal, unusual, settings, SceneModel.load(model), model)


def _note_skip(report: pytest.TestReport | pytest.CollectReport, keywords: Sequence[str]) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or {"slow", "gpu"} & set(keywords):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    _unwanted_skips.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skip(report, list(report.keywords))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report, [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CROWDAD_NO_SKIPS") and _unwanted_skips and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not os.environ.get("CROWDAD_NO_SKIPS"):
        return
    for line in _unwanted_skips:
        terminalreporter.write_line(f"CROWDAD_NO_SKIPS is set, but a test was skipped: {line}", red=True)
