"""Machines that have no disk in common: each fetches what it scores and puts what it found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crowdad.cli import main
from tests.conftest import write_video
from tests.object_store import Bucket
from tests.tiny_scene import model_of, scale_of, walkers

pytestmark = pytest.mark.slow

_STORE_BYTES = 80 * 2**20


@pytest.fixture
def cluster(object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core, each with a cache folder of its own, which stands for its disk."""
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'crowdad[ray]')")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")
    node = {"num_cpus": 1, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    started = Cluster(initialize_head=True, head_node_args=node)
    try:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
        started.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
        yield started
    finally:
        ray.shutdown()
        started.shutdown()


def test_no_disk_in_common(cluster: Any, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        bucket.put(write_video(tmp_path / f"{number}.mp4", walkers(60 + 10 * number)), f"day/{number}.mp4")
    model = bucket.put(model_of(scale_of(gap=2)).save(tmp_path / "scene.safetensors"), "scene.safetensors")
    command = ["detect", f"{bucket.url}/day", "-m", model, "-o", f"{bucket.url}/runs", "--ray", cluster.address]
    with pytest.raises(SystemExit) as leaving:
        main([*command, "--runtime", "torch", "--no-overlay", "--no-report"])
    assert leaving.value.code == 0, capsys.readouterr().err
    for number in range(4):
        assert "results.json" in bucket.names(f"runs/{number}")
    for disk in ("one", "other"):
        fetched = {path.name for path in (tmp_path / disk).rglob("*") if path.suffix in (".mp4", ".safetensors")}
        assert "scene.safetensors" in fetched, "each machine had something to do"
        assert len(fetched) > 1
        assert not list((tmp_path / disk).rglob("results.json"))
