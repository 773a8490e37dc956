"""From raw anomaly to a number a person can read: 0.5 at the threshold, the threshold from the wanted false alarms."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, TypeAdapter

from crowdad.config import CalibrationSettings
from crowdad.errors import TooLittleMotionError
from crowdad.records import FrameResult

__all__ = [
    "Calibration",
    "RunningCalibration",
    "block_peaks",
    "fit_tail",
    "peaks_by_place",
    "raw_of",
    "readable",
    "usual_heat",
]

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_MIN_EXCESSES = 40
_MANY_EXCESSES = 400  # a shape read from fewer is noise, which extrapolating to an hour multiplies
_SURE = 0.99  # of normal footage's peaks: the others may be the odd cyclist among the walkers
_SHORT_TAIL = 0.3  # where peaks are few, an exponential through most of them
_SHOULDERS = (0.3, 0.5, 0.7)  # quantiles that tails begin at where only the lower peaks are sure
_SHAPE_LIMITS = (-0.25, 0.15)
_WINDOW_HOURS = 1.0
_FIRST_HOURS = 1 / 30
_REFIT_HOURS = 1 / 60
_FEWEST_PEAKS = 40
_MOST_CHANGE = 2.0
_LEAST_SPREAD = 0.1
_SHOULDER = 0.8  # quantile: anomalies are among the peaks above it, and do not move it
_SAMPLED_FROM = 1.2  # times as much was learned from: the first steps after a break give nothing to calibrate on
_MOST_RAW = 1000.0  # votes are averages of at most 2, so this is far beyond


@dataclass(frozen=True)
class Calibration:
    """Tail of the raw anomaly of normal footage, in peaks: maxima over blocks of place and time.

    level: raw anomaly above which the tail holds.  peaks_per_hour: how often normal footage passes it.
    shape, scale: of the generalised Pareto tail above it.  hours: length of the footage it was read from.
    learned_hours: length of all that the scene was learned from, of which that may be a sample; 0 in files from before
    it was kept.
    how: the model of the tail, in words.  note: of older files, not used any more; see `promise`.
    usual, spread: median of the peaks, and how far above it the largest peak of ordinary footage of this length is
    expected; 0 in older files.
    """

    level: float
    peaks_per_hour: float
    shape: float
    scale: float
    hours: float
    how: str
    note: str = ""
    usual: float = 0.0
    spread: float = 0.0
    learned_hours: float = 0.0

    __pydantic_config__ = ConfigDict(extra="forbid")  # of `from_dict`

    def threshold(self, false_alarms_per_hour: float) -> float:
        """Raw anomaly that normal footage passes so many times an hour."""
        ratio = max(self.peaks_per_hour / false_alarms_per_hour, 1e-6)
        if abs(self.shape) < 1e-6:
            above = self.scale * math.log(ratio)
        else:
            above = self.scale / self.shape * (ratio**self.shape - 1)
        return min(max(self.level + above, 1e-6), _MOST_RAW)

    def surprise(self, raw: float) -> float:
        """How many times this raw anomaly stands out from the footage that the scene was learned from.

        It is how far it lies above the middle of all peaks, over how far the largest of them is to be expected if
        nothing is unusual: the most unusual moment of an ordinary clip stands out about once, of whatever length it is.
        """
        return (raw - self.usual) / max(self.spread, 1e-6)

    def standing_out(self, times: float) -> float:
        """The raw anomaly that stands out so many times."""
        return max(self.usual + times * self.spread, 1e-6)

    def promise(self, false_alarms_per_hour: float) -> str:
        """What to know of this rate, empty where the footage can promise it: that is one false alarm in its length."""
        if false_alarms_per_hour * self.hours >= 1 - 1e-9:
            return ""
        least = 1 / self.hours
        promised = f"{least:.1f}" if least < 10 else f"{least:.0f}"
        basis = f"learned from {_length_text(self.hours)} of footage"
        more = f"learn from {_length_text(1 / false_alarms_per_hour)}, or "
        if self.is_sampled:  # more footage would be sampled more thinly
            basis = (
                f"the alarm level is calibrated on {_length_text(self.hours)}, a sample of the "
                f"{_length_text(self.learned_hours)} that were learned from"
            )
            more = ""
        return (
            f"{basis}, which can promise at most {promised} false alarms an hour; the wanted {false_alarms_per_hour:g} "
            f"is extrapolated, so events may be missed or false: {more}set --false-alarms-per-hour {math.ceil(least)}"
        )

    @property
    def is_sampled(self) -> bool:
        """Whether it was read from a part of what was learned from: busy footage has more than is kept in memory."""
        return self.learned_hours > _SAMPLED_FROM * self.hours

    @property
    def basis(self) -> str:
        """What it was read from, for people: its length, and that of all where it is a sample."""
        of_all = f" sampled from {_length_text(self.learned_hours)}" if self.is_sampled else ""
        return f"{_length_text(self.hours)}{of_all}"

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for a model file or a report."""
        return asdict(self)

    @staticmethod
    def from_dict(numbers: dict[str, Any]) -> Calibration:
        """The inverse of `as_dict`.  Raises ValueError for what no footage can have given."""
        calibration: Calibration = _CHECKED.validate_python(numbers)
        possible = {
            "level": 0 <= calibration.level <= _MOST_RAW,
            "peaks_per_hour": 0 < calibration.peaks_per_hour < math.inf,
            "shape": -1 <= calibration.shape <= 1,
            "scale": 0 < calibration.scale <= _MOST_RAW,
            "hours": 0 < calibration.hours < math.inf,
            "usual": 0 <= calibration.usual <= _MOST_RAW,
            "spread": 0 <= calibration.spread <= _MOST_RAW,
            "learned_hours": 0 <= calibration.learned_hours < math.inf,
        }
        for name, holds in possible.items():
            if not holds:
                raise ValueError(f"its calibration's {name} is {getattr(calibration, name)}, which no footage can give")
        return calibration


_CHECKED = TypeAdapter(Calibration)


def readable(raw: npt.NDArray[np.float32], threshold_raw: float) -> npt.NDArray[np.float32]:
    """Anomaly in [0, 1] from raw anomaly >= 0: rising, 0.5 at the threshold.  float32, shape kept."""
    squared = np.square(raw, dtype=np.float32)
    return squared / (squared + np.square(np.float32(threshold_raw)))


def raw_of(anomaly: npt.NDArray[np.float32], threshold_raw: float) -> npt.NDArray[np.float32]:
    """The inverse of `readable`; what reads 1 gets the largest value that reads less."""
    below = np.minimum(anomaly, np.float32(1 - 1e-6))
    return np.float32(threshold_raw) * np.sqrt(below / (1 - below))


class RunningCalibration:
    """Keeps the threshold current while a camera is watched: light, weather and crowds change what is normal.

    base: the calibration when the scene was fitted.  settings: as then.  streams: those whose heat it was read from, by
    their places in the scene's streams; where another leads, nothing is known of theirs.

    The tail is fitted anew each minute to the peaks of the last hour, see `fit_tail`: only the lower share of them that
    is `trusted` shapes it, so a burst of anomalies does not raise the threshold.
    The more was seen, the more it counts against `base`; the threshold never leaves half to twice the fitted one.
    """

    def __init__(self, base: Calibration, settings: CalibrationSettings, streams: Sequence[int] = (0,)) -> None:
        self._base = base
        self._streams = list(streams)
        self._settings = settings
        self._factor = 1.0
        self._run: tuple[int, tuple[int, ...]] | None = None
        self._frames = 0
        self._block: list[npt.NDArray[np.float32]] = []
        self._peaks: deque[tuple[float, Floats]] = deque()  # (hours, peaks) of one block of steps after the other
        self._fresh_hours = 0.0

    @property
    def threshold_raw(self) -> float:
        """Raw anomaly that reads 0.5 at present."""
        return self._factor * self._base.threshold(self._settings.false_alarms_per_hour)

    @property
    def calibration(self) -> Calibration:
        """The tail at present, as a scene model holds it."""
        return replace(self._base, level=self._base.level * self._factor, scale=self._base.scale * self._factor)

    def see(self, result: FrameResult, gap: int, fps: float) -> None:
        """Take note of a frame that was scored with `threshold_raw`.  gap: frames a step.  fps: frames a second."""
        run = (result.segment, result.heatmap.anomaly.shape)
        if run != self._run:
            self._run, self._frames, self._block = run, 0, []
        self._frames += 1
        if result.warm_up or self._frames % gap:
            return
        raw = raw_of(result.heatmap.anomaly, self.threshold_raw)
        if result.leading is not None:  # other streams' levels follow the threshold, which would follow itself
            raw = raw * np.isin(result.leading, self._streams)
        self._block.append(raw)
        if len(self._block) < self._settings.block_steps:
            return
        hours = len(self._block) * gap / fps / 3600
        peaks = block_peaks(self._block, self._settings.block_steps, self._settings.block_cells)
        self._block = []
        self._add(hours, peaks)

    def _add(self, hours: float, peaks: Floats) -> None:
        self._peaks.append((hours, peaks))
        seen_hours = sum(hours for hours, _ in self._peaks)
        while seen_hours > _WINDOW_HOURS:
            seen_hours -= self._peaks.popleft()[0]
        self._fresh_hours += hours
        if self._fresh_hours >= _REFIT_HOURS and seen_hours >= _FIRST_HOURS:
            self._fresh_hours = 0.0
            self._refit(seen_hours, np.concatenate([peaks for _, peaks in self._peaks], dtype=np.float32))

    def _refit(self, hours: float, peaks: Floats) -> None:
        if len(peaks) < _FEWEST_PEAKS:
            return
        rate = self._settings.false_alarms_per_hour
        trusted = min(self._settings.trusted, 1 - 1e-6)  # whatever the scene was fitted on, a camera sees anomalies
        seen = fit_tail(peaks, hours, tail=self._settings.tail, trusted=trusted).threshold(rate)
        weight = hours / (hours + min(self._base.hours, _WINDOW_HOURS))
        factor = (seen / self._base.threshold(rate)) ** weight
        self._factor = float(min(max(factor, 1 / _MOST_CHANGE), _MOST_CHANGE))


def block_peaks(maps: Sequence[npt.NDArray[np.float32]], steps: int, cells: int) -> Floats:
    """Largest value of every block of `steps` maps x `cells` x `cells`, blocks without any vote left out.

    maps: successive raw maps (rows, columns) of one run of footage.  Returns float32 (N,), N = 0 for no maps.
    """
    if not len(maps):
        return np.zeros(0, np.float32)
    peaks = peaks_by_place(maps, steps, cells)
    return peaks[peaks > 0]


def peaks_by_place(maps: Sequence[npt.NDArray[np.float32]], steps: int, cells: int) -> npt.NDArray[np.float32]:
    """Largest value of every such block by time and place: float32 (T, rows, columns), 0 without any vote.

    maps: as for `block_peaks`, at least one.

    Neighbouring maps and cells share their votes; maxima over blocks as long as a tube are nearly independent.
    """
    volume = np.stack(maps)
    padding = [(0, -side % block) for side, block in zip(volume.shape, (steps, cells, cells), strict=True)]
    volume = np.pad(volume, padding)
    t, r, c = volume.shape
    return np.asarray(
        volume.reshape(t // steps, steps, r // cells, cells, c // cells, cells).max(axis=(1, 3, 5)), np.float32
    )


def fit_tail(peaks: Floats, hours: float, *, tail: float, trusted: float = 1.0) -> Calibration:
    """Fit the tail of normal peaks.

    peaks: float (N,), raw anomaly of blocks.  hours: length of the footage they come from.
    tail: quantile above which the tail is fitted.  trusted: share of the peaks, from below, taken as certainly normal;
    the rest count only as "at least so large", so that anomalies among them do not raise the threshold; of normal
    footage of some minutes one in a hundred is not trusted either, and no shape is read from it.
    Where less is trusted than all, the lowest counts of several tails, through higher and higher parts of the peaks:
    normal peaks thin out faster than the lower ones promise, and anomalies only lengthen a tail.
    Source of the method: peaks over threshold, generalised Pareto (Pickands 1975), censored maximum likelihood.
    """
    values = np.asarray(peaks, np.float64)
    if not len(values) or hours <= 0:
        raise TooLittleMotionError("nothing moves for long enough to calibrate on; give longer footage")
    if trusted < 1:
        return _lowest_tail(values, hours, trusted)
    long_enough = (1 - tail) * len(values) >= _MIN_EXCESSES
    level = float(np.quantile(values, tail if long_enough else _SHORT_TAIL))
    excess = values[values > level] - level
    if long_enough and len(excess) >= _MANY_EXCESSES:
        shape, scale = _pareto(excess)
        how = "generalised Pareto tail"
    else:
        limit = float(np.quantile(values, _SURE if long_enough else 1.0)) - level
        shape, scale = 0.0, _censored_mean(excess, limit) or level
        how = "exponential tail"
    # Peaks all of one height show no tail, which is no proof that there is none: at least one passes the level.
    rate = max(len(excess), 1) / hours
    return Calibration(level, rate, shape, max(scale, 1e-9), hours, how)


def _lowest_tail(values: npt.NDArray[np.float64], hours: float, trusted: float) -> Calibration:
    """The lowest of the exponential tails from each of `_SHOULDERS` on, of which as many peaks as matter are there.

    trusted: share of the peaks that is sure where the tail begins lowest; of what lies above, others take a like part.
    """
    tails: list[Calibration] = []
    for start in _SHOULDERS:
        sure = trusted + (1 - trusted) * (start - _SHOULDERS[0]) / (1 - _SHOULDERS[0])
        if tails and (sure - start) * len(values) < _MIN_EXCESSES:
            break
        level = float(np.quantile(values, start))
        excess = values[values > level] - level
        scale = _censored_mean(excess, float(np.quantile(values, sure)) - level) or level
        rate = max(len(excess), 1) / hours
        tails.append(Calibration(level, rate, 0.0, max(scale, 1e-9), hours, "exponential tail"))
    return min(tails, key=lambda each: each.threshold(1.0))


def usual_heat(peaks: Floats) -> tuple[float, float]:
    """Median of peaks, float (N,), and how far above it the largest of N is to be expected.

    Their upper half is taken for an exponential tail, read from the median to the four-fifths quantile; the rise is
    never less than a share of the median.  Source: the most probable maximum of N exponential values is log N scales.
    """
    values = np.asarray(peaks, np.float64)
    middle, high = np.quantile(values, (0.5, _SHOULDER))
    scale = (high - middle) / math.log(0.5 / (1 - _SHOULDER))
    rise = scale * max(math.log(len(values) / 2), 1.0)
    return float(middle), float(max(rise, _LEAST_SPREAD * middle, 1e-4))


def _length_text(hours: float) -> str:
    seconds = hours * 3600
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if hours < 3 else f"{hours:.1f} hours"


def _censored_mean(excess: npt.NDArray[np.float64], limit: float) -> float:
    """Scale of an exponential tail by maximum likelihood, what passes `limit` counted as just above it; 0 = unknown."""
    certain = int((excess <= limit).sum())
    return float(np.minimum(excess, limit).sum() / certain) if certain else 0.0


def _pareto(excess: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale by maximum likelihood; a shape beyond what short footage can tell is held at the limit."""
    from scipy.stats import genpareto  # half a second, which only fits need

    shape, _, scale = genpareto.fit(excess, floc=0)
    low, high = _SHAPE_LIMITS
    if not low <= shape <= high:
        shape = min(max(shape, low), high)
        _, _, scale = genpareto.fit(excess, floc=0, f0=shape)
    return float(shape), float(scale)
