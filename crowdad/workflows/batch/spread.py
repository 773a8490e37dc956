"""Many pieces of footage, and pieces of long ones, scored side by side by a fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from crowdad.errors import CrowdadError, TooLittleMotionError, line_of
from crowdad.outputs.folder import JOURNAL, RunFolder
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults
from crowdad.sources import Listing, Spec, Tally
from crowdad.workflows.batch.fleet import Fleet
from crowdad.workflows.batch.joins import Joined, Seams, joined_results, pieces_of
from crowdad.workflows.batch.pieces import (
    NotAsListedError,
    Piece,
    PieceOutcome,
    check_same,
    read_listing,
    save_listing,
    score_piece,
)
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import check_apart, detect_with, maps_path, sighted, write_run
from crowdad.workflows.progress import Progress, Stage, in_bytes, silent
from crowdad.workflows.resuming import finished_results, whole_there
from crowdad.workflows.run_records import Scored
from crowdad.workflows.run_start import Opened, fitted_scene, prepared
from crowdad.workflows.scoring import write_down

__all__ = ["PIECE_S", "Failure", "detect_many"]

PIECE_S = 300.0
"""Length of a piece, seconds of footage: its lead-in is what the streams remember, up to two minutes."""

_NOWHERE = Tally().report(())


@dataclass(frozen=True)
class Request:
    """One piece of footage to score.

    place: of its run.  piece_s: what is twice as long is scored in pieces; None: nothing is.
    """

    spec: Spec
    options: DetectOptions
    place: Path | RemoteRun
    overwrite: bool
    resume: bool
    piece_s: float | None

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return self.place if isinstance(self.place, Path) else self.place.local


@dataclass(frozen=True)
class Plan:
    """Footage that is scored in pieces.  runtime: what scores all of them."""

    pieces: tuple[Piece, ...]
    breaks: tuple[int, ...]
    runtime: str


@dataclass(frozen=True)
class Failure:
    """Footage that was not scored, and why, in one line."""

    spec: Spec
    reason: str


def detect_many(
    places: Mapping[Spec, Path | RemoteRun],
    options: DetectOptions,
    fleet: Fleet,
    *,
    overwrite: bool = False,
    resume: bool = False,
    piece_s: float | None = PIECE_S,
    progress: Progress = silent,
    on_end: Callable[[Spec, RunResults | Failure], None] | None = None,
) -> dict[Spec, RunResults | Failure]:
    """Score several pieces of footage side by side; the results of each are those of `detect_with`, to the last bit.

    places: footage -> folder of its run, or its place in an object store.  fleet: what runs the work, an open one.
    overwrite, resume: as in `detect`; also whole pieces of a long video are not scored again.
    piece_s: long footage is scored in pieces of so many seconds where its container tells all frames for sure; None:
        each is scored by one process, so that nothing but footage and places needs to be seen by all of them.
    on_end: told of each end as it comes.

    What fails is told and costs the others nothing.
    """
    board = _Tasks()
    ended: dict[Spec, RunResults | Failure] = {}

    def note(run: _Spread) -> None:
        if run.ended is not None and run.request.spec not in ended:
            ended[run.request.spec] = run.ended
            if on_end is not None:
                on_end(run.request.spec, run.ended)

    for spec, place in places.items():
        note(_Spread(Request(spec, options, place, overwrite, resume, piece_s), fleet, board))
    while len(ended) < len(places):
        what = f"scoring, {len(ended)} of {len(places)} files"
        progress(Stage(what, board.done, board.done + board.waited_for, "part"))
        future, run = board.ends.get()
        run.take(future)
        note(run)
    return {spec: ended[spec] for spec in places}


@dataclass(eq=False)
class _Tasks:
    """What all pieces of footage have in common: tasks as they end, how many have, and how many are waited for."""

    ends: SimpleQueue[tuple[Future[Any], _Spread]] = field(default_factory=SimpleQueue)
    done: int = 0
    waited_for: int = 0


@dataclass(eq=False)
class _Spread:
    """One piece of footage on its way through the fleet.

    tasks: what runs or waits, with what it is.  ended: what became of it in the end.
    """

    request: Request
    fleet: Fleet
    board: _Tasks
    tasks: dict[Future[Any], str | Piece] = field(default_factory=dict)
    ended: RunResults | Failure | None = None
    _plan: Plan | None = None
    _seams: Seams = field(default_factory=lambda: Seams(frozenset()))
    _waiting: list[Piece] = field(default_factory=list)
    _outcomes: dict[Piece, PieceOutcome] = field(default_factory=dict)
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        request = self.request
        try:
            if isinstance(request.place, RemoteRun):
                self.ended = whole_there(
                    request.place, request.spec, overwrite=request.overwrite, resume=request.resume
                )
                if self.ended is not None:
                    return
            # Here once and for all: a task that has to be run again may find what it left the first time.
            RunFolder(request.folder, request.overwrite, request.resume).__exit__(None, None, None)
        except CrowdadError as error:
            self.ended = Failure(request.spec, str(error))
        else:
            self._submit("begin", _begin, request)

    def take(self, future: Future[Any]) -> None:
        """Go on with what an ended task gave."""
        what = self.tasks.pop(future, None)
        if what is None:  # dropped meanwhile
            return
        self.board.done += 1
        self.board.waited_for -= 1
        try:
            value = future.result()
            if isinstance(value, CrowdadError):
                raise value
        except NotAsListedError:
            self._drop_tasks(list(self.tasks))
            self._submit("whole", _whole_again, self.request)
        except CrowdadError as error:
            self._end(Failure(self.request.spec, str(error)))
        except Exception as error:
            self._end(Failure(self.request.spec, line_of(error, str(self.request.spec))))
        else:
            self._go_on(what, value)

    def _go_on(self, what: str | Piece, value: Any) -> None:
        if isinstance(value, RunResults):
            self._end(value)
        elif isinstance(value, Plan):
            self._plan, self._seams, self._waiting = value, Seams(frozenset(value.breaks)), list(value.pieces)
            self._began_s = time.time()
            for piece in value.pieces:
                self._score(piece)
        else:
            assert isinstance(what, Piece)
            self._outcomes[what] = value
            self._join()

    def _join(self) -> None:
        """Take the outcomes that are next in order; score again what began on a wrong guess."""
        assert self._plan is not None
        while self._waiting and (outcome := self._outcomes.pop(self._waiting[0], None)) is not None:
            again = self._seams.take(outcome)
            if again is not None:
                self._waiting[0] = again
                self._score(again)
                continue
            self._waiting.pop(0)
            for place, piece in enumerate(self._waiting):
                if piece.began < self._seams.began:
                    self._waiting[place] = replace(piece, began=self._seams.began)
                    self._drop(piece)
                    self._score(self._waiting[place])
        if not self._waiting:
            joined, runtime = self._seams.joined(), self._plan.runtime
            self._submit("finish", _finish, self.request, runtime, joined, self._began_s)

    def _score(self, piece: Piece) -> None:
        assert self._plan is not None
        request = self.request
        self._submit(piece, score_piece, request.spec, request.options, self._plan.runtime, request.folder, piece)

    def _submit(self, what: str | Piece, task: Callable[..., Any], *arguments: Any) -> None:
        future = self.fleet.submit(_attempt, task, arguments)
        self.tasks[future] = what
        self.board.waited_for += 1
        future.add_done_callback(lambda ended: self.board.ends.put((ended, self)))

    def _drop(self, piece: Piece) -> None:
        self._outcomes.pop(piece, None)
        self._drop_tasks([future for future, what in self.tasks.items() if what == piece])

    def _drop_tasks(self, futures: Sequence[Future[Any]]) -> None:
        for future in futures:
            del self.tasks[future]
            self.board.waited_for -= 1
            self.fleet.cancel(future)

    def _end(self, ended: RunResults | Failure) -> None:
        self._drop_tasks(list(self.tasks))
        self.ended = ended


def _attempt(task: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What the task returns, or what it refused: an error that is raised in another process comes back in disguise."""
    try:
        return task(*arguments)
    except CrowdadError as error:
        return error


def _begin(request: Request) -> RunResults | Plan:
    """All of a short video; of a long one, what its pieces need: the scene, the frames that there are."""
    opened = Opened.of(request.spec, request.options)
    with RunFolder(request.folder, request.overwrite, resume=not request.overwrite) as folder:
        check_apart(opened.spec, folder)
        if folder.resume and folder.finished():
            return _put(request, finished_results(opened.spec, folder))
        length = None if request.piece_s is None else round(request.piece_s * opened.source.fps)
        listing = None if length is None else _worth_pieces(opened, folder, length)
        if length is None or listing is None:
            return _put(request, detect_with(request.spec, request.options, output=folder))
        goes_on = folder.resume and folder.file(JOURNAL).is_file()
        assert opened.identity is not None, "it has a name"
        folder.journal(opened.identity).close()
        try:
            scene = fitted_scene(opened, folder, goes_on, silent)
        except TooLittleMotionError:  # there is nothing that pieces would be compared with
            return _put(request, detect_with(request.spec, request.options, output=folder))
        runtime = prepared(opened, scene).runtime
        save_listing(folder, listing)
        breaks = listing.breaks.tolist()
        return Plan(tuple(pieces_of(len(listing), length, breaks)), tuple(breaks), runtime)


def _worth_pieces(opened: Opened, folder: RunFolder, length: int) -> Listing | None:
    """The frames of footage that is long and sound enough to be scored in pieces, None for other footage."""
    expected = opened.source.expected_frames
    if expected is not None and expected < 2 * length:
        return None
    if folder.resume and folder.file(JOURNAL).is_file():
        assert opened.identity is not None, "it has a name"
        with folder.journal(opened.identity) as journal:
            if journal.told:  # a run without pieces is gone on with
                return None
    listing = opened.source.listing()
    return None if listing is None or len(listing) < 2 * length else listing


def _whole_again(request: Request) -> RunResults:
    """All of a video that turned out not to be what its container tells."""
    with RunFolder(request.folder, resume=True) as folder:
        return _put(request, detect_with(request.spec, request.options, output=folder))


def _finish(request: Request, runtime: str, joined: Joined, began_s: float) -> RunResults:
    """What a run leaves behind, from its pieces.  began_s: when their scoring began, by `time.time`."""
    opened = Opened.of(request.spec, request.options)
    with RunFolder(request.folder, resume=True) as folder:
        check_same(folder.path, opened)
        scene = fitted_scene(opened, folder, True, silent)
        run = sighted(prepared(opened, scene, runtime))
        listing = read_listing(folder.path)
        with maps_path(folder, request.options) as maps:
            results = joined_results(folder.path, joined, listing, run.detector)
            table, events, candidates = write_down(folder, run, results, lambda _index: True, maps)
            report = opened.source.listed_report(listing)
            scored = Scored(table, events, candidates, report, _NOWHERE, 0.0, time.time() - began_s)
            return _put(request, write_run(folder, run, scored, maps, silent))


def _put(request: Request, results: RunResults) -> RunResults:
    """The results, once the whole run is where it is wanted."""
    if isinstance(request.place, RemoteRun):
        request.place.put(in_bytes(silent, "putting"))
    return results
