"""Children that check inputs one after the other; one that dies or takes too long is replaced, and the input blamed."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["Case", "Check", "Verdict", "watched"]

_MEMORY_BYTES = 8 * 2**30
_START_S = 600
_READY = "ready"


@dataclass(frozen=True)
class Case:
    """One input: `check` makes it from the fuzzer's seed and its number."""

    target: str
    seed: int
    number: int


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    outcome: "result", "refused" (one clear line), "exception" (anything else that was raised), "silent loss", "broken
    promise", "crash" or "hang".  what: the input and its damage.  detail: the line, the error or the counts.
    """

    target: str
    outcome: str
    what: str
    detail: str = ""


Check = Callable[[Case], Verdict]
"""Runs in a child, so it must be a function that can be named there, or a `partial` of one."""


@dataclass
class _Child:
    process: Any
    connection: Connection
    case: Case | None = None
    began_s: float = 0.0


def watched(cases: Sequence[Case], check: Check, workers: int, limit_s: float) -> Iterator[tuple[Case, Verdict, float]]:
    """Each case, its verdict and the seconds it took, as they come; "crash" and "hang" are verdicts too."""
    waiting = list(reversed(cases))
    children = [_started(check) for _ in range(min(workers, len(cases)))]
    try:
        while waiting or any(child.case for child in children):
            for child in children:
                if child.case is None and waiting:
                    child.case, child.began_s = waiting.pop(), time.monotonic()
                    child.connection.send(child.case)
            wait([child.connection for child in children if child.case], timeout=0.5)
            for place, child in enumerate(children):
                verdict = _verdict(child, limit_s)
                if child.case is None or verdict is None:
                    continue
                yield child.case, verdict, time.monotonic() - child.began_s
                child.case = None
                if verdict.outcome in ("crash", "hang"):
                    _end(child)
                    children[place] = _started(check)
    finally:
        for child in children:
            _end(child)


def _verdict(child: _Child, limit_s: float) -> Verdict | None:
    """What the child says of its case; None while it works on it."""
    if child.case is None:
        return None
    if child.connection.poll():
        try:
            verdict: Verdict = child.connection.recv()
            return verdict
        except (EOFError, ConnectionError):
            child.process.join(5)
            return Verdict(child.case.target, "crash", "see its number", f"exit code {child.process.exitcode}")
    if time.monotonic() - child.began_s > limit_s:
        return Verdict(child.case.target, "hang", "see its number", f"more than {limit_s:g} s")
    return None


def _started(check: Check) -> _Child:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, check), daemon=True)
    process.start()
    theirs.close()
    if not ours.poll(_START_S) or ours.recv() != _READY:
        raise RuntimeError(f"a child did not start within {_START_S} s")
    return _Child(process, ours)


def _end(child: _Child) -> None:
    child.connection.close()
    if child.process.is_alive():
        child.process.kill()
    child.process.join()


def _serve(connection: Connection, check: Check) -> None:
    """The child's life: a case in, a verdict out, until the parent hangs up."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    connection.send(_READY)  # all is loaded: from here on the clock runs
    try:
        while True:
            case: Case = connection.recv()
            connection.send(check(case))
    except EOFError:
        return
