"""What many cameras cost, and how long their footage waits: a sum from measured figures, and a small simulation.

`python -m benchmarks.fleet_simulation` writes results/scale.json and results/scale.png; `python -m benchmarks.tables`
then fills the tables of scale.md.  Cameras record pieces of two minutes; pieces queue for the cores of 16-core nodes,
one piece a core, first come first served.  One piece in a hundred takes four times as long (a straggler).  A node dies
once a day on average, far more often than machines do; it is back after ten minutes, and what it was scoring is scored
again from the start.  In a rush, of an hour, pieces take half as long again: more people, more to score.
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row, read_rows, write_rows
from crowdad.errors import DataError

__all__ = ["SCALE_TABLES", "Fleet", "Scorer", "costs", "main", "scorers", "simulate"]

RESULTS = Path(__file__).parent / "results"
CAMERAS = (10, 1000, 100_000)
CAMERA_FPS = 25.0
PIECE_S = 120.0
NODE_CORES = 16
BUSY = 0.7
"""Share of the cores' time that is planned for; the simulation shows why not more."""

MEGABITS = 1.0
"""Assumed for a camera's stream at 240x360 in H.264; its own figure is known to its owner."""

RESULT_BYTES = 175
"""A frame in frames.csv, heatmaps.npz and results.json of `crowdad detect` over 60 s of 240x360."""

RUNTIMES = {"torch": "scores, torch", "ONNX Runtime": "scores, ONNX Runtime"}


@dataclass(frozen=True)
class Scorer:
    """What was measured of `crowdad detect` over 240x360, on all cores of one machine.

    per_core: frames scored a second and core.  memory_mb: highest resident memory of one process.
    """

    per_core: float
    memory_mb: float


@dataclass(frozen=True)
class Fleet:
    """What pieces queue for.

    cores: how many.  work_s: to score a piece on one of them.  stragglers: share of pieces that take four times as
    long.  node_days: between two deaths of one node, on average; infinite: none dies.
    rush: how much more work pieces of the second hour are.
    """

    cores: int
    work_s: float
    stragglers: float = 0.01
    node_days: float = 1.0
    rush: float = 1.0
    back_after_s: float = 600.0


def scorers(results: Path = RESULTS) -> dict[str, Scorer]:
    """By runtime, from speed.json; raises DataError where it holds none."""
    path = results / "speed.json"
    rows = [row for row in read_rows(path) if (row["part"], row.get("footage")) == ("commands", "ped2")]
    found = {}
    for name, form in RUNTIMES.items():
        of_form = [row for row in rows if row["form"] == form]
        if not of_form:
            raise DataError(f"{path}: no row of Ped2, {form}; run python -m benchmarks.speed --only commands")
        row = max(of_form, key=lambda row: row["cores"])
        found[name] = Scorer(row["fps"] / row["cores"], row["peak_mb"]["median"])
    return found


def costs(cameras: int, by_runtime: Mapping[str, Scorer]) -> Row:
    """What so many cameras need."""
    cores = {name: math.ceil(cameras * CAMERA_FPS / scorer.per_core / BUSY) for name, scorer in by_runtime.items()}
    day_s = 86_400
    return {
        "table": "costs",
        "cameras": cameras,
        "cores": cores,
        "nodes": {name: math.ceil(count / NODE_CORES) for name, count in cores.items()},
        "memory_gb": {name: round(cores[name] * by_runtime[name].memory_mb / 1000, 1) for name in cores},
        "network_mbit_s": cameras * MEGABITS,
        "footage_tb_day": cameras * MEGABITS / 8 * day_s / 1e6,
        "results_gb_day": cameras * CAMERA_FPS * day_s * RESULT_BYTES / 1e9,
        "pieces_a_second": cameras / PIECE_S,
    }


def simulate(cameras: int, fleet: Fleet, hours: float, seed: int = 0) -> np.ndarray:
    """Seconds from the end of each piece's recording to its score, float64 (N,), the first half hour left out."""
    rng = np.random.default_rng(seed)
    rounds = int(hours * 3600 / PIECE_S)
    starts = (rng.uniform(0, PIECE_S, cameras)[:, None] + PIECE_S * np.arange(rounds)).ravel()
    work = fleet.work_s * rng.lognormal(-0.02, 0.2, len(starts))
    work[rng.random(len(starts)) < fleet.stragglers] *= 4
    work[(starts >= 3600) & (starts < 7200)] *= fleet.rush
    events: list[tuple[float, int, str, int]] = [(t, i, "arrive", i) for i, t in enumerate(starts.tolist())]
    nodes = math.ceil(fleet.cores / NODE_CORES)
    for node in range(nodes):
        deaths = np.cumsum(rng.exponential(fleet.node_days * 86_400, 3)) if math.isfinite(fleet.node_days) else ()
        events += [(t, -1 - node, "die", node) for t in deaths if t < hours * 3600]
    heapq.heapify(events)
    ended = _Queue(fleet, nodes, work).run(events)
    return np.array([ended[i] - starts[i] for i in range(len(starts)) if i in ended and starts[i] > 1800])


class _Queue:
    """Pieces that wait, cores that are free, and what runs where."""

    def __init__(self, fleet: Fleet, nodes: int, work: np.ndarray) -> None:
        self._fleet = fleet
        self._work = work
        self._waiting: deque[int] = deque()
        self._free = [core // NODE_CORES for core in range(fleet.cores)]
        self._running: list[dict[int, int]] = [{} for _ in range(nodes)]  # piece -> number of its start
        self._dead: set[int] = set()
        self._started = 0

    def run(self, events: list[tuple[float, int, str, int]]) -> dict[int, float]:
        """When each piece that was scored had been."""
        ended: dict[int, float] = {}
        while events:
            now, number, what, which = heapq.heappop(events)
            if what == "arrive":
                self._waiting.append(which)
            elif what == "end":
                node, piece = divmod(which, len(self._work))
                if self._running[node].get(piece) != number:
                    continue  # its node died meanwhile
                del self._running[node][piece]
                ended[piece] = now
                self._free.append(node)
            elif what == "die" and which not in self._dead:
                self._die(which)
                heapq.heappush(events, (now + self._fleet.back_after_s, number, "back", which))
            elif what == "back":
                self._dead.discard(which)
                cores = min(NODE_CORES, self._fleet.cores - which * NODE_CORES)
                self._free += [which] * cores
            self._begin(now, events)
        return ended

    def _die(self, node: int) -> None:
        self._dead.add(node)
        self._free = [free for free in self._free if free != node]
        self._waiting.extendleft(sorted(self._running[node], reverse=True))
        self._running[node] = {}

    def _begin(self, now: float, events: list[tuple[float, int, str, int]]) -> None:
        while self._waiting and self._free:
            piece, node = self._waiting.popleft(), self._free.pop()
            self._started += 1
            self._running[node][piece] = self._started
            done = now + float(self._work[piece])
            heapq.heappush(events, (done, self._started, "end", node * len(self._work) + piece))


def _delay_rows(per_core: float, hours: float, shares: Sequence[float]) -> list[Row]:
    rows = []
    work_s = PIECE_S * CAMERA_FPS / per_core
    for cameras in CAMERAS[:2]:
        for cores in dict.fromkeys(math.ceil(cameras * work_s / PIECE_S / share) for share in shares):
            for name, fleet in (
                ("none", Fleet(cores, work_s, 0.0, math.inf)),
                ("stragglers", Fleet(cores, work_s, 0.01, math.inf)),
                ("stragglers, nodes die", Fleet(cores, work_s)),
                ("the same, and a rush", Fleet(cores, work_s, rush=1.5)),
            ):
                delays = simulate(cameras, fleet, hours)
                middle, late, last = np.percentile(delays, (50, 95, 99.9)).tolist()
                busy = cameras * work_s / PIECE_S / cores
                row = {"table": "delays", "cameras": cameras, "cores": cores, "busy": busy, "trouble": name}
                rows.append({**row, "median_s": middle, "p95_s": late, "p999_s": last, "pieces": len(delays)})
    return rows


def costs_table(rows: Sequence[Row]) -> str:
    """What cameras need, a row for each number of them."""
    lines = [
        "| cameras | cores (torch / ONNX Runtime) | 16-core nodes | memory, GB | network in, Mbit/s | "
        "footage, TB a day | results, GB a day | pieces a second |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in (row for row in rows if row["table"] == "costs"):
        cores, nodes, memory = (_both(row[key]) for key in ("cores", "nodes", "memory_gb"))
        lines.append(
            f"| {row['cameras']:,} | {cores} | {nodes} | {memory} | {row['network_mbit_s']:,.0f} | "
            f"{row['footage_tb_day']:,.2f} | {row['results_gb_day']:,.1f} | {row['pieces_a_second']:,.1f} |"
        )
    return "\n".join(lines)


def _both(by_runtime: Mapping[str, float]) -> str:
    return " / ".join(f"{by_runtime[name]:,.0f}" for name in RUNTIMES)


def delays_table(rows: Sequence[Row]) -> str:
    """How long a piece waits and is scored, in seconds after its recording ended."""
    lines = ["| cameras | cores | busy | trouble | median, s | 95 %, s | 99.9 %, s |", "|---|---|---|---|---|---|---|"]
    for row in (row for row in rows if row["table"] == "delays"):
        lines.append(
            f"| {row['cameras']:,} | {row['cores']:,} | {row['busy']:.0%} | {row['trouble']} | {row['median_s']:.0f} | "
            f"{row['p95_s']:.0f} | {row['p999_s']:.0f} |"
        )
    return "\n".join(lines)


SCALE_TABLES: Mapping[str, Callable[[Sequence[Row]], str]] = {"scale-costs": costs_table, "scale-delays": delays_table}


def _plot(rows: Sequence[Row], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(1, 2, sharey=True)
    for axis, cameras in zip(axes, CAMERAS[:2], strict=True):
        own = [row for row in rows if row["table"] == "delays" and row["cameras"] == cameras]
        for trouble in dict.fromkeys(row["trouble"] for row in own):
            line = [row for row in own if row["trouble"] == trouble]
            busy = [100 * row["busy"] for row in line]
            axis.plot(busy, [row["p95_s"] for row in line], marker="o", label=f"{trouble}: 95 %")
            axis.plot(
                busy, [row["p999_s"] for row in line], marker=".", linestyle=":", color=axis.lines[-1].get_color()
            )
        axis.set(title=f"{cameras:,} cameras", xlabel="cores busy, %", yscale="log")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("from recorded to scored, s (dotted: 99.9 %)")
    axes[1].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sum and the simulation; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_simulation", description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0, help="simulated time")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    by_runtime = scorers()
    rows = [{"table": "source", "file": "speed.json", **{name: asdict(one) for name, one in by_runtime.items()}}]
    rows += [costs(cameras, by_runtime) for cameras in CAMERAS]
    rows += _delay_rows(by_runtime["ONNX Runtime"].per_core, options.hours, (0.5, 0.7, 0.8, 0.9, 0.95))
    write_rows(options.output / "scale.json", rows)
    _plot(rows, options.output / "scale.png")
    print(costs_table(rows), delays_table(rows), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
