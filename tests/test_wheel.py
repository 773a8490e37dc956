"""The wheel, installed into an empty environment, does the main job from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY_SETTINGS, TinyCamera

ROOT = Path(__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder that is cleared away at once: an environment with all dependencies takes gigabytes."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def run(*command: str | Path, cwd: Path) -> str:
    # Nothing of the checkout may be found by accident.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ran = subprocess.run([str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.timeout(1200)
def test_the_wheel_detects_from_another_folder(tiny_camera: TinyCamera, elsewhere: Path) -> None:
    source = elsewhere / "source"
    shutil.copytree(ROOT / "crowdad", source / "crowdad", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", elsewhere, source, cwd=elsewhere)
    (wheel,) = elsewhere.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "crowdad/py.typed" in names
    assert "crowdad/__init__.pyi" in names
    assert "crowdad/outputs/report/assets/page.html.j2" in names
    assert "crowdad/page/assets/live.html.j2" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    venv.create(elsewhere / "empty", with_pip=True)
    programs = elsewhere / "empty" / "bin"
    run(programs / "python", "-m", "pip", "install", "--quiet", "--no-cache-dir", wheel, cwd=elsewhere)
    shutil.copy(tiny_camera.unusual, elsewhere / "clip.mp4")
    settings = [word for item in TINY_SETTINGS for word in ("--set", item)]
    shown = run(programs / "crowdad", "detect", "clip.mp4", *settings, cwd=elsewhere)
    assert "look at runs/clip/report.html or runs/clip/overlay.mp4" in shown
    results = json.loads((elsewhere / "runs" / "clip" / "results.json").read_text())
    assert results["counts"]["scored"] == 120
    assert "clip.mp4" in (elsewhere / "runs" / "clip" / "report.html").read_text(encoding="utf-8")
    assert results["model"]["fitted"] == "self-fitted"
