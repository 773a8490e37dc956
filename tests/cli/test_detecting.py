"""`crowdad detect` side by side as a person meets it; the tasks run here, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.cli import main
from crowdad.outputs.results import read_results
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import KINDS
from crowdad.workflows.batch import fleet
from tests.conftest import TINY_SETTINGS, TinyCamera, write_video
from tests.tiny_scene import model_of, walkers
from tests.workflows.batch.test_spread import HereFleet, left_by


def run(*arguments: object) -> int | str | None:
    """The exit code of `crowdad detect ARGUMENTS`, without overlay and report."""
    with pytest.raises(SystemExit) as leaving:
        main(["detect", "--no-overlay", "--no-report", *map(str, arguments)])
    return leaving.value.code


@pytest.fixture
def fleets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was asked for instead of processes or a cluster."""
    asked: list[object] = []

    def local(jobs: int) -> HereFleet:
        asked.append(jobs)
        return HereFleet()

    def cluster(address: str, **resources: float) -> HereFleet:
        asked.append((address, resources))
        return HereFleet()

    monkeypatch.setattr(fleet, "LocalFleet", local)
    monkeypatch.setattr(fleet, "RayFleet", cluster)
    return asked


def test_files_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str], fleets: list[object]) -> None:
    model = model_of().save(tmp_path / "scene.safetensors")
    one, two, bad = write_video(tmp_path / "a.mp4", walkers(30)), tmp_path / "b" / "a.mp4", tmp_path / "bad.mp4"
    two.parent.mkdir()
    write_video(two, walkers(24))
    bad.write_bytes(b"no video")
    command = [one, bad, two, "-m", model, "-o", tmp_path / "runs", "--runtime", "torch", "--jobs", 3]
    assert run(*command) == 1
    told = capsys.readouterr()
    assert "not a video" in told.err
    assert "1 of 3 failed" in told.err
    rows = [line.split() for line in told.out.splitlines()]
    assert rows[0] == ["footage", "length", "frames", "events", "folder"]
    assert [row[0] for row in rows[1:]] == ["a.mp4", "bad.mp4", "a.mp4"]
    assert [row[-1] for row in rows[1:]] == [str(tmp_path / "runs" / "a"), "failed", str(tmp_path / "runs" / "a-2")]
    assert [row[2] for row in rows[1:]] == ["30", "-", "24"]
    write_video(bad, walkers(20))
    before = left_by(tmp_path / "runs" / "a")
    assert run(*command, "--resume") == 0
    assert left_by(tmp_path / "runs" / "a") == before
    assert (tmp_path / "runs" / "bad" / "results.json").is_file()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "a-2", "bad"]
    assert fleets == [3, 3]


def test_a_cluster_is_asked_for_what_a_task_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fleets: list[object]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    assert run(bad, "-o", tmp_path / "run", "--ray", "auto") == 1
    assert run(bad, "-o", tmp_path / "run", "--ray", "head:6379", "--device", "cuda") == 1
    assert fleets == [("auto", {"gpu_share": 0.0}), ("head:6379", {"gpu_share": 0.2})]
    assert capsys.readouterr().out == ""
    assert run(bad, "--ray", "auto", "--jobs", 2) == 2
    assert "both --jobs and --ray" in capsys.readouterr().err


def test_a_seed_beside_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "a.mp4", "--model", tmp_path / "scene.safetensors", "--seed", 3) == 2
    assert capsys.readouterr().err == "crowdad: --seed is for learning, and --model has learned; give one of them\n"


def test_a_model_is_read_once_for_many_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of().save(tmp_path / "scene.safetensors")
    clips = [write_video(tmp_path / f"{name}.mp4", walkers(12)) for name in "ab"]
    read: list[object] = []
    load = SceneModel.load

    def noted(path: str) -> SceneModel:
        read.append(path)
        return load(path)

    monkeypatch.setattr(SceneModel, "load", noted)
    command = [*clips, "-m", model, "-o", tmp_path / "runs", "--overwrite", "--no-heatmaps", "--runtime", "torch"]
    assert run(*command) == 0
    assert read == [str(model)]
    model_of(seed=1).save(model)
    assert run(*command) == 0
    assert read == [str(model)] * 2, "another file by then"


def kinds_told(*arguments: object, folder: Path) -> list[str]:
    """Kinds of the events and candidates that `crowdad detect ARGUMENTS` finds."""
    assert run(*arguments, "-o", folder, "--overwrite", "--no-heatmaps", "--no-overlay", "--runtime", "torch") == 0
    results = read_results(folder / "results.json")
    return [event.kind for event in (*results.events, *results.candidates)]


def test_only_wanted_kinds_are_told_by_a_given_model(
    tiny_camera: TinyCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (tiny_camera.unusual, "-m", tiny_camera.model, "--threshold", 0.03)
    kinds = kinds_told(*command, folder=tmp_path)
    assert kinds
    assert f"; {kinds[0]}: " in capsys.readouterr().out
    wanted = [kind for kind in kinds if kind in (kinds[0], "glides")]
    assert kinds_told(*command, "--kinds", f"{kinds[0]}, glides", folder=tmp_path) == wanted
    assert kinds[0] not in kinds_told(*command, "--not-kinds", kinds[0], folder=tmp_path)


def test_only_wanted_kinds_are_told_of_footage_that_is_learned_from_itself(
    tiny_camera: TinyCamera, tmp_path: Path
) -> None:
    command = (tiny_camera.unusual, "--end", 6, *(part for setting in TINY_SETTINGS for part in ("--set", setting)))
    kinds = kinds_told(*command, folder=tmp_path)
    assert kinds
    assert kinds[0] not in kinds_told(*command, "--not-kinds", kinds[0], folder=tmp_path)


@pytest.mark.parametrize("option", ["--kinds", "--not-kinds"])
def test_an_unknown_kind_is_one_line(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_video(tmp_path / "a.mp4", walkers(12))
    assert run(clip, option, "fast,slow", "-o", tmp_path / "run") == 2
    assert capsys.readouterr().err == f"crowdad: no event is of kind 'slow'; choose among: {', '.join(KINDS)}\n"
    assert run(clip, option, " , ", "-o", tmp_path / "run") == 2
    assert capsys.readouterr().err == f"crowdad: {option} names no kind of event; name some, or leave it out\n"
    assert not (tmp_path / "run").exists()
