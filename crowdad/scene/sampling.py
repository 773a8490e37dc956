"""What a scene is learned from: one pass that measures people, and one that draws tubes from all of the footage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heapreplace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from crowdad.config import Settings
from crowdad.errors import FitError
from crowdad.records import Tubes
from crowdad.scene.streams import Learner, Step
from crowdad.scene.viewpoint import BackgroundKeeper
from crowdad.sources import Source
from crowdad.tubes.patches import SUBJECT_HW, Extractor, steps_of, subject_of, with_breaks
from crowdad.tubes.scale import GivenHeights, ScaleProbe, SceneScale

__all__ = ["Gathered", "Progress", "gather", "measure_people"]

Array = npt.NDArray[np.float32]
Progress = Callable[[str, float], None]
"""(what is being done, share done in [0, 1])."""

_BLOCK_STEPS = 20  # long against a tube, short against a clip
_MOST_KEPT_TUBES = 300_000  # 150 MB
_ACTIVITY_COLUMNS = 48


@dataclass(eq=False)
class Gathered:
    """Tubes to learn from, all tubes of steps to calibrate on, how much moved where, and the background.

    features: (N, C, T, rows, columns), a sample of all tubes; at_step: int64 (N,), the steps that they end at.
    kept: number -> tubes of a step, in order, all of the footage's or blocks spread over it; features float16.
    steps: of the footage, numbered from 1.
    """

    features: Array
    thumbnails: npt.NDArray[np.uint8]
    at_step: npt.NDArray[np.int64]
    kept: dict[int, Tubes]
    activity: npt.NDArray[np.float16]
    background: npt.NDArray[np.uint8]
    frames: int
    steps: int
    tubes: int


def _length(source: Source, unknown: int = 1500) -> int:
    return source.expected_frames or unknown


def measure_people(
    sources: Sequence[Source], settings: Settings, progress: Progress, heights: GivenHeights | None = None
) -> SceneScale:
    """People's size and speed, from all the footage.

    heights: of people, where the user knows them.
    Raises FitError, TooLittleMotionError where people hardly move and no heights are given, ConfigError where the
    heights are not those of such a picture.
    """
    sizes = {source.info.size_hw for source in sources}
    if len(sizes) > 1:
        listed = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise FitError(f"the footage has pictures of {listed}; one scene is one camera, fit each size by itself")
    total = sum(_length(source) for source in sources)
    # Where the length is unknown the probe looks densely and thins out later.
    probe = ScaleProbe(sum(_length(source, unknown=0) for source in sources), sources[0].fps, settings.scale)
    done = 0
    for source in sources:
        for frame, fresh in with_breaks(source.frames()):
            if frame.luma.shape == source.info.size_hw:
                probe.push(frame.luma, fresh=fresh)
            done += 1
            if done % 50 == 0:
                progress("measuring people", min(done / total, 1.0))
    progress("measuring people", 1.0)
    scale = probe.measure(heights)
    new_fps = sources[0].new_fps
    return scale if new_fps == scale.fps else scale.fitted_to(scale.size_hw, new_fps)


def gather(
    sources: Sequence[Source],
    scale: SceneScale,
    settings: Settings,
    progress: Progress,
    learners: Sequence[Learner] = (),
) -> Gathered:
    """Tubes from all the footage: a uniform sample to learn from, and those of whole steps to calibrate on.

    learners: of other streams, which look at the same steps.
    """
    extractor = Extractor(scale, settings)
    total = sum(_length(source) for source in sources)
    pool = _Reservoir(settings.encoder.max_tubes, settings.seed)
    kept = _Kept(_MOST_KEPT_TUBES)
    activity = _Activity(scale.size_hw, settings.tubes.spacing)
    keeper = BackgroundKeeper()
    frames = step = tubes_seen = 0
    for source in sources:
        for frame, tubes in steps_of(source.frames(), extractor):
            step += 1
            for learner in learners:
                learner.see(Step(frame.index, frame.time_s, tubes, frame.luma))
            keeper.add(frame.luma)
            if step % 20 == 0:
                progress("following people", min(step * scale.gap / total, 1.0))
            if tubes is None:
                continue
            tubes_seen += len(tubes)
            activity.add(tubes)
            kept.add(step, tubes)
            pool.add(tubes, frame.luma, step)
        frames += source.report.frames_read - source.report.frames_repeated
    progress("following people", 1.0)
    return Gathered(*pool.drawn(), kept.steps, activity.per_step(), keeper.background(), frames, step, tubes_seen)


class _Activity:
    """How many tubes end in each cell of a grid over the picture.

    spacing: of tubes in person heights.  They stand in a lattice, which must not be seen in the counts: each is shared
    among the four cells around it, and the map is smoothed over about one spacing.
    """

    def __init__(self, size_hw: tuple[int, int], spacing: float) -> None:
        height, width = size_hw
        self._spacing = spacing
        self._cell_px = width / _ACTIVITY_COLUMNS
        self._counts = np.zeros((max(1, round(height / self._cell_px)), _ACTIVITY_COLUMNS))
        self._steps = self._tubes = 0
        self._people_px = 0.0

    def add(self, tubes: Tubes) -> None:
        """Count the tubes of one step."""
        self._steps += 1
        self._tubes += len(tubes)
        self._people_px += float(tubes.person_px.sum())
        rows, columns = self._counts.shape
        place = tubes.path_xy[:, 0] / self._cell_px - 0.5
        first = np.floor(place)
        for down, right in np.ndindex(2, 2):
            near = 1 - np.abs(place - first - (right, down))
            row = np.clip(first[:, 1] + down, 0, rows - 1).astype(np.int64)
            column = np.clip(first[:, 0] + right, 0, columns - 1).astype(np.int64)
            np.add.at(self._counts, (row, column), near.prod(axis=1))

    def per_step(self) -> npt.NDArray[np.float16]:
        """Mean number of tubes a step, float16 (rows, columns)."""
        spacing_px = self._spacing * self._people_px / max(self._tubes, 1)
        smooth = gaussian_filter(self._counts, 0.7 * spacing_px / self._cell_px, mode="reflect")
        return (smooth / max(self._steps, 1)).astype(np.float16)


class _Kept:
    """All tubes of the footage's steps; of footage with more of them than `most`, blocks of steps spread over it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._every = 1  # of so many blocks one is kept
        self.steps: dict[int, Tubes] = {}

    def add(self, step: int, tubes: Tubes) -> None:
        """Keep the tubes of this step, if it is in a block that is kept."""
        if step // _BLOCK_STEPS % self._every:
            return
        # Half precision is finer than what flow can tell.
        self.steps[step] = replace(tubes, features=tubes.features.astype(np.float16))
        self._count += len(tubes)
        while self._count > self._most and len(self.steps) > _BLOCK_STEPS:
            self._every *= 2
            self.steps = {at: held for at, held in self.steps.items() if at // _BLOCK_STEPS % self._every == 0}
            self._count = sum(map(len, self.steps.values()))


class _Reservoir:
    """A uniform sample of a stream of tubes, each with a small picture of its subject: those of the smallest keys.

    Keys are drawn for each step by itself, so that one tube more or less, which rounding may decide, changes the keys
    of its own step only and hardly the sample.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._steps = self._seen = 0
        self._kept: list[tuple[float, int, Array, npt.NDArray[np.uint8], int]] = []  # a heap, the largest key first

    def add(self, tubes: Tubes, luma: npt.NDArray[np.uint8], step: int) -> None:
        """Offer the tubes that end in this picture, that of the step."""
        keys = np.random.default_rng((self._seed, self._steps)).random(len(tubes)).tolist()
        self._steps += 1
        for i, key in enumerate(keys):
            self._seen += 1
            full = len(self._kept) >= self._size
            if full and key >= -self._kept[0][0]:
                continue
            # A view of the features would keep its whole step alive.
            item = (-key, self._seen, tubes.features[i].copy(), subject_of(luma, tubes, i), step)
            (heapreplace if full else heappush)(self._kept, item)

    def drawn(self) -> tuple[Array, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The sample in order of time: features (N, C, T, rows, columns), thumbnails (N, h, w) and steps (N,)."""
        if not self._kept:
            return np.zeros((0, 1, 1, 1, 1), np.float32), np.zeros((0, *SUBJECT_HW), np.uint8), np.zeros(0, np.int64)
        kept = sorted(self._kept, key=lambda item: item[1])
        steps = np.array([item[4] for item in kept], np.int64)
        return np.stack([item[2] for item in kept]), np.stack([item[3] for item in kept]), steps
