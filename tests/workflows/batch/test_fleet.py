"""Tasks run elsewhere: what they give, what becomes of those whose process dies.  No task here outlives its test."""

from __future__ import annotations

import os
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from crowdad.errors import FleetError, TooShortError
from crowdad.workflows.batch.fleet import TRIES, LocalFleet, RayFleet


def double(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refuse(what: str) -> None:
    raise TooShortError(what)


def die(tally: Path, times: int) -> int:
    """Ends its process without a word, the first `times` times it is called."""
    with tally.open("a") as file:
        file.write("x")
    if len(tally.read_text()) <= times:
        os._exit(9)
    return len(tally.read_text())


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def cores() -> str:
    return os.environ["OPENCV_FOR_THREADS_NUM"]


def test_tasks_run_in_other_processes_and_errors_come_back() -> None:
    with LocalFleet(2) as fleet:
        ends = [fleet.submit(double, number).result() for number in range(4)]
        assert [value for value, _ in ends] == [0, 2, 4, 6]
        assert os.getpid() not in {pid for _, pid in ends}
        with pytest.raises(TooShortError, match=r"clip\.mp4: 5 frames"):
            fleet.submit(refuse, "clip.mp4: 5 frames").result()
        assert fleet.submit(cores).result() == str(max(1, (os.cpu_count() or 1) // 2))


def test_a_task_whose_process_dies_is_run_again_and_costs_the_others_nothing(tmp_path: Path) -> None:
    with LocalFleet(2) as fleet:
        once = fleet.submit(die, tmp_path / "once", 1)
        always = fleet.submit(die, tmp_path / "always", 99)
        others = [fleet.submit(double, number) for number in range(6)]
        assert [other.result()[0] for other in others] == [0, 2, 4, 6, 8, 10]
        assert once.result() == 2
        with pytest.raises(FleetError, match=f"{TRIES} times"):
            always.result()
    assert len((tmp_path / "always").read_text()) == TRIES


def test_what_is_interrupted_leaves_nothing_running() -> None:
    began = time.monotonic()
    fleet = LocalFleet(1)
    pid = fleet.submit(double, 1).result()[1]
    running, waiting = fleet.submit(sleep, 100.0), fleet.submit(double, 2)
    while not running.running():
        time.sleep(0.01)
    fleet.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(CancelledError):
        waiting.result()


def test_no_jobs_no_cluster_and_no_ray_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FleetError, match="at least 1"):
        LocalFleet(0)
    for address, told in (("127.0.0.1:1", r"'127\.0\.0\.1:1'"), ("cluster", "host:port")):
        with pytest.raises(FleetError, match=told):
            RayFleet(address)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(FleetError, match=r"pip install 'crowdad\[ray\]'"):
        RayFleet("auto")
