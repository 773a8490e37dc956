"""What candidates are scored on: Ped2's training clips with pseudo-anomalies, and generated cameras of many kinds."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.cameras import cameras
from benchmarks.proxy.actors import IN_SCOPE, KINDS
from benchmarks.proxy.composites import Composite, Troupe
from crowdad import synthetic
from crowdad.evaluation.datasets.clips import Clip
from crowdad.evaluation.datasets.ucsd import ASSUMED_FPS, find_clips
from crowdad.sources import ArraySource, Source, open_source
from crowdad.synthetic import GeneratedClip, SceneConfig, load_truth, write_clip

__all__ = [
    "HELD_OUT",
    "Drawing",
    "Footage",
    "GeneratedFootage",
    "Ped2Footage",
    "ScoredClip",
    "Trial",
    "all_footage",
    "fingerprint",
]

HELD_OUT = (4, 8, 12, 16)
"""Ped2's training clips, counted from 1, that no scene is fitted on."""

_UNLABELLED_CLIPS = 12  # as many as Ped2's test set has


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """A clip to score.  shown: by kind, bool (T,), True where one of it is seen."""

    name: str
    source: Source
    shown: Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Trial:
    """One fit and what it is scored on.  learning: what is fitted on, `unlabelled` or known to be normal."""

    learning: Sequence[Source]
    unlabelled: bool
    clips: Sequence[ScoredClip]


@dataclass(frozen=True, eq=False)
class Drawing:
    """A clip that must be drawn into the cache before a trial can read it."""

    path: Path
    clip: GeneratedClip

    def draw(self) -> None:
        """Write the video and its truth, unless they are there."""
        if not self.path.exists():
            write_clip(self.clip, self.path)


class Footage(ABC):
    """One kind of footage under one protocol.

    name: "<camera>:one-class" or "<camera>:unlabelled".  in_scope: kinds that are to be found; frames that show only
    others are left out, but for ordinary ones, which are normal.
    """

    name: str
    in_scope: tuple[str, ...]

    def drawings(self, seed: int) -> list[Drawing]:
        """Clips that `trial(seed)` reads from the cache."""
        return []

    @abstractmethod
    def trial(self, seed: int) -> Trial:
        """Fit and test of one seed; the same seed gives the same frames.  Raises DatasetNotFoundError, DataError."""


class Ped2Footage(Footage):
    """Composites on Ped2's training clips; no test clip is read.

    one-class: fitted on twelve of the sixteen, scored on every kind in each of the held-out four and on those four as
    they are.  unlabelled: twelve clips with one anomaly in scope each, fitted and scored together.
    root: data folder, as `data_root` takes it.
    """

    in_scope = IN_SCOPE

    def __init__(self, *, unlabelled: bool, root: Path | None = None) -> None:
        self.name = "ped2-train:unlabelled" if unlabelled else "ped2-train:one-class"
        self._unlabelled = unlabelled
        self._root = root

    def trial(self, seed: int) -> Trial:
        troupe, clips = _ped2(self._root)
        if self._unlabelled:
            drawn = np.random.default_rng((seed, 0)).permutation(len(clips))[:_UNLABELLED_CLIPS]
            played = [
                troupe.play(clips[place].name, IN_SCOPE[turn % len(IN_SCOPE)], seed, turn)
                for turn, place in enumerate(drawn)
            ]
            scored = [_composite(one) for one in played]
            return Trial([clip.source for clip in scored], True, scored)
        held = [clip for number, clip in enumerate(clips, start=1) if number in HELD_OUT]
        scored = [ScoredClip(clip.name, clip.open(), {}) for clip in held]
        for place, clip in enumerate(held):
            for turn, kind in enumerate(KINDS):
                scored.append(_composite(troupe.play(clip.name, kind, seed, turn + place)))
        return Trial([clip.open() for clip in clips if clip not in held], False, scored)


class GeneratedFootage(Footage):
    """A generated camera: fitted on a normal clip of another seed, or on the scored clip itself.

    cache: folder for the clips, which take as long to draw as to fit.
    """

    in_scope = synthetic.IN_SCOPE

    def __init__(self, name: str, scene: SceneConfig, cache: Path, *, unlabelled: bool) -> None:
        self.name = f"{name}:{'unlabelled' if unlabelled else 'one-class'}"
        self._scene = scene
        self._unlabelled = unlabelled
        self._cache = cache

    def drawings(self, seed: int) -> list[Drawing]:
        clips = [GeneratedClip(self._scene, 1000 + seed)]
        if not self._unlabelled:
            clips.append(GeneratedClip(self._scene, 2000 + seed, normal_only=True))
        return [Drawing(self._cache / f"{_clip_id(clip)}.mp4", clip) for clip in clips]

    def trial(self, seed: int) -> Trial:
        drawings = self.drawings(seed)
        for drawing in drawings:
            drawing.draw()
        truth = load_truth(drawings[0].path)
        kinds = sorted({kind for kinds in truth.kinds for kind in kinds})
        scored = ScoredClip(
            drawings[0].path.stem, open_source(drawings[0].path), {kind: truth.of_kind(kind) for kind in kinds}
        )
        return Trial([open_source(drawings[-1].path)], self._unlabelled, [scored])


def all_footage(root: Path | None, cache: Path) -> list[Footage]:
    """Everything a candidate is scored on, Ped2 first.

    root: data folder, as `data_root` takes it.  cache: folder for generated clips.
    """
    found: list[Footage] = [Ped2Footage(unlabelled=unlabelled, root=root) for unlabelled in (False, True)]
    for unlabelled in (False, True):
        found += [GeneratedFootage(name, scene, cache, unlabelled=unlabelled) for name, scene in cameras().items()]
    return found


@lru_cache(maxsize=1)
def _ped2(root: Path | None) -> tuple[Troupe, tuple[Clip, ...]]:
    clips = find_clips("ped2", root).train
    frames = {clip.name: np.stack([frame.luma for frame in clip.open().frames()]) for clip in clips}
    return Troupe(frames), clips


def _composite(played: Composite) -> ScoredClip:
    return ScoredClip(played.name, ArraySource(played.frames, ASSUMED_FPS, played.name), played.shown)


def _clip_id(clip: GeneratedClip) -> str:
    """Name of a clip's file: changes with the scene, the seed and the code that draws."""
    told = json.dumps([asdict(clip.config), clip.seed, _drawn_by()])
    return f"{clip.config.name}-{clip.seed}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


@lru_cache(maxsize=1)
def _drawn_by() -> str:
    return fingerprint([Path(synthetic.__file__).parent])


def fingerprint(places: Sequence[Path]) -> str:
    """Hash of Python files, and of those in folders, by content: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
