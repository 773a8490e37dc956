"""Candidates x footage x seeds -> cells, one fit each; finished ones are kept in a results file."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.proxy.actors import ORDINARY
from benchmarks.proxy.footage import Drawing, Footage, ScoredClip, fingerprint
from crowdad import config
from crowdad.config import Settings, load_settings
from crowdad.errors import ConfigError, DataError, FitError, SourceError, UndefinedMetricError
from crowdad.evaluation.metrics import FrameScores, frame_auc_micro
from crowdad.files import written_whole
from crowdad.workflows import fit, score

__all__ = ["CHANCE", "Candidate", "Cell", "CellStore", "code_fingerprint", "measure", "measure_all"]

CHANCE = 0.5
"""AUC of footage that a candidate cannot be fitted to: it says nothing about it."""

_SCORING = ("config.py", "detection", "scene", "tubes")
_MAKING = ("actors.py", "composites.py", "cutouts.py", "footage.py", "shapes.py")


def code_fingerprint() -> str:
    """Hash of the code that scores and of the code that makes the footage: a cell holds for this code only."""
    package, here = Path(config.__file__).parent, Path(__file__).parent
    rooms = [package / name for name in _SCORING]
    return fingerprint([*rooms, package / "synthetic", *(here / name for name in _MAKING)])


@dataclass(frozen=True)
class Candidate:
    """Settings under a name.  overrides: `section.key=value` each, the later winning."""

    name: str
    overrides: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, base: Sequence[str] = ()) -> Candidate:
        """From "NAME: section.key=value section.key=value", on top of `base`.  Raises ConfigError."""
        name, colon, given = text.partition(":")
        if not colon or not name.strip() or not given.split():
            raise ConfigError(f'--candidate {text!r}: write "NAME: section.key=value ..."')
        candidate = cls(name.strip(), (*base, *given.split()))
        _ = candidate.settings
        return candidate

    @cached_property
    def settings(self) -> Settings:
        """Raises ConfigError for what is no setting."""
        return load_settings(overrides=self.overrides)

    @property
    def settings_hash(self) -> str:
        """Of every setting but the seed, defaults included: 12 hexadecimal digits."""
        told = self.settings.model_dump(mode="json", exclude={"seed"})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Cell:
    """One candidate fitted and scored on one piece of footage with one seed.

    auc: frame AUC, micro, of the anomalies in scope.  by_kind: of each kind against frames that show none; that of
    ordinary pasted walkers should be 0.5.  frames: scored.  note: why it could not be fitted, "" where it could.
    """

    candidate: str
    overrides: tuple[str, ...]
    settings_hash: str
    code: str
    footage: str
    seed: int
    auc: float
    by_kind: Mapping[str, float]
    frames: int
    fit_s: float
    score_s: float
    note: str = ""


def measure(candidate: Candidate, footage: Footage, seed: int, code: str) -> Cell:
    """Fit and score one cell.  seed: of the footage and of the fit.  Footage it cannot be fitted to counts as chance.

    Raises DatasetNotFoundError where the data set is missing.
    """
    trial = footage.trial(seed)
    settings = candidate.settings.model_copy(update={"seed": seed})
    identity = (candidate.name, candidate.overrides, candidate.settings_hash, code, footage.name, seed)
    began_s = time.perf_counter()
    try:
        scene = fit(list(trial.learning), unlabelled=trial.unlabelled, settings=settings)
        fitted_s = time.perf_counter()
        anomaly = [np.array([result.anomaly for result in score(clip.source, scene)]) for clip in trial.clips]
    except (FitError, SourceError) as error:
        return Cell(*identity, CHANCE, {}, 0, time.perf_counter() - began_s, 0.0, str(error))
    scored_s = time.perf_counter()
    auc, by_kind = in_scope_auc(trial.clips, anomaly, footage.in_scope), kind_aucs(trial.clips, anomaly)
    frames = sum(map(len, anomaly))
    return Cell(*identity, auc, by_kind, frames, fitted_s - began_s, scored_s - fitted_s)


def in_scope_auc(
    clips: Sequence[ScoredClip], anomaly: Sequence[npt.NDArray[np.floating]], in_scope: Sequence[str]
) -> float:
    """Micro frame AUC of frames that show a kind in scope against normal ones; frames with others alone are left out.

    anomaly: float (T,) a clip.  Raises UndefinedMetricError where no kind in scope is seen, or no frame is normal.
    """
    pairs = []
    for clip, values in zip(clips, anomaly, strict=True):
        wanted = _any(clip, len(values), in_scope)
        other = _any(clip, len(values), [kind for kind in clip.shown if kind not in (*in_scope, ORDINARY)])
        used = wanted | ~other
        pairs.append((values[used], wanted[used]))
    return _auc(pairs)


def kind_aucs(clips: Sequence[ScoredClip], anomaly: Sequence[npt.NDArray[np.floating]]) -> dict[str, float]:
    """Micro frame AUC of each kind against frames without any; ordinary walkers count as none but for their own."""
    found = {}
    for kind in sorted({kind for clip in clips for kind in clip.shown}):
        normal_too = () if kind == ORDINARY else (ORDINARY,)
        pairs = []
        for clip, values in zip(clips, anomaly, strict=True):
            shown = _any(clip, len(values), [kind])
            others = _any(clip, len(values), [other for other in clip.shown if other not in (kind, *normal_too)])
            used = shown & ~others if kind == ORDINARY else shown
            used = used | ~(shown | others)
            pairs.append((values[used], shown[used]))
        try:
            found[kind] = _auc(pairs)
        except UndefinedMetricError:
            continue  # too briefly seen, behind others
    return found


def _any(clip: ScoredClip, count: int, kinds: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Frames that show one of the kinds: bool (T,)."""
    masks = [clip.shown[kind] for kind in kinds if kind in clip.shown]
    return np.logical_or.reduce([np.zeros(count, np.bool_), *masks])


def _auc(pairs: Iterable[tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_]]]) -> float:
    values, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if not labels.any():
        raise UndefinedMetricError("no frame shows the kind; longer footage is needed")
    return frame_auc_micro([FrameScores("proxy", values, labels)])


class CellStore:
    """Cells of one results file, `{"runs": {...}, "cells": [...]}`, written whole after each.

    A cell is known by candidate's name, footage and seed.  Raises DataError for a file of another kind.
    """

    def __init__(self, path: Path, provenance: Mapping[str, Any]) -> None:
        self.path = path
        self.cells: list[Cell] = []
        self._runs: dict[str, Any] = {}
        self._provenance = dict(provenance)
        if path.exists():
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                self.cells = [_cell(row) for row in document["cells"]]
                self._runs = document["runs"]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}: not a file of proxy results ({error!r}); move it away") from error

    def find(self, candidate: Candidate, footage: str, seed: int, code: str) -> Cell | None:
        """The stored cell, if settings and code are still the same; under any name, since names change nothing."""
        wanted = (candidate.settings_hash, code, footage, seed)
        return next((c for c in self.cells if (c.settings_hash, c.code, c.footage, c.seed) == wanted), None)

    def named(self, name: str) -> list[Cell]:
        """All cells of a candidate, whatever code they were measured with."""
        return [cell for cell in self.cells if cell.candidate == name]

    def put(self, cell: Cell) -> None:
        """Store a cell in the place of an older one, and write the file."""
        key = (cell.candidate, cell.footage, cell.seed)
        self.cells = [old for old in self.cells if (old.candidate, old.footage, old.seed) != key] + [cell]
        self.cells.sort(key=lambda c: (c.footage, c.seed, c.candidate))
        self._runs[cell.code] = self._provenance
        used = {cell.code for cell in self.cells}
        runs = {code: told for code, told in self._runs.items() if code in used}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = ",\n".join(json.dumps(asdict(cell)) for cell in self.cells)
        with written_whole(self.path) as part:
            part.write_text(f'{{"runs": {json.dumps(runs)},\n"cells": [\n{rows}\n]}}\n', encoding="utf-8")


def _cell(row: dict[str, Any]) -> Cell:
    known = {field.name: row[field.name] for field in fields(Cell)}
    return Cell(**{**known, "overrides": tuple(row["overrides"])})


@dataclass(frozen=True, eq=False)
class _Task:
    """One cell to measure; can be sent to another process."""

    candidate: Candidate
    footage: Footage
    seed: int
    code: str

    def __call__(self) -> Cell:
        return measure(self.candidate, self.footage, self.seed, self.code)


@dataclass(frozen=True, eq=False)
class _Draw:
    """One clip to draw; can be sent to another process."""

    drawing: Drawing

    def __call__(self) -> Path:
        self.drawing.draw()
        return self.drawing.path


Result = TypeVar("Result")


def _call(task: Callable[[], Result]) -> Result:
    return task()


def _one_core() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


class _Workers:
    """Runs tasks in this process, or in several at once, and hands out results as they come."""

    def __init__(self, jobs: int) -> None:
        self._pool = None
        if jobs > 1:
            context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_core)

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(self, tasks: Sequence[Callable[[], Result]]) -> Iterator[Result]:
        """Results of all tasks; the first error of one is raised here."""
        if self._pool is None:
            yield from map(_call, tasks)
            return
        for future in as_completed([self._pool.submit(_call, task) for task in tasks]):
            yield future.result()


def measure_all(
    candidates: Sequence[Candidate],
    footage: Sequence[Footage],
    seeds: Sequence[int],
    store: CellStore,
    *,
    jobs: int = 1,
    told: Callable[[str], None] = print,
) -> list[Cell]:
    """Every cell of the product, those that are missing measured and stored; in the order they came.

    jobs: processes at once, each on one core.  told: gets one line a cell.
    """
    code = code_fingerprint()
    cells, missing = [], []
    for seed in seeds:  # candidates side by side: an interrupted run leaves whole pairs
        for one in footage:
            for candidate in candidates:
                cell = store.find(candidate, one.name, seed, code)
                if cell is None:
                    missing.append(_Task(candidate, one, seed, code))
                else:
                    cells.append(Cell(**{**_fields(cell), "candidate": candidate.name}))
    for cell in cells:
        if cell not in store.cells:
            store.put(cell)
    drawings = {d.path: d for task in missing for d in task.footage.drawings(task.seed) if not d.path.exists()}
    with _Workers(jobs) as workers:
        for count, path in enumerate(workers.run([_Draw(drawing) for drawing in drawings.values()]), start=1):
            told(f"drawn {count}/{len(drawings)}: {path.name}")
        for count, cell in enumerate(workers.run(missing), start=1):
            store.put(cell)
            cells.append(cell)
            told(_line(cell, count, len(missing)))
    return cells


def _fields(cell: Cell) -> dict[str, Any]:
    return {field.name: getattr(cell, field.name) for field in fields(Cell)}


def _line(cell: Cell, count: int, total: int) -> str:
    seconds = f"fit {cell.fit_s:.0f} s, score {cell.score_s:.0f} s"
    ending = cell.note or seconds
    return f"{count}/{total} {cell.footage} seed {cell.seed} {cell.candidate}: {cell.auc:.4f} ({ending})"
