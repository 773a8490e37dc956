"""Where tasks run: processes of this machine, or a Ray cluster.  One way to hand them out, two to have them run.

A task is a function of a module and its arguments; both travel to another process, as does what it returns or raises.
A task whose process or machine dies is run again, so tasks leave nothing half done that a second try trips over.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, TypeVar

from crowdad.errors import FleetError

__all__ = ["Fleet", "LocalFleet", "RayFleet"]

T = TypeVar("T")

TRIES = 3
"""Times a task is run whose process dies each time."""

_ANSWERS_WITHIN_S = 10.0


class Fleet(ABC):
    """Runs tasks side by side; use as a context manager, at whose end nothing goes on running.

    one_machine: all of them see the disk of this machine.
    """

    one_machine = True

    @abstractmethod
    def submit(self, task: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a task run when its turn comes; the future holds what it returned or raised."""

    def cancel(self, future: Future[Any]) -> None:
        """Don't run the task if it has not begun; what it gives does not matter any more."""
        future.cancel()

    @abstractmethod
    def close(self, *, now: bool = False) -> None:
        """End all processes.  now: don't wait for the tasks that run."""

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(now=error is not None)


class LocalFleet(Fleet):
    """Processes of this machine.

    jobs: how many run side by side, each on its share of the cores.
    Raises FleetError where the system lets none.

    Each has an executor of its own: one that dies takes its task along and no other.
    """

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise FleetError(f"{jobs} jobs were asked for; at least 1 is needed")
        _check_startable()
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="crowdad-job")
        self._cores = max(1, (os.cpu_count() or 1) // jobs)
        self._own = threading.local()
        self._pools: list[ProcessPoolExecutor] = []
        self._pids: set[int] = set()
        self._closing = False

    def submit(self, task: Callable[..., T], *arguments: Any) -> Future[T]:
        return self._threads.submit(self._run, task, arguments)

    def close(self, *, now: bool = False) -> None:
        self._closing = now
        self._threads.shutdown(wait=not now, cancel_futures=now)
        for pool in self._pools:
            pool.shutdown(wait=not now, cancel_futures=now)
        if now:
            own = [process for process in multiprocessing.active_children() if process.pid in self._pids]
            for process in own:
                process.terminate()
            for process in own:
                process.join()
            self._threads.shutdown(wait=True)

    def _run(self, task: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        for left in reversed(range(TRIES)):
            try:
                return self._pool().submit(task, *arguments).result()
            except BrokenProcessPool:
                self._own.pool = None
                if not left or self._closing:
                    raise FleetError(
                        f"the process that did it died {TRIES} times; is there enough memory? fewer --jobs need less"
                    ) from None
        raise AssertionError("either returns or raises")

    def _pool(self) -> ProcessPoolExecutor:
        """The executor of this thread."""
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            # Not forked: a copy of a process with threads may hang.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_use_cores, initargs=(self._cores,))
            self._pools.append(pool)
            self._pids.add(pool.submit(os.getpid).result())
            self._own.pool = pool
        return pool


class RayFleet(Fleet):
    """A Ray cluster, which schedules, retries and moves tasks by itself.

    address: "auto" for the cluster that this machine belongs to, or host:port of its head.
    gpu_share: of a GPU, that each task needs.

    crowdad must be installed on each machine, and find footage and results under the same paths.
    Raises FleetError without Ray or without a cluster.
    """

    one_machine = False

    def __init__(self, address: str = "auto", *, gpu_share: float = 0.0) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise FleetError(
                "Ray is not installed; pip install 'crowdad[ray]', or use --jobs on this machine"
            ) from None
        if address != "auto":
            _check_reachable(address)
        self._ray = ray
        self._gpu_share = gpu_share
        self._refs: dict[Future[Any], Any] = {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(address, next(iter(str(error).splitlines()), type(error).__name__)) from None

    def submit(self, task: Callable[..., T], *arguments: Any) -> Future[T]:
        remote = self._ray.remote(num_cpus=1, num_gpus=self._gpu_share, max_retries=TRIES - 1)(task)
        ref = remote.remote(*arguments)
        future: Future[T] = ref.future()
        self._refs[future] = ref
        future.add_done_callback(lambda done: self._refs.pop(done, None))
        return future

    def cancel(self, future: Future[Any]) -> None:
        ref = self._refs.get(future)
        if ref is not None:
            self._ray.cancel(ref)

    def close(self, *, now: bool = False) -> None:
        if now:
            for ref in list(self._refs.values()):
                self._ray.cancel(ref)
        self._ray.shutdown()


def _check_startable() -> None:
    """Raise FleetError where this system lets no processes work together: they share locks, in /dev/shm on Linux."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FleetError(
            f"no processes can work side by side here ({reason}; is /dev/shm there, with room?); leave out --jobs"
        ) from None


def _use_cores(cores: int) -> None:
    """Keep the libraries that are loaded later from spreading over cores that other processes use."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(name, str(cores))


def _check_reachable(address: str) -> None:
    """Raise FleetError where nothing answers at host:port; Ray itself goes on trying for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise FleetError(f"{address!r} is no address of a Ray cluster; give the host:port of its head, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, reason: str) -> FleetError:
    return FleetError(f"no Ray cluster at {address!r} ({reason}); start one with: ray start --head, or use --jobs")
