"""How people keep out of each other's way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["avoidance"]

Floats = npt.NDArray[np.float64]

_HORIZON_S = 2.5


def avoidance(places: Floats, speeds: Floats, radii: Floats, obstacles: Floats) -> Floats:
    """Sideways push on each of N agents, m/s: float64 (N, 2).

    places, speeds: (N, 2), metres and m/s.  radii: (N,), room that each takes.  obstacles: (n, 3), place and radius.
    """
    count = len(places)
    all_places = np.concatenate([places, obstacles[:, :2]])
    all_speeds = np.concatenate([speeds, np.zeros((len(obstacles), 2))])
    all_radii = np.concatenate([radii, obstacles[:, 2]])
    gap = all_places[None] - places[:, None]
    drift = all_speeds[None] - speeds[:, None]
    meet_s = np.clip(-(gap * drift).sum(-1) / ((drift**2).sum(-1) + 1e-6), 0, _HORIZON_S)
    closest = gap + drift * meet_s[..., None]
    miss = np.linalg.norm(closest, axis=-1)
    room = radii[:, None] + all_radii[None] + 0.25
    urgency = np.clip(1 - miss / room, 0, 1) * (1 - meet_s / (_HORIZON_S * 1.2))
    urgency *= room / room.min()  # a cart is given a wider berth, and sooner
    urgency[np.arange(count), np.arange(count)] = 0.0
    heading = speeds / (np.linalg.norm(speeds, axis=1, keepdims=True) + 1e-6)
    aside = np.stack([heading[:, 1], -heading[:, 0]], axis=-1)
    side = -np.sign((closest * aside[:, None]).sum(-1) + 1e-3)
    return (urgency * side).sum(axis=1)[:, None] * aside * 1.1
