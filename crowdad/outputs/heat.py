"""Heat over a picture: nothing where all is normal, a glow that grows towards the threshold and past it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.errors import ConfigError
from crowdad.records import HEAT_RISE, Heatmap, glow

__all__ = ["COLOUR_MAPS", "HeatPaint", "raw_colours"]

COLOUR_MAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
}

_MARGIN_CELLS = 2


class HeatPaint:
    """Paints heatmaps over pictures.

    colour_map: a name of COLOUR_MAPS.  threshold: anomaly around which the heat appears, see `records.glow`.
    strength: opacity of the full heat, 0..1.

    Raises ConfigError for an unknown colour map.
    """

    def __init__(self, colour_map: str = "inferno", threshold: float = 0.5, strength: float = 0.65) -> None:
        if colour_map not in COLOUR_MAPS:
            raise ConfigError(f"colour map {colour_map!r} is unknown; choose one of {', '.join(COLOUR_MAPS)}")
        self.first_visible = threshold - HEAT_RISE
        place, opacity = glow(np.arange(256) / 255, threshold)
        alpha = strength * opacity
        levels = np.rint(place * 255).astype(np.uint8)[:, None]
        self.colours = np.asarray(cv2.applyColorMap(levels, COLOUR_MAPS[colour_map]), dtype=np.uint8)[:, 0]
        self._ink = np.rint(self.colours * alpha[:, None]).astype(np.uint8)[:, None]
        self._through = np.repeat(np.rint(255 * (1 - alpha)).astype(np.uint8)[:, None, None], 3, axis=2)

    def blend(self, bgr: npt.NDArray[np.uint8], heatmap: Heatmap) -> None:
        """Paint into a picture, uint8 (H, W, 3) of the heatmap's size; only the part with heat is touched."""
        warm = heatmap.anomaly >= self.first_visible
        if not warm.any():
            return
        warm_rows, warm_columns = np.nonzero(warm)
        rows, columns = _span(warm_rows, warm.shape[0]), _span(warm_columns, warm.shape[1])
        cells = np.nan_to_num(heatmap.anomaly[rows[0] : rows[1], columns[0] : columns[1]])
        y0, y1 = (round(edge * heatmap.cell_px) for edge in rows)
        x0, x1 = (round(edge * heatmap.cell_px) for edge in columns)
        levels = np.rint(np.clip(cells, 0, 1) * 255).astype(np.uint8)
        smooth = cv2.resize(levels, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
        under = bgr[y0:y1, x0:x1]
        smooth = smooth[: under.shape[0], : under.shape[1]]
        through = cv2.applyColorMap(smooth, self._through)
        ink = cv2.applyColorMap(smooth, self._ink)
        under[:] = cv2.add(cv2.multiply(under, through, scale=1 / 255), ink)


def raw_colours(colour_map: str) -> npt.NDArray[np.uint8]:
    """The colours of a map of COLOUR_MAPS from its dark to its bright end: uint8 (256, 3), red, green, blue."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(np.asarray(cv2.applyColorMap(levels, COLOUR_MAPS[colour_map]), np.uint8)[:, 0, ::-1])


def _span(places: npt.NDArray[np.intp], count: int) -> tuple[int, int]:
    """First and one past the last of the warm rows or columns, with a margin for the smooth edge."""
    return max(0, int(places.min()) - _MARGIN_CELLS), min(count, int(places.max()) + 1 + _MARGIN_CELLS)
