"""A watch under faults drawn from a seed: `python -m benchmarks.chaos`, ten minutes at four times a camera's speed.

Full disk, a locked and damaged queue, receivers that are dead, silent, endless or refuse, 500 connections that idle,
steps of the system's clock, a camera that is gone, SIGSTOP: up to three at once.  In the end every frame must be
counted, every event told once in events.jsonl and once to the webhook, the page's owner never kept out, and memory
flat: the most of the last third at most 1.02 times the most of the first.  The exit code is 1 where one is not.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.rows import write_report
from benchmarks.soak import fitted, resident_mb
from crowdad.errors import DataError
from crowdad.synthetic import GeneratedClip, write_clip

RESULTS = Path(__file__).parent / "results" / "chaos.json"
MOST_GROWTH = 1.02
_IDLE = 500
_FALSE_ALARMS_PER_HOUR = 600.0  # so that there is something to tell
_OWNER_WITHIN_S = 5.0
_DRAIN_S = 150.0
_ENDS_WITHIN_S = 90.0
_ANSWERS = ("dead", "silent", "endless", "500")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults are done (default: 10)")
    parser.add_argument(
        "--speed", type=float, default=4.0, help="playback speed, as a multiple of the recorded one (default: 4)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults (default: 0)")
    parser.add_argument("--json", type=Path, default=RESULTS, help=f"results file (default: {RESULTS})")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="crowdad-") as place:
        folder = Path(place)
        model = fitted(folder, fps=25)
        clip = folder / "camera.mp4"
        write_clip(GeneratedClip("ped2like", 2, duration_s=20, fps=25), clip)
        report = measure(
            model,
            clip,
            folder / "watch",
            60 * options.minutes,
            options.speed,
            options.seed,
            runtime="onnx",
            rate=_FALSE_ALARMS_PER_HOUR,
        )
    print(json.dumps({name: value for name, value in report.items() if name not in ("rss_mb", "notices")}, indent=1))
    write_report(options.json, report, ["python", "-m", "benchmarks.chaos", *(arguments or sys.argv[1:])])
    return 0 if held(report) and report["growth"] <= MOST_GROWTH else 1


def held(report: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled or kept out."""
    faults = ("frames_uncounted", "events_lost", "events_doubled", "alerts_lost", "alerts_doubled", "owner_kept_out")
    return report["exit_code"] == 0 and not any(report[name] for name in faults)


class Receiver:
    """A web server that takes alerts, or answers in one of the ways of `_ANSWERS`."""

    def __init__(self) -> None:
        self.answer = "ok"
        self.taken: Counter[str] = Counter()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = owner.answer
                if answer == "dead":
                    self.connection.close()
                    return
                line = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if answer == "silent":
                    time.sleep(15)
                    return
                if answer != "500":
                    owner.taken[line] += 1
                self.send_response(500 if answer == "500" else 200)
                if answer != "endless":
                    self.send_header("Content-Length", "0")
                self.end_headers()
                with suppress(OSError):
                    while answer == "endless":
                        self.wfile.write(bytes(2**16))

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError, ValueError):
                    super().handle()

            def finish(self) -> None:
                with suppress(OSError, ValueError):
                    super().finish()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class Chaos:
    """Does faults to a watch that runs, and undoes them."""

    def __init__(self, process: subprocess.Popen[str], port: int, folder: Path, receiver: Receiver, seed: int) -> None:
        self._process, self._port, self._folder, self._receiver = process, port, folder, receiver
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.owner_kept_out = 0
        self._kinds: dict[str, Callable[[ExitStack], None]] = {
            "full disk": self._full,
            "queue": self._queue,
            "receiver": self._answers,
            "idle": self._idle,
            "clock": lambda _: self._say(f"clock {self._random.choice((-86400, -3600, -5, 5, 3600, 86400))}"),
            "gone": lambda _: self._say(f"gone {self._random.uniform(0.2, 2):.2f}"),
            "stopped": self._stopped,
        }

    def some(self) -> None:
        """One to three faults at once, for a moment."""
        with ExitStack() as undo:
            for kind in self._random.sample(sorted(self._kinds), self._random.randint(1, 3)):
                self.done[kind] += 1
                self._kinds[kind](undo)
            time.sleep(self._random.uniform(0.3, 2.5))
        time.sleep(self._random.uniform(0.1, 0.7))

    def end(self) -> None:
        """The camera is at its end."""
        self._say("end")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _full(self, undo: ExitStack) -> None:
        self._say("full 1")
        undo.callback(self._say, "full 0")

    def _queue(self, undo: ExitStack) -> None:
        with suppress(OSError):
            queue = undo.enter_context((self._folder / "webhook.queue").open("r+b"))
            fcntl.flock(queue, fcntl.LOCK_EX)
            queue.write(self._random.randbytes(100))

    def _answers(self, undo: ExitStack) -> None:
        self._receiver.answer = self._random.choice(_ANSWERS)
        undo.callback(setattr, self._receiver, "answer", "ok")

    def _idle(self, undo: ExitStack) -> None:
        for number in range(_IDLE):
            with suppress(OSError):
                held_open = undo.enter_context(socket.create_connection(("127.0.0.1", self._port), timeout=5))
                held_open.sendall(b"GET /updates HTTP/1.1\r\nHost: localhost\r\n\r\n" if number % 2 else b"GET")
        try:
            owner = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_OWNER_WITHIN_S)
            owner.request("GET", "/")
            self.owner_kept_out += owner.getresponse().status != 200
            owner.close()
        except OSError:
            self.owner_kept_out += 1

    def _stopped(self, undo: ExitStack) -> None:
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(0.1, 1))
        self._process.send_signal(signal.SIGCONT)


def measure(
    model: Path,
    clip: Path,
    folder: Path,
    seconds: float,
    speed: float,
    seed: int,
    *,
    runtime: str = "torch",
    rate: float | None = None,
) -> dict[str, Any]:
    """Watch the clip under faults for so long; what was found, see `held`.  rate: of false alarms an hour."""
    receiver = Receiver()
    told = (model, clip, folder, receiver.url, speed, runtime, "" if rate is None else rate)
    command = [sys.executable, "-m", "benchmarks.chaos_watch", *told]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), stdin=pipe, stdout=pipe, stderr=said, text=True)
        try:
            assert process.stdout is not None
            chaos = Chaos(process, urlsplit(process.stdout.readline()).port or 0, folder, receiver, seed)
            memory = _under_faults(chaos, process, folder, seconds)
            chaos.end()
            given = int(process.stdout.readline() or 0)
            process.wait(_ENDS_WITHIN_S)
        finally:
            process.kill()
            with process:  # closes its pipes
                receiver.close()
        said.seek(0)
        notices = Counter(said.read().splitlines())
    found = {"benchmark": "chaos", "seconds": seconds, "speed": speed, "seed": seed, "faults": dict(chaos.done)}
    found |= {"exit_code": process.returncode, "owner_kept_out": chaos.owner_kept_out, "notices": dict(notices)}
    third = max(1, len(memory) // 3)
    growth = max(memory[-third:]) / max(memory[:third])
    return {**found, **_account(folder, receiver.taken, given), "growth": round(growth, 4), "rss_mb": memory}


def _under_faults(chaos: Chaos, process: subprocess.Popen[str], folder: Path, seconds: float) -> list[float]:
    """Do faults for so long, then wait for what waits to be delivered; memory of the watch in MB, in between."""
    _until(lambda: int(_status(folder).get("scored", 0)) > 0, _ENDS_WITHIN_S)
    memory: list[float] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and process.poll() is None:
        chaos.some()
        memory.append(resident_mb(process.pid) or 0.0)
    _until(lambda: not any(sink["waiting"] for sink in _status(folder).get("alerts", [{"waiting": 1}])), _DRAIN_S)
    return memory


def _until(condition: Callable[[], bool], limit_s: float) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end_s:
            raise DataError(f"the watch under faults did not get there within {limit_s:g} s")
        time.sleep(0.2)


def _status(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "status.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _account(folder: Path, taken: Counter[str], given: int) -> dict[str, Any]:
    """Whether every frame was counted and every event told once, in the file and to the webhook."""
    status = _status(folder)
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    kinds = Counter((line["type"], line["id"]) for line in told if line["type"] in ("new", "end"))
    counted = status["scored"] + sum(status["skipped"].values()) + status["waiting"]
    return {
        "frames": given,
        "frames_uncounted": abs(given - counted),
        "events": status["events"],
        "events_lost": 2 * status["events"] - len(kinds),
        "events_doubled": sum(kinds.values()) - len(kinds) + len(lines) - len(set(lines)),
        "alerts": len(lines),
        "alerts_lost": len(set(lines) - set(taken)),
        "alerts_doubled": sum(taken.values()) - len(taken),
        "scored": status["scored"],
        "skipped": status["skipped"],
        "delays": status["frame_delays"],
    }


if __name__ == "__main__":
    sys.exit(main())
