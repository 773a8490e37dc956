"""The wheel, installed where no checkout can be found, does the main job from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from tests.conftest import TINY_SETTINGS, TinyCamera

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    # Nothing of the checkout may be found by accident.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ran = subprocess.run([str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def built_wheel(folder: Path) -> Path:
    source = folder / "source"
    shutil.copytree(ROOT / "crowdad", source / "crowdad", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, wheel: Path) -> Path:
    """The programs of an environment that holds the wheel and sees what this interpreter has installed.

    Installing the dependencies again would take gigabytes.  A folder that a .pth file names is searched, but its own
    .pth files are not read, and an editable install is one of those.
    """
    venv.create(folder, with_pip=False)
    programs = folder / "bin"
    own = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    installed = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (Path(own) / "dependencies.pth").write_text("\n".join(installed) + "\n")
    pip = ("-m", "pip", "--python", programs / "python", "--quiet", "--no-cache-dir")
    run(sys.executable, *pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel, cwd=folder)
    return programs


def test_the_wheel_detects_from_another_folder(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    wheel = built_wheel(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert "crowdad/py.typed" in names
    assert "crowdad/__init__.pyi" in names
    assert "crowdad/outputs/report/assets/page.html.j2" in names
    assert "crowdad/page/assets/live.html.j2" in names
    assert "crowdad/evaluation/datasets/ucsd_kinds.csv" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    programs = environment(tmp_path / "empty", wheel)
    where = run(programs / "python", "-c", "import crowdad; print(crowdad.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(tmp_path / "empty")
    shutil.copy(tiny_camera.unusual, tmp_path / "clip.mp4")
    settings = [word for item in TINY_SETTINGS for word in ("--set", item)]
    shown = run(programs / "crowdad", "detect", "clip.mp4", "--end", "8", *settings, cwd=tmp_path)
    assert "runs/clip/report.html" in shown
    assert "runs/clip/overlay.mp4" in shown
    results = json.loads((tmp_path / "runs" / "clip" / "results.json").read_text())
    assert results["counts"]["scored"] == 80
    assert "clip.mp4" in (tmp_path / "runs" / "clip" / "report.html").read_text(encoding="utf-8")
    assert results["model"]["fitted"] == "self-fitted"
