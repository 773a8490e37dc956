"""How far a measured height can be relied on: found again in parts of the footage, and possible at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdad.tubes.scale.figures import Figures, Seen
from crowdad.tubes.scale.ridge import Ridge, find_ridge

__all__ = ["Judgement", "judge"]

Array = npt.NDArray[np.float64]

_REFITS, _BLOCKS, _POWERS = 24, 8, (0.8, 1.0, 1.2)
_FEW_FIGURES, _FEW_PASSAGES = 40, 6
_FAR_OFF, _MOST_FAR_OFF, _MOST_DEVIATION = 0.3, 0.25, 0.25  # of the refits' heights, in logarithms; share of refits
_LYING, _MOST_LYING = 0.25, 0.6  # of the logarithm of a person's height; for each upright one
_LEAST_ON_RIDGE = 0.08  # share of the moving area
_LARGE, _MOST_LARGE = 1.2, 0.65  # square person heights; share of the moving area
_SURE_SPREAD, _SURE_DEVIATION, _SURE_PASSAGES = 0.03, 0.1, 10
_PLACE, _PLACE_S = 1.5, 4.0  # person heights and seconds within which it may be the same person


@dataclass(frozen=True)
class Judgement:
    """refused: why the height cannot be told; unsure: why it may be off; each empty where there is no reason.

    few: it is refused as hardly anybody was seen at all.
    """

    refused: str
    unsure: str
    few: bool


def judge(seen: Seen, ridge: Ridge, fps: float, seed: int = 0) -> Judgement:
    """Whether what was measured holds: by evidence, by refits to parts of the footage, by what people look like."""
    figures = seen.upright.where(ridge.on)
    passages = _passages(figures, ridge, fps)
    refits = np.array(list(_refits(seen.upright, ridge, seed)))
    far_off = float((np.abs(refits).max(axis=1) > _FAR_OFF).mean())
    deviation = float(refits[:, 1].std())
    spread = float(np.median(np.abs(refits)))
    few_passed = f"only about {passages} {'person' if passages == 1 else 'people'} passed"
    scarce = {
        f"only {len(figures)} figures of people were seen": len(figures) < _FEW_FIGURES,
        few_passed: passages < _FEW_PASSAGES,
    }
    refusals = scarce | {
        "parts of the footage disagree about it": far_off > _MOST_FAR_OFF or deviation > _MOST_DEVIATION,
        "what moves is wide as often as tall, unlike people": _lying(seen, ridge) > _MOST_LYING * len(figures),
        "most of what moves is cut into pieces or hidden": _on_ridge(seen, figures) < _LEAST_ON_RIDGE,
        "most of what moves is larger than a person": _large(seen, ridge) > _MOST_LARGE,
    }
    refused = next((why for why, holds in refusals.items() if holds), "")
    doubts = {
        few_passed: passages < _SURE_PASSAGES,
        f"parts of the footage differ by {max(spread, deviation):.0%}": (
            spread > _SURE_SPREAD or deviation > _SURE_DEVIATION
        ),
    }
    return Judgement(refused, "; ".join(why for why, holds in doubts.items() if holds), refused in scarce)


def _passages(figures: Figures, ridge: Ridge, fps: float) -> int:
    """Places and moments in which somebody was seen, far enough apart to be somebody else or elsewhere."""
    height = ridge.height_at(figures.x, figures.y) * _PLACE
    cells = np.stack([figures.x // height, figures.y // height, figures.at // (_PLACE_S * fps)], axis=1)
    return len(np.unique(cells, axis=0))


def _refits(figures: Figures, ridge: Ridge, seed: int) -> Iterator[Array]:
    """Logarithm of refitted over fitted height, far, in the middle and near, for each draw of blocks of time."""
    rng = np.random.default_rng(seed)
    on = figures.where(ridge.on)
    rows = np.quantile(on.y, (0.1, 0.5, 0.9)) if len(on) else np.full(3, ridge.size_hw[0] / 2)
    columns = np.full(3, np.median(on.x) if len(on) else ridge.size_hw[1] / 2)
    fitted = ridge.height_at(columns, rows)
    begin, end = figures.at.min(), figures.at.max() + 1
    block = ((figures.at - begin) * _BLOCKS // (end - begin)).astype(np.int64)
    for number in range(_REFITS):
        drawn = np.bincount(rng.integers(_BLOCKS, size=_BLOCKS), minlength=_BLOCKS)[block]
        if not drawn.any():
            continue
        power = _POWERS[number % len(_POWERS)]
        refit = find_ridge(figures.where(drawn > 0), ridge.size_hw, weights=drawn[drawn > 0].astype(float), power=power)
        yield np.log(refit.height_at(columns, rows) / fitted)


def _lying(seen: Seen, ridge: Ridge) -> int:
    """Blobs that are as wide as a person is tall: cars, arms, waves."""
    lying = seen.lying
    return int((np.abs(np.log(lying.width / ridge.height_at(lying.x, lying.y))) < _LYING).sum())


def _on_ridge(seen: Seen, figures: Figures) -> float:
    """Share of the moving area in figures; each of the three cuts gives its own."""
    return float(figures.area.sum()) / 3 / max(float(seen.everything.area.sum()), 1.0)


def _large(seen: Seen, ridge: Ridge) -> float:
    """Share of the moving area in blobs whose box is larger than a person's."""
    everything = seen.everything
    person = ridge.height_at(everything.x, everything.y)
    large = everything.width * everything.height > _LARGE * person**2
    return float(everything.area[large].sum()) / max(float(everything.area.sum()), 1.0)
