"""Where runs go: the same for the command line, for jobs side by side and for the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad.cli import main
from crowdad.errors import ConfigError, OutputExistsError
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.results import read_results
from crowdad.workflows.batch import fleet
from crowdad.workflows.output_paths import OutputPaths
from tests.conftest import write_video
from tests.tiny_scene import model_of, walkers
from tests.workflows.batch.test_spread import HereFleet


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file beside runs/, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fleet, "LocalFleet", lambda _jobs: HereFleet())
    return model_of().save(tmp_path / "scene.safetensors")


def held_by(runs: Path) -> dict[str, int]:
    """Name of each run's folder -> frames of its footage."""
    return {path.name: read_results(path / "results.json").source.frames for path in sorted(runs.iterdir())}


def detect(how: str, model: Path, *footage: Path, **options: bool) -> None:
    """Score the footage by the library, by the command line, or by the command line side by side."""
    if how == "library":
        for spec in footage:
            crowdad.detect(spec, model=model, overlay=False, report=False, heatmaps=False, **options)
        return
    more = [f"--{name}" for name, wanted in options.items() if wanted]
    jobs = ["--jobs", "2"] if how == "jobs" else []
    left_out = ["--no-overlay", "--no-report", "--no-heatmaps"]
    with pytest.raises(SystemExit) as leaving:
        main(["detect", *map(str, footage), "-m", str(model), *left_out, *more, *jobs])
    assert leaving.value.code == 0


@pytest.mark.parametrize("how", ["library", "command line", "jobs"])
def test_without_an_output_each_run_has_a_folder_of_its_name(how: str, model: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(12))
    detect(how, model, clip)
    write_video(clip, walkers(14))
    detect(how, model, clip)
    assert held_by(tmp_path / "runs") == {"clip": 12, "clip-2": 14}
    write_video(clip, walkers(16))
    detect(how, model, clip, overwrite=True)
    assert held_by(tmp_path / "runs") == {"clip": 16, "clip-2": 14}, "replaced, not numbered"
    detect(how, model, clip, resume=True)
    assert held_by(tmp_path / "runs") == {"clip": 16, "clip-2": 14}, "whole already"


@pytest.mark.parametrize("how", ["command line", "jobs"])
def test_footage_of_one_name_does_not_replace_each_other(how: str, model: Path, tmp_path: Path) -> None:
    one, two = (tmp_path / name / "clip.mp4" for name in "ab")
    for clip, count in ((one, 12), (two, 14)):
        clip.parent.mkdir()
        write_video(clip, walkers(count))
    for _ in range(2):
        detect(how, model, one, two, overwrite=True)
        assert held_by(tmp_path / "runs") == {"clip": 12, "clip-2": 14}


def test_folders_are_numbered_unless_they_are_to_be_replaced(tmp_path: Path) -> None:
    clip = tmp_path / "plaza.mp4"
    names = []
    for _ in range(3):
        with OutputPaths(tmp_path / "runs", several=True).held(clip) as folder:
            assert isinstance(folder, RunFolder)
            (folder.path / "results.json").touch()
            names.append(folder.path.name)
    assert names == ["plaza", "plaza-2", "plaza-3"]
    paths = OutputPaths(tmp_path / "runs", several=True, overwrite=True)
    assert [paths.place(clip), paths.place(clip)] == [tmp_path / "runs" / "plaza", tmp_path / "runs" / "plaza-2"]


def test_a_folder_of_the_users_own_is_not_numbered(tmp_path: Path) -> None:
    (tmp_path / "results.json").touch()
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        OutputPaths(tmp_path).folder(tmp_path / "plaza.mp4", "plaza")


def test_frames_without_a_name_are_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "array").mkdir()
    (tmp_path / "array" / "results.json").touch()
    with pytest.raises(ConfigError, match="name"):
        OutputPaths(tmp_path, several=True, resume=True).folder(np.zeros((9, 96, 128), np.uint8), "array")


@pytest.mark.parametrize("place", ["http://host/runs", "https://host/runs", "rtsp://host/runs"])
def test_an_address_where_no_run_can_be_put_is_refused_and_no_folder_made(
    place: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    footage = write_video(tmp_path / "clip.mp4", walkers(20), 10)
    before = set(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="s3://"):
        crowdad.detect(footage, model=model, output=place)
    assert set(tmp_path.iterdir()) == before
