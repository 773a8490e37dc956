"""Where runs go: each piece of footage its own folder, here or in an object store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crowdad.outputs.folder import RunFolder, numbered_names, run_name
from crowdad.outputs.remote import RemoteRun
from crowdad.sources import Spec
from crowdad.sources.storage import local_spec
from crowdad.workflows.resuming import can_be_resumed, folder_to_resume

__all__ = ["Place", "Places"]

Place = Path | RemoteRun
"""Of one run."""


@dataclass(frozen=True)
class Places:
    """Where runs go.

    output: as the user gave it, a folder or an address; None: runs/.  several: it is the folder of their folders, not a
    run's own.  overwrite, resume: as in `detect`.
    """

    output: str | None
    several: bool
    overwrite: bool
    resume: bool

    @contextmanager
    def held(self, spec: Spec) -> Iterator[RunFolder | RemoteRun]:
        """The folder of the footage's run, held meanwhile; or its place elsewhere, which nothing holds."""
        if RemoteRun.of(self.output) is not None:
            place = self._place(spec, set())
            assert isinstance(place, RemoteRun)
            yield place
        else:
            with self._folder(spec) as folder:
                yield folder

    def places(self, specs: Sequence[Spec]) -> dict[Spec, Place]:
        """Footage -> its run's place, none of them made or held yet, each another one where there are several."""
        found: dict[Spec, Place] = {}
        for spec in specs:
            found[spec] = self._place(spec, set(found.values()))
        return found

    def _folder(self, spec: Spec) -> RunFolder:
        if self.output is None:
            return folder_to_resume(spec) if self.resume else RunFolder.numbered(spec.name)
        output = Path(local_spec(self.output))
        if not self.several:
            return RunFolder(output, self.overwrite, self.resume)
        if self.resume:
            return folder_to_resume(spec, output)
        if self.overwrite:
            return RunFolder(output / run_name(spec.name), overwrite=True)
        return RunFolder.numbered(spec.name, output)

    def _place(self, spec: Spec, taken: Set[Place]) -> Place:
        runs = RemoteRun.of(self.output) or Path(local_spec(self.output or "runs"))
        if self.output is not None and not self.several:
            return runs
        for name in numbered_names(spec.name):
            place = RemoteRun(runs.url / name) if isinstance(runs, RemoteRun) else runs / name
            if place not in taken and self._is_own(place, spec):
                return place
        raise AssertionError("numbers do not end")

    def _is_own(self, place: Place, spec: Spec) -> bool:
        if self.resume:
            return can_be_resumed(place, spec)
        if self.overwrite:
            return True
        return place.is_free() if isinstance(place, RemoteRun) else not place.exists()
