"""How a verb ends: an exit code and at most one line, a traceback only for those who look for a bug."""

from __future__ import annotations

import functools
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from crowdad.cli.terminal import notice
from crowdad.errors import ConfigError, CrowdadError, line_of
from crowdad.wording import options_named

__all__ = ["FAILED", "INTERRUPTED", "USAGE", "guarded", "tell_failure"]

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_TRACEBACKS_FROM = 2
_PRIVATE = 0o077


def guarded(verb: Callable[..., int], *, private: bool = True) -> Callable[..., None]:
    """The verb as a command: leaves with its return value, 1 (failure), 2 (usage) or 130 (interrupted).

    private: what it writes shows people; nobody but the user may read it.
    """

    @functools.wraps(verb)
    def command(**arguments: Any) -> None:
        with _private_files(private), _ended_by_signals(), options_named():
            raise typer.Exit(_ended(verb, arguments))

    return command


def naming(about: str, reason: str) -> str:
    """Why something failed, with the name of what was being worked on before it unless it is in there."""
    return reason if os.path.basename(about) in reason else f"{about}: {reason}"


def tell_failure(error: Exception, about: str, verbose: int) -> int:
    """Tell of what ended the work on one input, while the others go on; returns the exit code."""
    if isinstance(error, CrowdadError):
        if isinstance(error, ConfigError):
            notice(str(error))
            return USAGE
        notice(naming(about, str(error)))
        return FAILED
    if verbose >= _TRACEBACKS_FROM:
        traceback.print_exception(error)
    notice(line_of(error, about))
    return FAILED


def _ended(verb: Callable[..., int], arguments: dict[str, Any]) -> int:
    try:
        return verb(**arguments)
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        notice(_interrupted("resume" in arguments))
        return INTERRUPTED
    except Exception as error:
        return tell_failure(error, "", arguments.get("verbose", 0))


def _interrupted(resumable: bool) -> str:
    if resumable:
        kept = "what was scored so far, if anything, is in the .part files of the run's folder"
        return f"interrupted; {kept}: go on with --resume"
    return "interrupted; the same command begins anew"


@contextmanager
def _private_files(wanted: bool) -> Iterator[None]:
    """Files 0600 and folders 0700, from the first byte on."""
    if not wanted:
        yield
        return
    before = os.umask(_PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the signals that services are stopped with and terminals end with end a verb as Ctrl+C does.

    One that is ignored stays so (`nohup`).
    """

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
