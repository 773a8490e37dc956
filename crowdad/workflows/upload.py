"""Runs whose place is in an object store: written here, put there once they are whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crowdad.errors import OutputExistsError
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults
from crowdad.workflows.progress import Progress, in_bytes
from crowdad.workflows.resuming import is_of

__all__ = ["put_when_whole", "whole_there"]


def put_when_whole(
    run: RemoteRun,
    spec: Any,
    score: Callable[[RunFolder], RunResults],
    *,
    overwrite: bool,
    resume: bool,
    progress: Progress,
) -> RunResults:
    """The results of a run, which then lies at its place, or lay there already.

    score: writes the run into a folder, or goes on with what is in it.  overwrite, resume: as in `detect`.
    Raises OutputError, StorageError, and what `score` raises.
    """
    whole = whole_there(run, spec) if resume else None
    if whole is not None:
        return whole
    run.check(overwrite=overwrite, resume=resume)
    with RunFolder(run.local, overwrite, resume) as folder:
        results = score(folder)
        run.put(in_bytes(progress, "putting"))
    return results


def whole_there(run: RemoteRun, spec: Any) -> RunResults | None:
    """Results of the whole run of this footage at the place; None without one, or where one waits here to be put.

    Raises OutputExistsError where it is of other footage, OutputNotReadableError, StorageError.
    """
    results = run.results()
    if results is not None and not is_of(results, spec):
        raise OutputExistsError(
            f"{run}: holds a whole run of {results.source.name}; choose another place, or --overwrite to replace it"
        )
    return None if run.waits() else results
