"""Frames of Ped1 and Ped2 with heat and the outline of the truth.  They show the data, so they are never committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.evaluation.datasets.clips import Clip
from crowdad.evaluation.protocols import ClipScores
from crowdad.outputs.heat import HeatPaint
from crowdad.records import Heatmap

__all__ = ["Moment", "clearest_finds", "draw_pictures", "worst_mistakes"]

_HEATMAPS, _MISTAKES = 6, 8
_WIDTH_PX = 720  # of an enlarged frame, about
_COLUMNS = 2
_CAPTION_PX = 24
_OUTLINE_BGR, _HOTTEST_BGR = (80, 255, 80), (60, 60, 255)
_ASSUMED_FPS = 10

Bgr = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Moment:
    """One frame of one clip: their places, what it scored and what it truly is."""

    clip: int
    frame: int
    anomaly: float
    anomalous: bool


def clearest_finds(run: Sequence[ClipScores], count: int = _HEATMAPS) -> list[Moment]:
    """The highest-scored anomalous frame of `count` clips, spread evenly over those that have any."""
    places = [place for place, clip in enumerate(run) if clip.labels.any()]
    chosen = [places[i * len(places) // count] for i in range(count)] if len(places) > count else places
    return [
        _moment(run, place, int(np.argmax(np.where(run[place].labels, run[place].anomaly, -1)))) for place in chosen
    ]


def worst_mistakes(run: Sequence[ClipScores], count: int = _MISTAKES) -> list[Moment]:
    """The highest-scored normal frames and the lowest-scored anomalous ones, half of `count` each, worst first.

    At most one a second of a clip: neighbours tell the same story.
    """
    everything = [_moment(run, place, frame) for place, clip in enumerate(run) for frame in range(len(clip.labels))]
    false_alarms = sorted((m for m in everything if not m.anomalous), key=lambda m: -m.anomaly)
    misses = sorted((m for m in everything if m.anomalous), key=lambda m: m.anomaly)
    return _apart(false_alarms, count // 2) + _apart(misses, count // 2)


def _moment(run: Sequence[ClipScores], place: int, frame: int) -> Moment:
    clip = run[place]
    return Moment(place, frame, float(clip.anomaly[frame]), bool(clip.labels[frame]))


def _apart(moments: Iterable[Moment], count: int) -> list[Moment]:
    taken: list[Moment] = []
    for moment in moments:
        near = (m for m in taken if m.clip == moment.clip and abs(m.frame - moment.frame) < _ASSUMED_FPS)
        if len(taken) < count and not any(near):
            taken.append(moment)
    return taken


def draw_pictures(
    protocol: str, run: Sequence[ClipScores], clips: Sequence[Clip], folder: Path
) -> tuple[list[Path], list[str]]:
    """Draw the sheets `<protocol>-heatmaps.png` and `<protocol>-mistakes.png` into `folder`.

    run: scores of `clips`, in their order.  Returns the paths, and the captions of the mistakes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, captions = [], []
    for name, moments in (("heatmaps", clearest_finds(run)), ("mistakes", worst_mistakes(run))):
        captions = [_caption(number, moment, clips) for number, moment in enumerate(moments, start=1)]
        pictures = [_picture(m, run, clips, caption) for m, caption in zip(moments, captions, strict=True)]
        path = folder / f"{protocol}-{name}.png"
        _, encoded = cv2.imencode(".png", _sheet(pictures))
        path.write_bytes(encoded.tobytes())
        paths.append(path)
    return paths, captions


def _caption(number: int, moment: Moment, clips: Sequence[Clip]) -> str:
    truth = "anomalous" if moment.anomalous else "normal"
    return f"{number}: {clips[moment.clip].name} frame {moment.frame}, truly {truth}, anomaly {moment.anomaly:.2f}"


def _picture(moment: Moment, run: Sequence[ClipScores], clips: Sequence[Clip], caption: str) -> Bgr:
    """The frame, enlarged, with heat, the truth's outline, a circle at the hottest place and a caption below."""
    clip, scored = clips[moment.clip], run[moment.clip]
    luma = next(frame.luma for frame in clip.open().frames() if frame.index == moment.frame)
    zoom = max(1, round(_WIDTH_PX / luma.shape[1]))
    height, width = (side * zoom for side in luma.shape)
    enlarged = np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    bgr = np.repeat(enlarged[..., None], 3, axis=2)
    heat = Heatmap(scored.maps[moment.frame].astype(np.float32), scored.cell_px * zoom, (height, width))
    HeatPaint().blend(bgr, heat)
    # Most mistakes lie below the heat that is painted: the circle tells what came nearest to it.
    row, column = np.unravel_index(int(heat.anomaly.argmax()), heat.anomaly.shape)
    centre = round((column + 0.5) * heat.cell_px), round((row + 0.5) * heat.cell_px)
    cv2.circle(bgr, centre, round(3 * heat.cell_px), _HOTTEST_BGR, 1, cv2.LINE_AA)
    masks = clip.masks()
    if masks is not None:
        mask = cv2.resize(masks[moment.frame].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(bgr, outlines, -1, _OUTLINE_BGR, 1)
    band = np.zeros((_CAPTION_PX, width, 3), np.uint8)
    cv2.putText(band, caption, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([bgr, band])


def _sheet(pictures: Sequence[Bgr]) -> Bgr:
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // _COLUMNS)
    sheet = np.zeros((rows * height, _COLUMNS * width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // _COLUMNS * height, number % _COLUMNS * width
        sheet[y : y + height, x : x + width] = picture
    return sheet
