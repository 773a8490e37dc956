"""Training by several processes is training by one, with the work shared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdad import dist
from crowdad.scene import SceneModel
from tests.conftest import TINY_SETTINGS, TinyCamera


def test_a_process_that_is_alone_shares_with_nobody() -> None:
    rows = torch.arange(6.0).reshape(3, 2)
    with dist.joined_group("cpu"):
        assert not dist.is_shared()
        assert dist.is_first()
        assert dist.share_of(rows) is rows
        assert dist.gathered(rows) is rows
        assert dist.added_up(rows) is rows
        assert dist.from_first(lambda: "made here") == "made here"


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from crowdad.cli.terminal import notice

    monkeypatch.setenv("RANK", "1")
    notice("not me")
    monkeypatch.setenv("RANK", "0")
    notice("me")
    assert capsys.readouterr().err == "crowdad: me\n"


def torchrun(*command: object) -> subprocess.CompletedProcess[str]:
    """`torchrun --nproc-per-node 2 COMMAND` with the exchange on this machine's own address."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launch, *map(str, command)], capture_output=True, text=True, env=env, timeout=500)


def test_two_processes_learn_what_one_learns(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    model = tmp_path / "two.safetensors"
    changes = [part for override in TINY_SETTINGS for part in ("--set", override)]
    ran = torchrun("-m", "crowdad", "fit", tiny_camera.normal, "-o", model, "--no-picture", "--device", "cpu", *changes)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("learned from") == 1, "only the first one speaks"
    two, one = SceneModel.load(model), tiny_camera.scene
    assert two.provenance["tubes"] == one.provenance["tubes"]
    assert len(two.provenance["losses"]) == 2
    np.testing.assert_allclose(two.provenance["losses"], one.provenance["losses"], rtol=1e-3)
    assert two.centres.shape[1] == one.centres.shape[1]
    assert abs(len(two.centres) - len(one.centres)) <= 1
    features = np.random.default_rng(0).normal(0, 1, (300, *one_shape(one))).astype(np.float32)
    np.testing.assert_allclose(two.codes(features), one.codes(features), atol=0.02)


def one_shape(scene: SceneModel) -> tuple[int, ...]:
    tubes = scene.settings.tubes
    return (scene.mean.shape[0], tubes.steps, tubes.rows, tubes.columns)
