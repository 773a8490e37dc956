"""Footage of another camera is told at once, wherever a model is used."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.cli import main
from crowdad.outputs.results import read_results
from crowdad.records import Frame
from crowdad.scene.model import SceneModel
from crowdad.sources import ArraySource, open_source
from crowdad.workflows import detect, score, watch
from crowdad.workflows.camera_check import CameraWatch, camera_verdict
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.progress import Stage
from crowdad.workflows.watching.watch_options import WatchOptions
from tests.conftest import TinyCamera, write_video
from tests.live_camera import FakeCamera
from tests.scene.viewpoint.made_up import peopled, view
from tests.tiny_scene import model_of

Luma = npt.NDArray[np.uint8]

TURNED = "the camera has moved since its model was fitted"
OTHER = "another camera than the model's"


def other_camera(count: int = 60) -> list[Luma]:
    """A place of the size of `tiny_camera`, with people who walk."""
    place = np.asarray(view(3)[:, :270], np.uint8)
    place = np.kron(place, np.ones((2, 2), np.uint8))[:240, :360]
    pictures = []
    for number in range(count):
        picture = place.copy()
        for row in (60, 120, 180):
            x = (20 + 3 * number + row) % 340
            picture[row : row + 25, x : x + 10] = 230
        pictures.append(picture)
    return pictures


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("elsewhere") / "other.mp4", other_camera(), g="6")


def test_a_fit_keeps_the_view_and_its_file_too(tiny_camera: TinyCamera) -> None:
    loaded = SceneModel.load(tiny_camera.model)
    assert loaded.background is not None
    assert loaded.background.shape == (107, 160)
    found = camera_verdict(open_source(tiny_camera.unusual), loaded)
    assert found is not None
    assert found.verdict == "same"


def test_a_model_without_a_view_is_not_compared(tiny_camera: TinyCamera, elsewhere: Path) -> None:
    assert camera_verdict(open_source(elsewhere), replace(tiny_camera.scene, background=None)) is None


def test_footage_is_compared_however_it_is_read(tiny_camera: TinyCamera) -> None:
    pictures = other_camera()
    for source in (ArraySource(np.stack(pictures), fps=10), ArraySource(pictures[:12], fps=10)):
        found = camera_verdict(source, tiny_camera.scene)
        assert found is not None
        assert found.verdict == "another camera"
    once: Iterator[Luma] = iter(pictures)
    source = ArraySource(once, fps=10)
    assert camera_verdict(source, tiny_camera.scene) is None
    assert len(list(source.frames())) == len(pictures)


def test_pictures_that_are_damaged_up_to_the_end_are_passed_over(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    for number, picture in enumerate(other_camera(12)):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), picture)
    (tmp_path / "11.png").write_bytes(b"cut off")
    found = camera_verdict(open_source(tmp_path, fps=10), tiny_camera.scene)
    assert found is not None
    assert found.verdict == "another camera"


def test_detect_tells_before_it_scores_and_in_its_results(
    tiny_camera: TinyCamera, elsewhere: Path, tmp_path: Path
) -> None:
    told: list[str] = []

    def progress(stage: Stage) -> None:
        if stage.what == "scoring" and "scoring" not in told:
            told.append("scoring")

    detect(elsewhere, model=tiny_camera.model, output=tmp_path, overlay=False, progress=progress, notice=told.append)
    results = read_results(tmp_path / "results.json")
    assert len(told) == 2
    assert told[0].startswith(OTHER)
    assert results.warnings[0] == told[0]
    assert results.model.camera is not None
    assert results.model.camera.verdict == "another camera"
    assert not any("what moves is unlike" in warning for warning in results.warnings)
    assert told[0].replace("'", "&#39;") in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_right_camera_is_recorded_without_a_word(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    told: list[str] = []
    plain = {"overlay": False, "heatmaps": False, "report": False}
    given = detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "a", notice=told.append, **plain)  # type: ignore[arg-type]
    assert given.model.camera is not None
    assert (given.model.camera.verdict, told) == ("same", [])
    assert not any("camera" in warning for warning in given.warnings)


def test_the_terminal_says_it_once_and_goes_on(
    tiny_camera: TinyCamera, elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--no-overlay", "--no-heatmaps", "--no-report"]
    with pytest.raises(SystemExit) as leaving:
        main(["detect", str(elsewhere), "-m", str(tiny_camera.model), "-o", str(tmp_path / "run"), *quick])
    assert leaving.value.code == 0
    assert capsys.readouterr().err.count(OTHER) == 1


def test_score_warns(tiny_camera: TinyCamera) -> None:
    with pytest.warns(UserWarning, match=OTHER):
        list(score(np.stack(other_camera()), tiny_camera.scene, fps=10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(score(tiny_camera.unusual, tiny_camera.scene))


def test_a_watch_tells_in_the_terminal_and_in_its_status(tmp_path: Path) -> None:
    pictures = [peopled(view(3), seed, 5) for seed in range(60)]
    model = replace(model_of(), background=np.asarray(view(1)[::2, ::2], np.uint8))
    model = replace(model, scale=replace(model.scale, size_hw=pictures[0].shape))
    told: list[str] = []
    options = WatchOptions(scoring=DetectOptions(model=model))
    status = watch(FakeCamera(pictures).open, options, output=tmp_path, notice=told.append)
    assert [line for line in told if line.startswith(OTHER)]
    assert status.view is not None
    assert status.view.verdict == "another camera"
    assert json.loads((tmp_path / "status.json").read_text())["view"]["verdict"] == "another camera"


def test_a_camera_that_is_turned_while_it_is_watched_is_told_when_it_lasts() -> None:
    scene = replace(model_of(), background=np.asarray(view(1)[::2, ::2], np.uint8))
    sight, told = CameraWatch(scene), []
    for second in range(0, 400):
        turned = 100 <= second < 250
        luma = peopled(view(1, (30, 0) if turned else (0, 0)), second, 5)
        found = sight.see(Frame(second, float(second), luma, None, 0))
        if found is not None:
            told.append((second, found.verdict))
    assert [verdict for _, verdict in told] == ["same", "moved", "same"]
    assert 100 < told[1][0] < 250
