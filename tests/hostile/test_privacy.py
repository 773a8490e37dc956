"""docs/privacy.md, row by row: who may read what shows people, what stays after a kill, what can be left out."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad import workflows
from crowdad.errors import ConfigError
from crowdad.outputs.alerts.events_file import EventsFile
from crowdad.outputs.folder import RunFolder
from crowdad.scene.model import SceneModel
from crowdad.workflows.detect_options import DetectOptions
from tests.hostile.conftest import Program
from tests.hostile.footage import plain
from tests.tiny_scene import model_of


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def others_may(path: Path) -> list[str]:
    """Files in a folder that somebody else may read, the folder itself among them."""
    return [place.name for place in (path, *path.rglob("*")) if mode(place) & 0o077]


def test_a_run_is_for_its_owner_alone(tiny_model: Path, tmp_path: Path) -> None:
    clip = plain(tmp_path / "clip.mp4", 20, container_options={"movflags": "faststart"})
    clip.chmod(0o644)
    crowdad.detect(clip, model=tiny_model, output=tmp_path / "run", footage_beside="copy")
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"report.html", "overlay.mp4", "footage.mp4"}
    assert others_may(tmp_path / "run") == []
    assert mode(clip) == 0o644


def test_a_run_is_so_from_its_first_byte(tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    seen: set[str] = set()

    def look(folder: Path) -> None:
        for path in folder.glob("*"):
            seen.add(path.name)
            assert not mode(path) & 0o077, path.name

    clip, write = plain(tmp_path / "clip.mp4", 20), RunFolder.part

    def looked_at(self: RunFolder, name: str):  # type: ignore[no-untyped-def]
        look(self.path)
        return write(self, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "part", looked_at)
        ended = crowdad_program("detect", clip, "-m", tiny_model, "-o", tmp_path / "run", "--footage", "copy", "-q")
    assert ended.code == 0
    assert "frames.csv" in seen
    look(tmp_path / "run")
    assert mode(tmp_path / "run") == 0o755, "a folder that was there keeps its mode"


def test_models_and_their_pictures_are_for_their_owner_alone(tmp_path: Path) -> None:
    model = model_of().save(tmp_path / "m.safetensors")
    picture = workflows.portray(SceneModel.load(model), tmp_path / "m.png", name="m")
    assert (mode(model), mode(picture)) == (0o600, 0o600)


def test_an_overlay_drawn_again_is_for_its_owner_alone(tiny_model: Path, tmp_path: Path) -> None:
    clip = plain(tmp_path / "clip.mp4", 20)
    crowdad.detect(clip, model=tiny_model, output=tmp_path / "run", overlay=False, report=False)
    assert mode(workflows.overlay(clip, tmp_path / "run", output=tmp_path / "again.mp4")) == 0o600


def test_a_watch_is_for_its_owner_alone_and_clears_what_a_killed_one_left(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watch"
    (folder / "clips").mkdir(parents=True)
    left = ("warm-up-1.mp4.part", "warm-up-2.mp4.part.whole", "clips/a.mp4.part", "scene.safetensors.part")
    for name in left:
        (folder / name).write_bytes(b"people")
    options = workflows.WatchOptions(DetectOptions(tiny_model), realtime=True)
    workflows.watch(str(plain(tmp_path / "clip.mp4", 12)), options, output=folder)
    assert not [name for name in left if (folder / name).exists()]
    assert [mode(folder / name) for name in ("events.jsonl", "status.json")] == [0o600, 0o600]


def test_events_are_for_their_owner_alone(tmp_path: Path) -> None:
    EventsFile(tmp_path / "events.jsonl").close()
    assert mode(tmp_path / "events.jsonl") == 0o600


def test_what_a_killed_run_left_goes_with_overwrite(tiny_model: Path, tmp_path: Path) -> None:
    clip, folder = plain(tmp_path / "clip.mp4", 12), tmp_path / "run"
    folder.mkdir()
    left = ("overlay.mp4.part", "overlay.mp4.part.whole", "footage.mp4.part", "heatmaps.npz.part")
    for name in left:
        (folder / name).write_bytes(b"people")
    crowdad.detect(clip, model=tiny_model, output=folder, overwrite=True, overlay=False, report=False, heatmaps=False)
    assert sorted(path.name for path in folder.iterdir()) == ["frames.csv", "results.json", "timeline.png"]


def test_a_kill_leaves_nothing_outside_of_the_runs_folder(tiny_model: Path, tmp_path: Path) -> None:
    clip, spare = plain(tmp_path / "clip.mp4", 400), tmp_path / "spare"
    spare.mkdir()
    command = [sys.executable, "-m", "crowdad", "detect", clip, "-m", tiny_model, "-o", tmp_path / "run"]
    with subprocess.Popen(
        [*map(str, command), "--no-heatmaps", "-q"], env={**os.environ, "TMPDIR": str(spare)}
    ) as running:
        rows, deadline = tmp_path / "run" / "frames.csv.part", time.monotonic() + 60
        while not (rows.is_file() and rows.stat().st_size > 2_000) and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.kill()
    assert list(spare.iterdir()) == []


@pytest.mark.parametrize("footage", ["link", "copy", "none"])
def test_footage_beside_the_page(footage: str, tiny_model: Path, tmp_path: Path, crowdad_program: Program) -> None:
    clip = plain(tmp_path / "clip.mp4", 20, container_options={"movflags": "faststart"})
    ended = crowdad_program(
        "detect", clip, "-m", tiny_model, "-o", tmp_path / "run", "--footage", footage, "--no-overlay", "-q"
    )
    assert (ended.code, ended.errors) == (0, [])
    assert not (tmp_path / "run" / "overlay.mp4").exists()
    beside, page = tmp_path / "run" / "footage.mp4", (tmp_path / "run" / "report.html").read_text()
    assert beside.exists() == (footage != "none")
    assert clip.stat().st_nlink == (2 if footage == "link" else 1)
    assert ('src="footage.mp4"' in page) == (footage != "none")
    assert ("The footage was left out" in page) == (footage == "none")
    if footage == "copy":
        assert beside.read_bytes() == clip.read_bytes()


def test_another_word_for_the_footage_is_refused() -> None:
    with pytest.raises(ConfigError, match="link, copy, none"):
        DetectOptions(footage_beside="hidden")  # type: ignore[arg-type]


def test_a_model_without_pictures_scores_the_same_and_shows_nobody(tmp_path: Path) -> None:
    scene = replace(model_of(), background=np.zeros((8, 8), np.uint8))
    path = scene.without_pictures().save(tmp_path / "m.safetensors")
    plainer = SceneModel.load(path)
    assert not plainer.motion.thumbnails.any()
    assert plainer.background is None
    assert scene.motion.thumbnails.any(), "the scene itself is as it was"
    features = np.random.default_rng(0).normal(size=(9, 3, 5, 5, 3)).astype(np.float32)
    assert np.array_equal(plainer.motion.normality(features), scene.motion.normality(features))
    assert workflows.portray(plainer, tmp_path / "m.png", name="m").is_file()


def test_fit_leaves_pictures_out_where_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowdad_program: Program
) -> None:
    scene = model_of()
    scene.provenance.update(tubes=9)
    monkeypatch.setattr("crowdad.workflows.fitting.fit_sources", lambda *_, **__: scene)
    model = tmp_path / "m.safetensors"
    ended = crowdad_program("fit", plain(tmp_path / "a.mp4", 12), "-o", model, "--no-pictures")
    assert ended.code == 0
    assert not SceneModel.load(model).motion.thumbnails.any()
    assert not model.with_suffix(".png").exists()
    assert ".png" not in ended.shown


def test_a_page_of_a_model_without_pictures_can_be_written(tmp_path: Path) -> None:
    model = model_of().without_pictures().save(tmp_path / "m.safetensors")
    clip = plain(tmp_path / "clip.mp4", 30)
    results = crowdad.detect(clip, model=model, output=tmp_path / "run", overlay=False)
    assert results.counts.scored == 30
    assert "data:image" in (tmp_path / "run" / "report.html").read_text()
