"""Where runs go: each piece of footage its own folder, here or in an object store; one place for every caller."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from crowdad.errors import OutputExistsError
from crowdad.outputs.folder import RunFolder, run_name
from crowdad.outputs.remote import RemoteRun
from crowdad.sources import Spec
from crowdad.sources.storage import local_spec
from crowdad.workflows.resuming import can_be_resumed

__all__ = ["OutputPaths", "RunPlace"]

RunPlace = Path | RemoteRun
"""Where one run is, or will be."""


@dataclass(frozen=True)
class OutputPaths:
    """Where runs go, no two of them to one place.

    output: as the user gave it, a folder or an address; None: runs/.  several: it is the folder of their folders, not a
    run's own.
    overwrite, resume: as in `detect`.  A folder that is named after its footage is the first of `<name>`, `<name>-2`,
    .. that is free; with overwrite `<name>` itself, whatever it holds; with resume the first that is free or holds a
    run of this footage.
    """

    output: str | os.PathLike[str] | None
    several: bool = False
    overwrite: bool = False
    resume: bool = False
    _taken: set[RunPlace] = field(default_factory=set, init=False, repr=False, compare=False)

    def place(self, spec: Spec) -> RunPlace:
        """The place of the footage's run, neither made nor held yet."""
        place = next(self._own(spec, spec.name))
        self._taken.add(place)
        return place

    def folder(self, spec: Any, name: str) -> RunFolder:
        """The folder of the footage's run, made and held.  name: of the footage.  Raises OutputError, ConfigError."""
        if not self._named:
            assert self.output is not None
            return RunFolder(local_spec(self.output), self.overwrite, self.resume)
        for path in self._own(spec, name):
            assert isinstance(path, Path)
            self._taken.add(path)
            try:
                return RunFolder(path, self.overwrite, self.resume)
            except OutputExistsError:  # another process was there first
                if self.overwrite or self.resume:
                    raise
        raise AssertionError("numbers do not end")

    @contextmanager
    def held(self, spec: Spec) -> Iterator[RunFolder | RemoteRun]:
        """The folder of the footage's run, held meanwhile; or its place elsewhere, which nothing holds."""
        if RemoteRun.of(self.output) is not None:
            place = self.place(spec)
            assert isinstance(place, RemoteRun)
            yield place
        else:
            with self.folder(spec, spec.name) as folder:
                yield folder

    @property
    def _named(self) -> bool:
        """Whether folders are named after their footage."""
        return self.output is None or self.several

    def _own(self, spec: Any, name: str) -> Iterator[RunPlace]:
        """The places that may be the run's, best first."""
        runs = RemoteRun.of(self.output) or Path(local_spec("runs" if self.output is None else self.output))
        if not self._named:
            yield runs
            return
        for number in count(1):
            own = run_name(name) if number == 1 else f"{run_name(name)}-{number}"
            place = RemoteRun(runs.url / own) if isinstance(runs, RemoteRun) else runs / own
            if place not in self._taken and self._may_be(place, spec):
                yield place

    def _may_be(self, place: RunPlace, spec: Any) -> bool:
        if self.resume:
            return can_be_resumed(place, spec)
        if self.overwrite:
            return True
        return place.is_free() if isinstance(place, RemoteRun) else not place.exists()
