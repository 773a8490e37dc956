"""How a verb ends: an exit code and at most one line, a traceback only for those who look for a bug."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from crowdad.cli.terminal import notice
from crowdad.errors import ConfigError, CrowdadError

__all__ = ["FAILED", "USAGE", "guarded"]

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_TRACEBACKS_FROM = 2


def guarded(verb: Callable[..., int]) -> Callable[..., None]:
    """The verb as a command: leaves with its return value, 1 (failure), 2 (usage) or 130 (interrupted)."""

    @functools.wraps(verb)
    def command(**arguments: Any) -> None:
        raise typer.Exit(_ended(verb, arguments))

    return command


def _ended(verb: Callable[..., int], arguments: dict[str, Any]) -> int:
    try:
        return verb(**arguments)
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except ConfigError as error:
        notice(str(error))
        return USAGE
    except CrowdadError as error:
        notice(str(error))
        return FAILED
    except KeyboardInterrupt:
        notice("interrupted; what was scored so far is in the .part files of the run's folder, go on with --resume")
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        if arguments.get("verbose", 0) >= _TRACEBACKS_FROM:
            raise
        where = f"{type(error).__name__}: {error}".splitlines()[0]
        notice(f"a bug in crowdad ({where}); run again with -vv for the traceback, and please report it")
        return FAILED
