"""How many people tubes are of."""

from __future__ import annotations

from scipy.spatial import cKDTree

from crowdad.records import Tubes

__all__ = ["people_among"]

_NEAR = 0.4  # person heights: tubes so near to each other are of one person


def people_among(tubes: Tubes) -> float:
    """About how many people these tubes are of, where people keep a distance: a sum over tubes of 1 / neighbours."""
    if not len(tubes):
        return 0.0
    place = tubes.path_xy[:, 0]
    near = cKDTree(place).query_ball_point(place, _NEAR * tubes.person_px, return_length=True)
    return float((1 / near).sum())
