"""Which runtime scores, with which graph, and that the lean ones stay lean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import pytest

import crowdad
from crowdad import export
from crowdad.errors import ConfigError, RuntimeNotInstalledError
from crowdad.export import export_scene, onnx_graph
from crowdad.runtimes import GRAPH_RUNTIMES, OnnxRuntime, OpenVinoRuntime, TorchRuntime, choice, fingerprint
from crowdad.scene import SceneModel
from crowdad.workflows import preparing, running
from crowdad.workflows.progress import silent
from crowdad.workflows.running import check_runtime, open_runtime
from tests.conftest import TinyCamera
from tests.tiny_scene import model_of

CLASSES = {"torch": TorchRuntime, "onnx": OnnxRuntime, "openvino": OpenVinoRuntime}
PROGRAM = """
import json, sys
from pathlib import Path
from crowdad.cli import main
try:
    main(sys.argv[1:])
except SystemExit as leaving:
    loaded = [name for name in ("torch", "sklearn.cluster") if name in sys.modules]
    # Not getrusage: its peak goes on from that of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak_mb = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"code": leaving.code, "loaded": loaded, "peak_mb": peak_mb}))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(choice, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fingerprints of scenes whose graph is made: at once, and not checked on a drawn crowd."""
    made: list[str] = []

    def unchecked(scene: SceneModel) -> bytes:
        made.append(fingerprint(scene))
        return bytes(onnx_graph(scene).SerializeToString())

    monkeypatch.setattr(export, "checked_graph", unchecked)
    return made


def opened(scene: SceneModel, runtime: str, *, model: Path | None = None, device: str = "auto") -> tuple[str, object]:
    name, found = open_runtime(scene, model, runtime, device, silent)
    assert isinstance(found, CLASSES[name])
    features = np.random.default_rng(0).normal(1, 0.5, (9, 3, 5, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(found.normality(features), scene.normality(features), atol=2e-6)
    return name, found


@pytest.mark.parametrize("name", GRAPH_RUNTIMES)
def test_a_graph_is_made_once_and_kept(name: str, cache: Path, exports: list[str]) -> None:
    scene = model_of()
    for _ in range(2):
        assert opened(scene, name)[0] == name
    assert exports == [fingerprint(scene)]
    assert [path.name for path in (cache / "graphs").iterdir()] == [f"{fingerprint(scene)}.onnx"]
    opened(model_of(seed=1), name)
    assert len(exports) == 2


def says_all_is_normal(scene: SceneModel) -> bytes:
    """A graph that bears the scene's fingerprint and gives every tube normality 1."""
    graph = onnx_graph(scene)
    clip = next(node for node in graph.graph.node if "normality" in node.output)
    least = next(constant for constant in graph.graph.initializer if constant.name == clip.input[1])
    least.CopyFrom(onnx.numpy_helper.from_array(np.float32(1), least.name))
    return bytes(graph.SerializeToString())


def test_a_kept_graph_that_is_damaged_or_replaced_is_not_believed(cache: Path, exports: list[str]) -> None:
    scene = model_of()
    kept = cache / "graphs" / f"{fingerprint(scene)}.onnx"
    kept.parent.mkdir(parents=True)
    for content in (b"half a gra", says_all_is_normal(scene), onnx_graph(model_of(seed=1)).SerializeToString()):
        kept.write_bytes(content)
        exports.clear()
        opened(scene, "onnx")
        assert len(exports) == 1
        assert kept.read_bytes() == onnx_graph(scene).SerializeToString()
        opened(scene, "onnx")
        assert len(exports) == 1


def test_a_graph_beside_its_model_that_scores_otherwise_is_not_used(
    cache: Path, exports: list[str], tmp_path: Path
) -> None:
    scene, model = model_of(), tmp_path / "gate.safetensors"
    beside = model.with_suffix(".onnx")
    beside.write_bytes(says_all_is_normal(scene))
    assert GRAPH_RUNTIMES["onnx"](beside).fingerprint == fingerprint(scene)
    opened(scene, "onnx", model=model)
    assert len(exports) == 1


def test_what_is_kept_is_for_its_owner_only(cache: Path, exports: list[str]) -> None:
    opened(model_of(), "onnx")
    assert [folder.stat().st_mode & 0o777 for folder in (cache, cache / "graphs")] == [0o700, 0o700]


def test_where_nothing_can_be_kept_a_graph_runs_all_the_same(cache: Path, exports: list[str]) -> None:
    cache.write_text("a file where the folder should be")
    assert opened(model_of(), "onnx")[0] == "onnx"


@pytest.mark.parametrize("name", GRAPH_RUNTIMES)
def test_a_graph_beside_its_model_is_used_and_another_scenes_is_not(
    name: str, cache: Path, exports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.writing, "_difference", lambda *_: 0.0)
    scene, model = model_of(), tmp_path / "gate.safetensors"
    beside = model.with_suffix(GRAPH_RUNTIMES[name].suffix)
    monkeypatch.setattr(export.writing, "DrawnCrowd", lambda *_: _NoCrowd())
    export_scene(scene, beside, form=name)
    opened(scene, name, model=model)
    assert not exports
    opened(replace(scene, centres=scene.centres[:2]), name, model=model)
    assert len(exports) == 1
    beside.write_text("somebody else's file")
    opened(scene, name, model=model)
    assert len(exports) == 2


class _NoCrowd:
    def features(self) -> np.ndarray:
        return np.zeros((1, 3, 5, 5, 3), np.float32)


def test_auto_measures_once_and_takes_the_fastest_ever_after(
    cache: Path, exports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[set[str]] = []

    def pretend(runtimes, scene):
        measured.append(set(runtimes))
        return "openvino"

    monkeypatch.setattr(running, "fastest", pretend)
    assert [opened(model_of(), "auto")[0] for _ in range(3)] == ["openvino"] * 3
    assert opened(model_of(seed=1), "auto")[0] == "openvino", "of the same shape"
    assert measured == [{"torch", "onnx", "openvino"}]
    assert opened(model_of(), "auto", device="cpu")[0] == "openvino"
    assert len(measured) == 2


def test_auto_really_measures(cache: Path, exports: list[str]) -> None:
    assert opened(model_of(), "auto")[0] in CLASSES
    (chosen,) = json.loads((cache / "runtimes.json").read_text()).values()
    assert chosen in CLASSES


def test_without_the_extras_everything_runs_on_torch(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdad.runtimes._base.find_spec", lambda module: None)
    assert opened(model_of(), "auto")[0] == "torch"
    assert not cache.exists()
    check_runtime("auto", "auto")
    with pytest.raises(RuntimeNotInstalledError, match=r"pip install 'crowdad\[onnx\]'"):
        check_runtime("onnx", "auto")


def test_what_cannot_run_is_refused_before_the_footage_is_read(tiny_camera: TinyCamera) -> None:
    for runtime, device, told in (
        ("tensorrt", "auto", "runtime 'tensorrt' is unknown; choose among auto, torch, onnx, openvino"),
        ("onnx", "cuda", "computes on the CPU"),
        ("onnx", "tpu", "device 'tpu' is unknown"),
        ("auto", "tpu", "device 'tpu' is unknown"),
    ):
        with pytest.raises(ConfigError, match=told):
            crowdad.detect("no such file.mp4", model=tiny_camera.model, runtime=runtime, device=device)
        with pytest.raises(ConfigError, match=told):
            next(crowdad.score("no such file.mp4", tiny_camera.model, runtime=runtime, device=device))


@pytest.mark.parametrize("name", GRAPH_RUNTIMES)
def test_every_runtime_draws_torchs_heatmaps(
    name: str, tiny_camera: TinyCamera, cache: Path, exports: list[str]
) -> None:
    """The largest difference of any cell is under 1e-4."""
    scored = {
        runtime: list(crowdad.score(tiny_camera.unusual, tiny_camera.scene, end_s=3.0, runtime=runtime))
        for runtime in ("torch", name)
    }
    assert len(scored[name]) == len(scored["torch"]) == 30
    assert max(result.anomaly for result in scored["torch"]) > 0.05
    for own, torch in zip(scored[name], scored["torch"], strict=True):
        np.testing.assert_allclose(own.heatmap.anomaly, torch.heatmap.anomaly, atol=1e-4)
        assert own.normality == pytest.approx(torch.normality, abs=1e-5)


@pytest.mark.parametrize("name", GRAPH_RUNTIMES)
def test_with_a_graph_at_hand_torch_is_not_loaded_and_400_mb_are_enough(
    name: str, tiny_camera: TinyCamera, tmp_path: Path
) -> None:
    graphs = tmp_path / "home" / "crowdad" / "graphs"
    graphs.mkdir(parents=True)
    own = fingerprint(tiny_camera.scene)
    (graphs / f"{own}.onnx").write_bytes(onnx_graph(tiny_camera.scene).SerializeToString())
    command = [
        "detect",
        str(tiny_camera.unusual),
        "-m",
        str(tiny_camera.model),
        "-o",
        str(tmp_path / "run"),
        "--no-overlay",
        "--threshold=0.02",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--end", "4", "--runtime", name, "--quiet"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")},
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["code"] == 0, ran.stderr
    assert told["loaded"] == []
    assert told["peak_mb"] < 400
    assert "<summary>Why</summary>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert crowdad.read_results(tmp_path / "run" / "results.json").timing.runtime == name
    left = {path.relative_to(tmp_path / "home").parts[0] for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert left <= {"crowdad", "matplotlib"}, "no library may keep (or send) records of its use"


def test_a_scene_fitted_on_the_footage_itself_is_scored_by_torch_unless_told_otherwise(
    tiny_camera: TinyCamera, tmp_path: Path, cache: Path, exports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_fit_on_itself", lambda *_: tiny_camera.scene)
    for asked, taken in (("auto", "torch"), ("onnx", "onnx")):
        run = tmp_path / asked
        crowdad.detect(tiny_camera.unusual, output=run, runtime=asked, end_s=3.0, overlay=False, report=False)
        assert crowdad.read_results(run / "results.json").timing.runtime == taken
