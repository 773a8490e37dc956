"""A real Ray cluster of two nodes, one of which is killed while it scores.  Begun and ended here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crowdad.outputs.results import RunResults
from crowdad.workflows.batch.fleet import RayFleet
from crowdad.workflows.batch.spread import Failure, detect_many
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import detect_with
from crowdad.workflows.progress import Stage
from tests.conftest import write_video
from tests.tiny_scene import model_of, scale_of, walkers
from tests.workflows.batch.test_spread import left_by

_STORE_BYTES = 80 * 2**20
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "300",  # on a busy machine it takes more than the 30 s that are usual
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and one more node, one core each, without a dashboard."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _QUIET.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
        started = Cluster(initialize_head=True, head_node_args=node)
        try:
            started.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
            yield started
        finally:
            ray.shutdown()
            started.shutdown()


def test_a_node_that_dies_costs_time_and_nothing_else(cluster: Any, tmp_path: Path) -> None:
    model = model_of(scale_of(gap=2)).save(tmp_path / "scene.safetensors")
    options = DetectOptions(model, overlay=False, report=False, threshold=0.02)
    clip, short = write_video(tmp_path / "long.mp4", walkers(300), g="37"), tmp_path / "short.mp4"
    write_video(short, walkers(40))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    killed: list[str] = []

    def progress(stage: Stage) -> None:
        if stage.done >= 4 and not killed:
            (worker,) = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
            killed.append(worker.unique_id)
            cluster.remove_node(worker, allow_graceful=False)

    folders = {spec: tmp_path / "runs" / spec.stem for spec in (clip, short, bad)}
    with RayFleet(cluster.address) as fleet:
        ends = detect_many(folders, options, fleet, piece_s=5.0, progress=progress)
    assert killed
    assert isinstance(ends[bad], Failure)
    assert "not a video" in ends[bad].reason
    for spec in (clip, short):
        assert isinstance(ends[spec], RunResults), ends[spec]
        detect_with(spec, options, output=tmp_path / spec.stem)
        assert left_by(folders[spec]) == left_by(tmp_path / spec.stem)
