"""A run's place in an object store: written in a folder here, put there when it is whole, `results.json` last."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import platformdirs

from crowdad.errors import (
    ConfigError,
    OutputExistsError,
    OutputNotReadableError,
    OutputNotWritableError,
    StorageError,
    StorageNotFoundError,
)
from crowdad.outputs.folder import RUN_FILES
from crowdad.outputs.results import MOST_RESULTS_BYTES, RunResults, parse_results
from crowdad.sources.storage import Url, is_stored, share_callback

__all__ = ["RemoteRun"]

_WHOLE = "results.json"
_PART_BYTES = 2**24


def staging_folder() -> Path:
    """Where runs are written that are to be put elsewhere; need not exist yet."""
    return platformdirs.user_cache_path("crowdad") / "runs"


@dataclass(frozen=True)
class RemoteRun:
    """The place of one run.  Nothing locks it: two machines must not put runs to one place at the same time."""

    url: Url

    @classmethod
    def of(cls, output: object) -> RemoteRun | None:
        """The place at an address in an object store; None for a folder.  Raises ConfigError for another address."""
        if isinstance(output, RemoteRun):
            return output
        if not isinstance(output, str):
            return None
        if is_stored(output):
            return cls(Url.of(output))
        if "://" in output and not output.startswith("file://"):
            raise ConfigError(f"{output}: no run can be put there; give a folder, or a place in a store such as s3://")
        return None

    def __str__(self) -> str:
        return str(self.url)

    @property
    def local(self) -> Path:
        """The folder here in which the run is written, always the same for one place, so that a run can go on."""
        digest = hashlib.sha256(str(self.url).encode(errors="replace")).hexdigest()[:12]
        return staging_folder() / f"{self.url.name}-{digest}"

    def is_free(self) -> bool:
        """Whether nothing lies at the place, and nothing here that is to be put there.  Raises StorageError."""
        return not self._names() and not self._has_begun()

    def waits(self) -> bool:
        """Whether a whole run lies here that could not be put to its place."""
        return (self.local / _WHOLE).is_file()

    def results(self) -> RunResults | None:
        """Those of the whole run at the place; None where there is none.

        Raises OutputNotReadableError where they are damaged, StorageError.
        """
        whole = self.url / _WHOLE
        try:
            with whole.reached() as store:
                size_bytes = whole.looked_at().size_bytes
                if size_bytes > MOST_RESULTS_BYTES:
                    raise OutputNotReadableError(f"{whole}: {size_bytes:,} bytes, too large for the results of a run")
                return parse_results(store.cat_file(whole.path), str(whole))
        except StorageNotFoundError:
            return None

    def check(self, *, overwrite: bool, resume: bool) -> None:
        """Refuse, before an hour is spent, a place that holds another run or that cannot be written.

        Raises OutputExistsError, OutputNotWritableError.
        """
        held = self._held()
        if held and not (overwrite or resume):
            go_on = "" if _WHOLE in held else "--resume to go on with it, "
            raise OutputExistsError(
                f"{self}: holds another run ({held[0]}); choose another place, {go_on}or --overwrite to replace it"
            )
        if self._has_begun() and not (overwrite or resume):
            left = f"a whole run for it lies in {self.local} and was not put there; --resume to put it"
            if not self.waits():
                left = f"an unfinished run for it lies in {self.local}; --resume to go on with it"
            raise OutputExistsError(f"{self}: {left}, or --overwrite to score again")
        probe = self.url / f".crowdad-{os.getpid()}.part"
        try:
            with self.url.reached() as store:
                store.pipe_file(probe.path, b"")
                with suppress(OSError):  # some may write there and not delete
                    store.rm_file(probe.path)
        except StorageError as error:
            raise self._not_writable(error, "give another -o") from None

    def put(self, on_bytes: Callable[[int, int], None]) -> None:
        """Put the whole run there, what an earlier one left taken away, and delete the folder here.

        on_bytes: told how many bytes are there, of how many.
        Raises OutputNotWritableError where that fails; the folder here is then left as it is.
        """
        files = [path for path in self.local.iterdir() if path.is_file() and path.suffix != ".part"]
        files.sort(key=lambda path: (path.name == _WHOLE, path.name))
        total, done = sum(path.stat().st_size for path in files), 0
        on_bytes(done, total)
        try:
            with self.url.reached() as store:
                for name in self._held():  # results.json before the others: who reads meanwhile finds no whole run
                    if name == _WHOLE or not (self.local / name).is_file():
                        store.rm_file((self.url / name).path)
                for path in files:
                    size = path.stat().st_size
                    share = share_callback(partial(_tell, on_bytes, done, size, total))
                    store.put_file(str(path), (self.url / path.name).path, callback=share, chunksize=_PART_BYTES)
                    done += size
                    on_bytes(done, total)
        except StorageError as error:
            raise self._not_writable(
                error, f"the run is whole in {self.local}, the same command with --resume puts it there"
            ) from error
        shutil.rmtree(self.local, ignore_errors=True)

    def _has_begun(self) -> bool:
        """Whether a run for the place lies here, whole or not."""
        return self.local.is_dir() and any(self.local.iterdir())

    def _held(self) -> list[str]:
        """The files of a run at the place, results.json first."""
        names = self._names()
        return [name for name in RUN_FILES if name in names]

    def _names(self) -> set[str]:
        """What lies at the place; nothing where the folder is not there.  Raises StorageError without the bucket."""
        with self.url.reached() as store:
            try:
                return {url.name for url in self.url.iterdir()}
            except FileNotFoundError:
                if not store.exists(self.url.parts[0]):
                    raise
                return set()

    def _not_writable(self, error: StorageError, advice: str) -> OutputNotWritableError:
        why = str(error).removeprefix(f"{self}: ")
        return OutputNotWritableError(f"{self}: cannot be written ({why}); {advice}")


def _tell(on_bytes: Callable[[int, int], None], done: int, size: int, total: int, share: float) -> None:
    on_bytes(done + round(share * size), total)
