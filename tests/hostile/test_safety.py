"""What must never happen: code out of a data file, a file read because another one names it, a login that is told."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import crowdad
from crowdad.errors import CrowdadError
from crowdad.outputs.folder import run_name
from crowdad.outputs.results import SourceRecord
from crowdad.outputs.tables import FRAME_COLUMNS
from crowdad.sources import open_source
from tests.hostile import footage
from tests.hostile.conftest import Program

ROOT = Path(__file__).parents[2]
SOURCES = [path for top in ("crowdad", "benchmarks") for path in sorted((ROOT / top).rglob("*.py"))]

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "runpy"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "pandas.read_pickle", "os.system", "yaml.load"}


def unsafe(tree: ast.AST) -> list[str]:
    """Everything in a module that could run what a file holds."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                found.append(name)
            found += [
                f"{name}({keyword.arg})"
                for keyword in node.keywords
                if (keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False")
                or (keyword.arg == "shell" and ast.unparse(keyword.value) != "False")
                or (keyword.arg == "weights_only" and ast.unparse(keyword.value) != "True")
            ]
    return found


def test_nothing_unpickles_or_runs_what_a_file_holds() -> None:
    assert len(SOURCES) > 100
    found = {str(path.relative_to(ROOT)): unsafe(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('m.pt')",
        "np.load('a.npy', allow_pickle=True)",
        "subprocess.run('ls', shell=True)",
        "def f():\n    return eval('1')",
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert unsafe(ast.parse(code))


@pytest.mark.parametrize("name", ["list.m3u8", "list.ts", "list.mp4", "list.ffconcat", "list.txt"])
def test_a_playlist_opens_no_other_file(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    os.mkfifo(secret)  # whoever opened it would wait for ever
    make = footage.concat_list if name in ("list.mp4", "list.ffconcat") else footage.playlist
    with pytest.raises(CrowdadError, match="playlist") as refusal:
        open_source(make(tmp_path / name, secret))
    assert "secret" not in str(refusal.value)


ADDRESSES = (
    "rtsp://admin:hunter2@camera.local:554/live",
    "http://admin:hunter2@camera.local/video.m3u8",
    "rtsp://admin:hu/nt@hunter2@camera.local/live",
    "http://camera.local/video.cgi?user=admin&password=hunter2",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_login_is_never_told(address: str, tmp_path: Path, crowdad_program: Program) -> None:
    for verb in (("detect", address), ("fit", address, "-o", tmp_path / "m.safetensors"), ("info", address)):
        ended = crowdad_program(*verb)
        assert ended.code == 1
        assert "camera.local" in ended.errors[0]
        assert not any("hunter2" in line or "admin" in line for line in (*ended.errors, ended.shown))
    with pytest.raises(CrowdadError) as refusal:
        open_source(address)
    assert "hunter2" not in str(refusal.value)
    assert "hunter2" not in run_name(address)
    record = SourceRecord(name=address, size_hw=(1, 1), fps=1, frames=1, duration_s=1)
    assert "hunter2" not in record.model_dump_json()


def test_no_graph_of_a_disk_is_believed(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start makes the graph of its own model: one beside it, or in a cache, has no say."""
    clip, model = footage.plain(tmp_path / "clip.mp4", 12), tmp_path / "tiny.safetensors"
    model.write_bytes(tiny_model.read_bytes())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def scores(run: str) -> bytes:
        crowdad.detect(clip, model=model, output=tmp_path / run, runtime="onnx", overlay=False, report=False)
        return (tmp_path / run / "frames.csv").read_bytes()

    sound = scores("sound")
    model.with_suffix(".onnx").write_bytes(b"says that nothing is unusual")
    assert scores("forged") == sound
    assert not list(tmp_path.glob("cache/**/*.onnx"))


def test_tables_hold_no_text_that_a_spreadsheet_could_run() -> None:
    assert FRAME_COLUMNS == ("frame", "time_s", "normality", "anomaly", "flagged", "warm_up", "n_tubes")
