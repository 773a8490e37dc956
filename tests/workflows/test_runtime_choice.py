"""Which runtime scores, and that the lean one stays lean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad.errors import ConfigError
from crowdad.scene.runtimes import RUNTIMES, OnnxRuntime
from crowdad.scene.streams import Motion
from crowdad.workflows import runtime_choice
from crowdad.workflows.runtime_choice import open_runtime
from tests.conftest import TinyCamera
from tests.tiny_scene import model_of

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


@pytest.mark.parametrize(
    ("runtime", "device", "opened"),
    [
        ("auto", "auto", OnnxRuntime),
        ("auto", "cpu", OnnxRuntime),
        ("onnx", "auto", OnnxRuntime),
        ("torch", "cpu", Motion),
    ],
)
def test_a_cpu_scores_by_onnx_unless_told_otherwise(runtime: str, device: str, opened: type) -> None:
    name, scorer = open_runtime(model_of(), runtime, device)
    assert name == ("torch" if opened is Motion else "onnx")
    assert isinstance(scorer, opened)


def test_a_gpu_scores_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_choice, "_has_driver", lambda: True)
    monkeypatch.setattr(runtime_choice, "check_device", lambda device: "cpu" if device == "cpu" else "cuda")
    for device in ("auto", "cuda"):
        name, scorer = open_runtime(model_of(), "auto", device)
        assert name == "torch"
        assert isinstance(scorer, Motion)
        assert scorer.device == "cuda"
    assert open_runtime(model_of(), "auto", "cpu")[0] == "onnx"


def test_torch_leaves_the_scene_where_it_is() -> None:
    scene = model_of()
    _, scorer = open_runtime(scene, "torch", "cpu")
    scorer.normality(np.ones((2, 3, 5, 5, 3), np.float32))
    assert scene.motion._encoder is None


def test_what_cannot_run_is_refused_before_the_footage_is_read(tiny_camera: TinyCamera) -> None:
    for runtime, device, told in (
        ("tensorrt", "auto", "'tensorrt' .*auto, torch, onnx"),
        ("onnx", "cuda", "CPU"),
        ("onnx", "tpu", "'tpu'"),
        ("auto", "tpu", "'tpu'"),
    ):
        with pytest.raises(ConfigError, match=told):
            crowdad.detect("no such file.mp4", model=tiny_camera.model, runtime=runtime, device=device)
        with pytest.raises(ConfigError, match=told):
            next(crowdad.score("no such file.mp4", tiny_camera.model, runtime=runtime, device=device))


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_draws_torchs_heatmaps(name: str, tiny_camera: TinyCamera) -> None:
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


def test_torch_is_not_loaded_and_400_mb_are_enough(tiny_camera: TinyCamera, tmp_path: Path) -> None:
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
        [sys.executable, "-c", PROGRAM, *command, "--end", "4", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")},
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["code"] == 0, ran.stderr
    assert told["loaded"] == []
    assert told["peak_mb"] < 400
    assert "<summary>What is normal here</summary>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert crowdad.read_results(tmp_path / "run" / "results.json").timing.runtime == "onnx"
    left = {path.relative_to(tmp_path / "home").parts[0] for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert left <= {"crowdad", "matplotlib"}, "no library may keep (or send) records of its use"
