"""The page's pictures, small and inside it."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.outputs.heat import HeatPaint, raw_colours
from crowdad.outputs.report.packing import PackedHeat
from crowdad.records import Box, Heatmap

__all__ = ["data_url", "frame_peak", "framed", "motion_strip", "where_picture"]

Picture = npt.NDArray[np.uint8]

_PEAK_HW = (120, 160)
_SCENE_WIDTH = 720
_QUALITY = 72
_KINDS = {".png": "image/png", ".jpg": "image/jpeg"}
_STRIP_GAP = 1


def data_url(picture: Picture, kind: str) -> str:
    """A picture, uint8 (h, w) or (h, w, 3) in blue, green, red, as an address that holds it.  kind: .png or .jpg."""
    _, encoded = cv2.imencode(kind, picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if kind == ".jpg" else [])
    return f"data:{_KINDS[kind]};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def framed(picture: Picture, box_xyxy: Box) -> str:
    """`frame_peak` as an address that holds it."""
    return data_url(frame_peak(picture, box_xyxy), ".jpg")


def frame_peak(picture: Picture, box_xyxy: Box) -> Picture:
    """The picture of a peak, uint8 (h, w, 3), at the size of a page's cards; a light frame with a dark edge around the
    box in it: uint8 (120, 160, 3).
    """
    height, width = _PEAK_HW
    small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    zoom = np.array([width / picture.shape[1], height / picture.shape[0]] * 2)
    x0, y0, x1, y1 = np.clip(np.rint(np.asarray(box_xyxy) * zoom), 1, [width - 3, height - 3] * 2).astype(int).tolist()
    cv2.rectangle(small, (x0 - 1, y0 - 1), (x1 + 1, y1 + 1), (32, 32, 32), 1)
    cv2.rectangle(small, (x0, y0), (x1, y1), (255, 255, 255), 1)
    return small


def motion_strip(motion: Picture) -> str:
    """The motion of a patch, uint8 (T, rows, columns), newest first, side by side from the oldest to the newest."""
    steps, rows, columns = motion.shape
    spaced = np.zeros((rows, steps * (columns + _STRIP_GAP) - _STRIP_GAP, 3), np.uint8)
    colours = raw_colours("inferno")[:, ::-1]
    for place, step in enumerate(motion[::-1]):
        left = place * (columns + _STRIP_GAP)
        spaced[:, left : left + columns] = colours[step]
    return data_url(spaced, ".png")


def where_picture(still: Picture, heat: PackedHeat) -> dict[str, Any] | None:
    """The scene in grey with the heat that each place gathered, brightest where most did; None without maps."""
    if heat.gathered is None or heat.data is None:
        return None
    height, width = still.shape[:2]
    size = (min(_SCENE_WIDTH, width), round(height * min(1.0, _SCENE_WIDTH / width)))
    small = cv2.resize(still, size, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    most = float(heat.gathered.max())
    shown = np.sqrt(heat.gathered / most if most > 0 else heat.gathered).astype(np.float32)
    cell_px = heat.data["cell_px"] * size[0] / width
    HeatPaint("inferno", threshold=0.35, strength=0.8).blend(grey, Heatmap(shown, cell_px, (size[1], size[0])))
    return {
        "picture": data_url(grey, ".jpg"),
        "width": size[0],
        "height": size[1],
        "caption": f"Where heat gathered over all frames (anomaly below 0.4 left out); at most {most:.3f} on average.",
    }
