"""Footage in which nothing moves, or next to nothing: a whole run that says so, and no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import crowdad
from crowdad.cli import main
from crowdad.errors import TooLittleMotionError
from crowdad.outputs.results import RunResults
from crowdad.outputs.tables import read_frames_csv
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.batch.spread import Request, _begin
from crowdad.workflows.detect_options import DetectOptions
from tests.conftest import write_video
from tests.tiny_scene import texture

NOTHING = "no movement was found in this footage, so there is nothing to compare"
HARDLY = "too few people are seen to move in this footage, so there is nothing to compare; give longer footage"
WALK = 7
"""Frames in which a person moves that give some tubes, and fewer than are learned from."""
FILES = {"results.json", "frames.csv", "heatmaps.npz", "overlay.mp4", "timeline.png", "report.html", "footage.mp4"}


def still(count: int = 30, *, noise: float = 0.0, walking: int = 0) -> npt.NDArray[np.uint8]:
    """A textured ground at 10 frames a second; noise: of the sensor, grey values.  walking: frames of one person."""
    rng = np.random.default_rng(0)
    frames = np.repeat(texture((96, 128), 3)[None], count, axis=0)
    for index in range(walking):
        frames[8 + index, 30:66, 20 + 4 * index : 36 + 4 * index] = texture((36, 16), 100)
    return np.clip(frames + rng.normal(0, noise, frames.shape), 0, 255).astype(np.uint8) if noise else frames


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)


def detected(video: Path, folder: Path, **how: Any) -> RunResults:
    results = crowdad.detect(video, output=folder, **how)
    assert results.threshold.grade == "none"
    assert (results.events, results.candidates) == ([], [])
    assert results.counts.scored == len(read_frames_csv(folder / "frames.csv")) == results.source.frames
    assert (results.model.name, results.model.sha256, results.model.fitted) == ("", None, "nothing")
    assert read_frames_csv(folder / "frames.csv").anomaly.max() == 0
    return results


@pytest.mark.parametrize(
    ("pictures", "height", "note"),
    [
        (still(), None, NOTHING),
        (still(), 36, NOTHING),
        (still(noise=5), None, NOTHING),
        (still(noise=5), 36, NOTHING),
        (still(noise=2, walking=10), None, HARDLY),
        (still(walking=WALK), 36, HARDLY),
        (np.zeros((12, 40, 60), np.uint8), None, NOTHING),
        (np.zeros((12, 16, 32), np.uint8), None, NOTHING),
    ],
    ids=["still", "still, given", "noise", "noise, given", "one person of a second", "few tubes", "black", "tiny"],
)
def test_a_whole_run_says_that_there_is_nothing_to_compare(
    pictures: npt.NDArray[np.uint8], height: float | None, note: str, tmp_path: Path
) -> None:
    video, folder = write_video(tmp_path / "night.mp4", pictures, crf="12"), tmp_path / "run"
    results = detected(video, folder, person_height=height)
    assert results.threshold.note.startswith(note)
    assert results.warnings == []
    assert {path.name for path in folder.iterdir()} == FILES, "and no model"
    assert crowdad.read_results(folder / "results.json") == results
    page = (folder / "report.html").read_text()
    assert "Nothing could be compared." in page
    said = results.threshold.note.replace("'", "&#39;")
    assert f"<li>{said}</li>" in page
    assert ('id="people-on"' in page) == (height is not None), "no size is shown that nobody measured or gave"
    assert "Set people's size" in page


def test_the_command_line_says_it_in_one_line_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video, folder = write_video(tmp_path / "night.mp4", still()), tmp_path / "run"
    assert run("detect", video, "-o", folder) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "night.mp4 (0:03.0): nothing to compare" in told.out
    assert told.out.count(NOTHING) == 1
    assert run("detect", video, "-o", folder, "--resume") == 0
    assert run("info", folder) == 0
    assert run("overlay", video, folder) == 0
    assert NOTHING in capsys.readouterr().out


def test_the_height_is_asked_for_where_it_would_help(tmp_path: Path) -> None:
    video = write_video(tmp_path / "night.mp4", still(noise=2, walking=10), crf="12")
    unknown = detected(video, tmp_path / "unknown", overlay=False, report=False)
    assert "--person-height 95" in unknown.threshold.note
    assert unknown.model.scale == {}
    video = write_video(tmp_path / "night.mp4", still(walking=WALK), crf="12")
    given = detected(video, tmp_path / "given", person_height=36, overlay=False, report=False)
    assert "--person-height" not in given.threshold.note
    assert given.model.scale["certainty"] == "given"


@pytest.mark.parametrize("height", [None, 36])
def test_a_model_cannot_be_fitted(height: float | None, tmp_path: Path) -> None:
    model = tmp_path / "gate.safetensors"
    with pytest.raises(TooLittleMotionError) as told:
        crowdad.fit(still(walking=WALK), fps=10, person_height=height, output=model)
    assert "\n" not in str(told.value)
    assert not model.exists()


def test_long_footage_is_not_cut_into_pieces_then(tmp_path: Path) -> None:
    video = write_video(tmp_path / "night.mp4", still(60))
    options = DetectOptions(overlay=False, report=False, person_height=GivenHeights.of(36))
    ended = _begin(Request(video, options, tmp_path / "run", overwrite=False, resume=False, piece_s=2.0))
    assert isinstance(ended, RunResults)
    assert ended.threshold.note == NOTHING
    assert not list((tmp_path / "run").glob("*.part"))
