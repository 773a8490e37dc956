"""One piece of long footage, scored by itself to the last bit as a run over all of it would have scored it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from crowdad.detection.detector import BatchCounts
from crowdad.errors import OutputExistsError, UnreadableSourceError
from crowdad.files import MB, Npz, read_json, written_whole
from crowdad.outputs.folder import JOURNAL, PIECES, RunFolder
from crowdad.outputs.journal import Journal, journaled_run
from crowdad.records import Checkpoint, Frame, FrameResult
from crowdad.scene.model import SceneModel
from crowdad.sources import Listing, Spec, read_ahead
from crowdad.tubes.cuts import Change, CutFinder
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import sighted
from crowdad.workflows.run_records import Run
from crowdad.workflows.run_start import Opened, prepared

__all__ = [
    "NotAsListedError",
    "Piece",
    "PieceOutcome",
    "check_same",
    "outcome_of",
    "piece_results",
    "read_listing",
    "save_listing",
    "score_piece",
]

_LISTING = "listing.npz"


class NotAsListedError(UnreadableSourceError):
    """Decoding gave other frames than the container tells; only a pass from the start knows which there are."""


@dataclass(frozen=True)
class Piece:
    """The results of the frames `first` up to and without `until`, counted from 0 over what is read of the footage.

    began: number of the frame since which the footage is taken to be unbroken.  usual: how much a frame usually changes
    before `first`; None: as the lead-in shows.
    """

    first: int
    until: int
    began: int = 0
    usual: Change | None = None


@dataclass(frozen=True)
class PieceOutcome:
    """What scoring a piece told beside its results.

    changes: how much each frame from `max(first, 1)` on changed, lead-out included.
    cuts: numbers of those that were taken for cuts.  batches: counts of the batches that are exact.
    """

    piece: Piece
    changes: tuple[Change, ...]
    cuts: tuple[int, ...]
    batches: tuple[BatchCounts, ...]


class _NotingFinder(CutFinder):
    """Notes how much each frame changes; nothing before the piece is a cut.

    last: number of the first frame it will see, to which nothing is compared.
    """

    def __init__(self, last: int, piece: Piece) -> None:
        super().__init__()
        self.changes: list[Change] = []
        self.cuts: list[int] = []
        self._last_number = last
        self._piece = piece

    def judge(self, change: Change) -> bool:
        self._last_number += 1
        if self._last_number == self._piece.first and self._piece.usual is not None:
            self.usual = self._piece.usual
        cut = super().judge(change)
        if self._last_number < self._piece.first:
            return False
        self.changes.append(change)
        if cut:
            self.cuts.append(self._last_number)
        return cut


def check_same(folder: Path, opened: Opened) -> None:
    """Raise OutputExistsError where the run in the folder was begun with another model or mask than there is now.

    Each piece reads them anew, and results that are put together would be of several.
    """
    begun = journaled_run(folder / JOURNAL)
    if begun is not None and begun != opened.identity:
        raise OutputExistsError(
            f"{opened.source.name}: model or mask changed while it was scored; use --overwrite to start afresh"
        )


def score_piece(spec: Spec, options: DetectOptions, runtime: str, folder: Path, piece: Piece) -> PieceOutcome:
    """Score one piece into the run's folder; what an earlier run left whole of it is taken as it is.

    runtime: what scores, never "auto".  folder: holds the listing, and the scene where the footage is its own.
    Raises NotAsListedError where the footage is not what its container says, and what a run raises.
    """
    outcome = outcome_of(folder, piece)
    if outcome is not None:
        return outcome
    opened = Opened.of(spec, options)
    check_same(folder, opened)
    fitted = opened.scene or SceneModel.load(folder / "scene.safetensors")
    run = sighted(prepared(opened, fitted, runtime))
    entrance = run.detector.entrance(piece.first, piece.began)
    listing = read_listing(folder)
    before = max(entrance.from_frame - 1, 0)
    finder = _NotingFinder(before, piece)
    run.detector.batches, notes = [], run.source.report.notes
    with closing(_as_listed(run, listing, before)) as frames:
        if before < entrance.from_frame:
            finder.is_cut(next(frames))
        results = run.detector.run(frames, entrance, began=piece.began, finder=finder)
        with closing(results):  # type: ignore[type-var]
            _write_results(_place(folder, piece, "results"), islice(results, piece.until - piece.first))
    _check_sound(run, notes)
    exact_from = piece.began + entrance.exact_step * run.scene.scale.gap
    batches = [batch for batch in run.detector.batches if batch.number >= exact_from]
    outcome = PieceOutcome(piece, tuple(finder.changes), tuple(finder.cuts), tuple(batches))
    _write_outcome(_place(folder, piece, "json"), outcome)
    return outcome


def outcome_of(folder: Path, piece: Piece) -> PieceOutcome | None:
    """What the piece told, where the folder holds it whole; None otherwise."""
    try:
        known = read_json(_place(folder, piece, "json"), 256 * MB)
        batches = tuple(BatchCounts(**{**counts, "motion": tuple(counts["motion"])}) for counts in known["batches"])
        usual = known["piece"].pop("usual")
        own = Piece(**known["piece"], usual=None if usual is None else Change(*usual))
        outcome = PieceOutcome(own, tuple(Change(*each) for each in known["changes"]), tuple(known["cuts"]), batches)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return outcome if outcome.piece == piece else None


def piece_results(folder: Path, piece: Piece) -> Iterator[FrameResult]:
    """The results of a whole piece, in order; `segment` counts within the piece."""
    with Journal(_place(folder, piece, "results"), {}) as journal:
        yield from journal.results()


def save_listing(folder: RunFolder, listing: Listing) -> None:
    """Put the listing where the pieces find it."""
    path = folder.path / PIECES / _LISTING
    path.parent.mkdir(exist_ok=True)
    with _whole(path) as part, part.open("wb") as file:
        np.savez(file, index=listing.index, time_s=listing.time_s, gap_s=listing.gap_s, keys=listing.keys)


def read_listing(folder: Path) -> Listing:
    """The listing of a run's folder."""
    with Npz(folder / PIECES / _LISTING, 4096 * MB, 1024 * MB) as arrays:
        return Listing(arrays["index"], arrays["time_s"], float(arrays["gap_s"]), arrays["keys"])


def _as_listed(run: Run, listing: Listing, number: int) -> Generator[Frame, None, None]:
    """The frames from this number on, decoded ahead, each checked against the listing."""
    source = run.source
    with closing(read_ahead(source.frames(entry=listing.entry(number)))) as frames:
        for frame in frames:
            told = number < len(listing) and (listing.index[number], listing.time_s[number])
            if told != (frame.index, frame.time_s) or frame.luma.shape != source.info.size_hw:
                raise NotAsListedError(f"{source.name}: frame {frame.index} is not as the container tells it")
            number += 1
            yield frame
    if number < len(listing):
        raise NotAsListedError(f"{source.name}: ends after {number} frames, the container tells {len(listing)}")


def _check_sound(run: Run, notes: tuple[str, ...]) -> None:
    """Raise NotAsListedError where the pass met damage.  notes: of the source before it was read."""
    report = run.source.report
    if report.frames_skipped or report.bad_packets or report.truncated or report.notes != notes:
        raise NotAsListedError(f"{run.source.name}: is damaged")


def _place(folder: Path, piece: Piece, suffix: str) -> Path:
    told = "" if piece.usual is None else "-told"
    return folder / PIECES / f"{piece.first:09d}-{piece.began:09d}{told}.{suffix}"


def _whole(path: Path) -> AbstractContextManager[Path]:
    """A name to write to, which becomes `path` at the end; another process may be writing the same meanwhile."""
    return written_whole(path, ending=f".{uuid.uuid4().hex}.part")


def _write_results(path: Path, results: Iterator[FrameResult]) -> None:
    with _whole(path) as part, Journal(part, {}) as journal:
        told, whole = 0, True
        for told, result in enumerate(results, start=1):
            whole = journal.add(result)
            if whole:
                journal.write(_nowhere(told))
        if not whole:
            journal.write(_nowhere(told))


def _nowhere(told: int) -> Checkpoint:
    """A piece is scored whole or again: nothing goes on from within it."""
    return Checkpoint(told, 0, 0, 0, 0, ())


def _write_outcome(path: Path, outcome: PieceOutcome) -> None:
    with _whole(path) as part:
        part.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
