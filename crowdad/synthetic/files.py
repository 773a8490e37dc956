"""A generated clip as a video file with its truth beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.files import MB, read_json, written_whole
from crowdad.records import Box
from crowdad.synthetic.agents import IN_SCOPE
from crowdad.synthetic.clip import GeneratedClip

__all__ = ["ClipTruth", "load_truth", "write_clip"]

_FORMAT = "crowdad generated clip"
# x264 slices pictures by its threads and takes other decisions with other instructions; one seed is to be one video.
_SAME_EVERYWHERE = {"threads": "1", "x264-params": "cpu-independent=1"}


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """Truth of a written clip of T frames.

    labels: bool (T,), an anomaly in scope is visible.  out_of_scope: bool (T,), one that is a known limit is.
    kinds, boxes_xyxy, track_ids: per frame, of every visible anomaly.  provenance: scene, seed, camera, versions.
    """

    fps: float
    size_hw: tuple[int, int]
    labels: npt.NDArray[np.bool_]
    out_of_scope: npt.NDArray[np.bool_]
    kinds: tuple[tuple[str, ...], ...]
    boxes_xyxy: tuple[tuple[Box, ...], ...]
    track_ids: tuple[tuple[int, ...], ...]
    provenance: dict[str, object]

    def of_kind(self, kind: str) -> npt.NDArray[np.bool_]:
        """Frames in which that kind is visible: bool (T,)."""
        return np.array([kind in kinds for kinds in self.kinds], np.bool_)


def truth_path(path: Path) -> Path:
    """Where the truth of the video at `path` lies: `clip.mp4` -> `clip.truth.json`."""
    return path.with_suffix(".truth.json")


def write_clip(clip: GeneratedClip, path: str | Path, *, crf: int = 20) -> Path:
    """Write H.264 (yuv420p) video and `<name>.truth.json` beside it; gives the path of the truth.

    Both get their names when whole.  Raises OutputNotWritableError.
    """
    path = Path(path)
    advice = "choose another place"
    with written_whole(path, ending=f".part{path.suffix}", advice=advice) as video:
        records = _encode(clip, video, crf)
        with written_whole(truth_path(path), advice=advice) as truth:
            truth.write_text(json.dumps(_document(clip, records)), encoding="utf-8")
    return truth_path(path)


def _encode(clip: GeneratedClip, path: Path, crf: int) -> list[list[dict[str, object]]]:
    """Write the video; gives what is visible in each frame."""
    records: list[list[dict[str, object]]] = []
    with av.open(str(path), "w", options={"movflags": "faststart"}) as video:
        stream = video.add_stream("libx264", rate=Fraction(clip.fps).limit_denominator(1001))
        stream.height, stream.width = clip.size_hw
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", **_SAME_EVERYWHERE}
        for picture, truth in clip:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            subjects = zip(truth.kinds, truth.track_ids, truth.boxes_xyxy, strict=True)
            records.append([{"kind": kind, "track_id": track, "box_xyxy": box} for kind, track, box in subjects])
        video.mux(stream.encode())
    return records


def _document(clip: GeneratedClip, records: list[list[dict[str, object]]]) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "version": 1,
        "fps": clip.fps,
        "size_hw": clip.size_hw,
        "in_scope": IN_SCOPE,
        "provenance": {"scene": asdict(clip.config), "seed": clip.seed},
        "frames": records,
    }


def load_truth(path: str | Path) -> ClipTruth:
    """Truth of a written clip, by the path of its video or of its truth.

    Raises DatasetNotFoundError where there is none, DataError for another kind of file.
    """
    path = Path(path)
    path = path if path.name.endswith(".truth.json") else truth_path(path)
    if not path.is_file():
        raise DatasetNotFoundError(f"{path}: not there; write_clip puts it beside the video")
    try:
        document = read_json(path, 256 * MB)
        if document["format"] != _FORMAT:
            raise KeyError("format")
        frames, in_scope = document["frames"], set(document["in_scope"])
        kinds = tuple(tuple(subject["kind"] for subject in frame) for frame in frames)
        height, width = document["size_hw"]
        return ClipTruth(
            float(document["fps"]),
            (height, width),
            np.array([any(kind in in_scope for kind in frame) for frame in kinds], np.bool_),
            np.array([any(kind not in in_scope for kind in frame) for frame in kinds], np.bool_),
            kinds,
            tuple(tuple(tuple(subject["box_xyxy"]) for subject in frame) for frame in frames),
            tuple(tuple(subject["track_id"] for subject in frame) for frame in frames),
            document["provenance"],
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not the truth of a generated clip ({error!r}); write it again") from error
