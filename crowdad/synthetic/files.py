"""A generated clip as a video file with its truth beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError, DatasetNotFoundError
from crowdad.files import MB, read_json, written_whole
from crowdad.records import Box
from crowdad.synthetic.agents import LABELLED
from crowdad.synthetic.clip import GeneratedClip
from crowdad.synthetic.moods import CrowdEvent
from crowdad.synthetic.studio import Truth

__all__ = ["ClipTruth", "load_truth", "write_clip"]

_FORMAT = "crowdad generated clip"
_NO_MASK = np.zeros((0, 0), np.bool_)
# x264 slices pictures by its threads and takes other decisions with other instructions; one seed is to be one video.
_SAME_EVERYWHERE = {"threads": "1", "x264-params": "cpu-independent=1"}


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """Truth of a written clip of T frames.

    labels: bool (T,), an anomaly that is no known limit is visible, or the crowd does something unusual.
    out_of_scope: bool (T,), one that is a known limit is.
    kinds, boxes_xyxy, track_ids: per frame, of every visible anomaly.  provenance: scene, seed, camera, versions.
    stands_since_s: per frame, of each of these subjects, None for one that does not count by its standing.
    crowd_events: what the whole crowd does.  undecided: bool (T,), somebody stands who is about to count.
    """

    fps: float
    size_hw: tuple[int, int]
    labels: npt.NDArray[np.bool_]
    out_of_scope: npt.NDArray[np.bool_]
    kinds: tuple[tuple[str, ...], ...]
    boxes_xyxy: tuple[tuple[Box, ...], ...]
    track_ids: tuple[tuple[int, ...], ...]
    provenance: dict[str, object]
    stands_since_s: tuple[tuple[float | None, ...], ...] = ()
    crowd_events: tuple[CrowdEvent, ...] = ()
    undecided: npt.NDArray[np.bool_] | None = None

    def of_kind(self, kind: str) -> npt.NDArray[np.bool_]:
        """Frames in which that kind is visible, or the crowd does it: bool (T,)."""
        shown = np.array([kind in kinds for kinds in self.kinds], np.bool_)
        for event in self.crowd_events:
            if event.kind == kind:
                shown |= _lasting(event, len(shown), self.fps)
        return shown


def _lasting(event: CrowdEvent, frames: int, fps: float) -> npt.NDArray[np.bool_]:
    """Frames while an event lasts: bool (T,)."""
    times_s = np.arange(frames) / fps
    return (event.start_s <= times_s) & (times_s < event.end_s)


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
        truths = _encode(clip, video, crf)
        with written_whole(truth_path(path), advice=advice) as truth:
            truth.write_text(json.dumps(_document(clip, truths)), encoding="utf-8")
    return truth_path(path)


def _encode(clip: GeneratedClip, path: Path, crf: int) -> list[Truth]:
    """Write the video; gives what is true of each frame, without masks."""
    truths: list[Truth] = []
    with av.open(str(path), "w", options={"movflags": "faststart"}) as video:
        stream = video.add_stream("libx264", rate=Fraction(clip.fps).limit_denominator(1001))
        stream.height, stream.width = clip.size_hw
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", **_SAME_EVERYWHERE}
        for picture, truth in clip:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            truths.append(replace(truth, mask=_NO_MASK))
        video.mux(stream.encode())
    return truths


def _subjects(truth: Truth) -> list[dict[str, object]]:
    subjects = zip(truth.kinds, truth.track_ids, truth.boxes_xyxy, truth.stands_since_s, strict=True)
    return [
        {"kind": kind, "track_id": track, "box_xyxy": box, **({} if since is None else {"stands_since_s": since})}
        for kind, track, box, since in subjects
    ]


def _document(clip: GeneratedClip, truths: list[Truth]) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "version": 1,
        "fps": clip.fps,
        "size_hw": clip.size_hw,
        "in_scope": LABELLED,
        "provenance": {"scene": asdict(clip.config), "seed": clip.seed},
        "crowd_events": [asdict(event) for event in clip.crowd_events],
        "undecided_frames": [truth.index for truth in truths if truth.undecided],
        "frames": [_subjects(truth) for truth in truths],
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
        fps, events = float(document["fps"]), tuple(_event(entry) for entry in document.get("crowd_events", ()))
        labels = np.array([any(kind in in_scope for kind in frame) for frame in kinds], np.bool_)
        for event in events:
            labels |= _lasting(event, len(frames), fps)
        return ClipTruth(
            fps,
            (height, width),
            labels,
            np.array([any(kind not in in_scope for kind in frame) for frame in kinds], np.bool_),
            kinds,
            tuple(tuple(tuple(subject["box_xyxy"]) for subject in frame) for frame in frames),
            tuple(tuple(subject["track_id"] for subject in frame) for frame in frames),
            document["provenance"],
            tuple(tuple(subject.get("stands_since_s") for subject in frame) for frame in frames),
            events,
            np.isin(np.arange(len(frames)), document.get("undecided_frames", [])),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not the truth of a generated clip ({error!r}); write it again") from error


def _event(entry: dict[str, Any]) -> CrowdEvent:
    x, y = entry["place_m"]
    return CrowdEvent(str(entry["kind"]), float(entry["start_s"]), float(entry["end_s"]), (float(x), float(y)))
