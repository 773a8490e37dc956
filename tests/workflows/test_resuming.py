"""A run that was killed goes on where it was, and ends as if nothing had happened: the same bits, none scored twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import crowdad
from crowdad import workflows
from crowdad.detection.detector import Detector
from crowdad.errors import OutputExistsError, OutputNotReadableError, TooShortError
from crowdad.outputs.folder import JOURNAL
from crowdad.outputs.journal import Journal, journaled_run
from crowdad.records import Checkpoint, Frame, FrameResult, Heatmap
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Nowhere
from crowdad.scene.streams.tails import Tail
from crowdad.workflows import Stage
from tests.conftest import write_video
from tests.tiny_scene import frames_of, model_of, scale_of, walkers


def same(one: FrameResult, other: FrameResult) -> bool:
    plain = [field.name for field in fields(FrameResult) if field.name != "heatmap"]
    return np.array_equal(one.heatmap.anomaly, other.heatmap.anomaly) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in plain
    )


def broken_footage() -> list[Frame]:
    """110 frames: a break of the footage after 30, a cut after 75, a frame of another size at 90."""
    pictures = walkers(110)
    pictures[75:] = 255 - pictures[75:]
    frames = frames_of(pictures[:30]) + frames_of(pictures[30:], first=30, segment=1)
    odd = Frame(90, 9.0, pictures[90][:48, :64].copy(), segment=1)
    return [*frames[:90], odd, *frames[91:]]


def checkpoints(scene: SceneModel, frames: Iterable[Frame]) -> tuple[Detector, list[FrameResult], list[Checkpoint]]:
    detector = Detector(scene)
    results, taken = [], []
    for result in detector.run(frames):
        results.append(result)
        taken.append(detector.checkpoint(len(results)))
    return detector, results, taken


@pytest.mark.parametrize("gap", [1, 3])
def test_a_detector_goes_on_from_any_result_as_if_never_stopped(gap: int) -> None:
    scene, frames = model_of(scale_of(gap=gap)), broken_footage()
    whole, results, taken = checkpoints(scene, frames)
    assert len(results) == 110
    for checkpoint in (taken[at] for at in (44, 76)):
        told = results[: checkpoint.told]
        detector = Detector(scene)
        again = list(detector.run(frames, checkpoint, told))
        assert all(map(same, again, results)), checkpoint
        assert (detector.strangeness, detector.drift, detector.tubes_scored, detector.cuts) == (
            whole.strangeness,
            whole.drift,
            whole.tubes_scored,
            whole.cuts,
        ), checkpoint


def test_what_was_told_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, frames = model_of(), frames_of(walkers(120))
    _, results, taken = checkpoints(scene, frames)
    pushed: list[Any] = []
    detector = Detector(scene)
    real = detector._scorer._tubes
    monkeypatch.setattr(detector._scorer, "_tubes", lambda luma, time_s: (pushed.append(luma), real(luma, time_s))[1])
    assert len(list(detector.run(frames, taken[89], results[:90]))) == 120
    assert 30 < len(pushed) < 80


class StopError(Exception):
    """Stands for whatever ends a run half-way."""


def stopping_at(count: int) -> Callable[[Stage], None]:
    def progress(stage: Stage) -> None:
        if stage.what == "scoring" and stage.done == count:
            raise StopError

    return progress


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """140 frames of walkers.  Shared: read it, don't change it."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", walkers(140))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of().save(tmp_path_factory.mktemp("model") / "scene.safetensors")


@pytest.fixture(scope="module")
def whole(clip: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    workflows.detect(clip, model=model, output=folder, **PLAIN)
    return folder


PLAIN: dict[str, Any] = {"overlay": False, "report": False}


def told_apart_from_time(folder: Path) -> tuple[bytes, bytes, dict[str, Any]]:
    results = json.loads((folder / "results.json").read_text())
    results.pop("timing")
    return (folder / "frames.csv").read_bytes(), (folder / "heatmaps.npz").read_bytes(), results


def test_a_run_goes_on_where_it_was(clip: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(StopError):
        workflows.detect(clip, model=model, output=folder, progress=stopping_at(100), **PLAIN)
    assert {path.name for path in folder.iterdir()} == {"frames.csv.part", "heatmaps.npz.part", JOURNAL}
    with pytest.raises(OutputExistsError, match="resume=True"):
        workflows.detect(clip, model=model, output=folder, **PLAIN)
    workflows.detect(clip, model=model, output=folder, resume=True, **PLAIN)
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}
    assert told_apart_from_time(folder) == told_apart_from_time(whole)
    again = workflows.detect(clip, model=model, output=folder, resume=True, **PLAIN)
    assert again == crowdad.read_results(folder / "results.json"), "a whole run is left as it is"


def test_a_run_can_be_interrupted_twice(clip: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    for count in (70, 135):
        with pytest.raises(StopError):
            workflows.detect(
                clip, model=model, output=tmp_path / "run", resume=True, progress=stopping_at(count), **PLAIN
            )
    with Journal(tmp_path / "run" / JOURNAL, journaled_run(tmp_path / "run" / JOURNAL) or {}) as journal:
        assert journal.told == 128
    workflows.detect(clip, model=model, output=tmp_path / "run", resume=True, **PLAIN)
    assert told_apart_from_time(tmp_path / "run") == told_apart_from_time(whole)


def test_a_journal_that_was_cut_short_costs_one_block(clip: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StopError):
        workflows.detect(clip, model=model, output=tmp_path / "run", progress=stopping_at(135), **PLAIN)
    path = tmp_path / "run" / JOURNAL
    path.write_bytes(path.read_bytes()[:-1])
    with Journal(path, journaled_run(path) or {}) as journal:
        assert journal.told == 64
    workflows.detect(clip, model=model, output=tmp_path / "run", resume=True, **PLAIN)
    assert told_apart_from_time(tmp_path / "run") == told_apart_from_time(whole)


def test_whose_evidence_a_cell_is_and_how_it_moves_is_kept(tmp_path: Path) -> None:
    heat = Heatmap(np.zeros((2, 3), np.float32), 4.0, (8, 12))
    results = [FrameResult(index, index / 10, 0.5, 0.2, False, False, 1, heat) for index in range(2)]
    velocity = np.arange(12, dtype=np.float16).reshape(2, 3, 2)
    results[1] = replace(results[1], leading=np.array([[0, 1, 0], [2, 0, 1]], np.uint8), velocity_px_s=velocity)
    checkpoint = Checkpoint(2, 0, 0, 0, 0, (0.0,))
    for written in (results, results[:1]):
        path = tmp_path / f"{len(written)}.part"
        with Journal(path, {}) as journal:
            for result in written:
                journal.add(result)
            journal.write(checkpoint)
        with Journal(path, {}) as journal:
            found = [(result.leading, result.velocity_px_s) for result in journal.results()]
        if len(written) == 2:
            for kept, was in zip(found[1], (results[1].leading, velocity), strict=True):
                assert kept is not None
                assert was is not None
                assert kept.dtype == was.dtype
                assert np.array_equal(kept, was)
            assert not any(kept.any() for kept in found[0])
        else:
            assert found == [(None, None)]


def test_another_run_is_not_gone_on_with(clip: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(StopError):
        workflows.detect(clip, model=model, output=folder, progress=stopping_at(70), **PLAIN)
    with pytest.raises(OutputExistsError, match="another threshold"):
        workflows.detect(clip, model=model, output=folder, resume=True, threshold=0.5, **PLAIN)
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    with pytest.raises(OutputExistsError, match=r"unfinished .*clip\.mp4"):
        workflows.detect(other, model=model, output=folder, resume=True, **PLAIN)
    (folder / JOURNAL).write_text("something else")
    with pytest.raises(OutputNotReadableError, match="journal"):
        workflows.detect(clip, model=model, output=folder, resume=True, **PLAIN)
    workflows.detect(clip, model=model, output=folder, overwrite=True, end_s=3.0, **PLAIN)
    with pytest.raises(OutputExistsError, match="whole run"):
        workflows.detect(other, model=model, output=folder, resume=True, **PLAIN)


def test_a_model_without_a_stream_of_the_first_is_another_model(clip: Path, model: Path, tmp_path: Path) -> None:
    alone, folder = SceneModel.load(model), tmp_path / "run"
    nowhere = Nowhere(np.ones((4, 6), np.float32), 100.0, Tail(alone.calibration, 1.0))
    both = replace(alone, streams={**alone.streams, Nowhere.name: nowhere})
    with pytest.raises(StopError):
        workflows.detect(clip, model=both, output=folder, progress=stopping_at(70), **PLAIN)
    for other in (alone, replace(both, streams={**both.streams, Nowhere.name: replace(nowhere, passages=90.0)})):
        with pytest.raises(OutputExistsError, match="another model"):
            workflows.detect(clip, model=other, output=folder, resume=True, **PLAIN)


def test_a_failed_start_leaves_no_journal(clip: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(TooShortError):
        workflows.detect(clip, model=model, output=tmp_path / "run", end_s=0.2, resume=True, **PLAIN)
    assert not (tmp_path / "run").exists()


def test_a_scene_that_was_fitted_is_not_fitted_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []

    def fit(*_: object, **__: object) -> SceneModel:
        fits.append(1)
        scene = model_of(seed=3)
        scene.provenance["how"] = "self-fitted"
        return scene

    monkeypatch.setattr("crowdad.workflows.run_start._fit_on_itself", fit)
    workflows.detect(clip, output=tmp_path / "whole", **PLAIN)
    with pytest.raises(StopError):
        workflows.detect(clip, output=tmp_path / "run", progress=stopping_at(100), **PLAIN)
    workflows.detect(clip, output=tmp_path / "run", resume=True, **PLAIN)
    assert len(fits) == 2, "once for each folder"
    assert told_apart_from_time(tmp_path / "run") == told_apart_from_time(tmp_path / "whole")


def test_a_killed_command_goes_on(clip: Path, model: Path, whole: Path, tmp_path: Path) -> None:
    """`kill -9` in the midst of scoring, then the same command with --resume; one input of two was whole by then."""
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    write_video(first, walkers(30))
    second.write_bytes(clip.read_bytes())
    command = [sys.executable, "-m", "crowdad", "detect", first, second, "-m", model, "-o", tmp_path / "runs"]
    command += ["--no-overlay", "--no-report", "-q"]
    killed = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE)
    journal = tmp_path / "runs" / "b" / JOURNAL
    deadline = time.monotonic() + 120
    while not (journal.is_file() and journal.stat().st_size > 3000) and killed.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -9
    before = (tmp_path / "runs" / "a" / "results.json").stat().st_mtime_ns
    assert not (tmp_path / "runs" / "b" / "results.json").exists()
    ran = subprocess.run([*map(str, command), "--resume"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]
    assert (tmp_path / "runs" / "a" / "results.json").stat().st_mtime_ns == before
    assert told_apart_from_time(tmp_path / "runs" / "b")[:2] == told_apart_from_time(whole)[:2]
    assert not journal.exists()


def test_a_failed_start_costs_no_earlier_run(clip: Path, model: Path, tmp_path: Path) -> None:
    workflows.detect(clip, model=model, output=tmp_path / "run", end_s=2.0, **PLAIN)
    before = told_apart_from_time(tmp_path / "run")
    with pytest.raises(TooShortError):
        workflows.detect(clip, model=model, output=tmp_path / "run", end_s=0.2, overwrite=True, **PLAIN)
    assert told_apart_from_time(tmp_path / "run") == before


def test_a_mask_that_was_painted_anew_is_another_run(clip: Path, model: Path, tmp_path: Path) -> None:
    """The first frames would be scored within one mask and the rest within another, and nobody would know."""
    mask = np.full((96, 128), 255, np.uint8)
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    options: dict[str, Any] = {"model": model, "output": tmp_path / "run", "roi": tmp_path / "roi.png", **PLAIN}
    with pytest.raises(StopError):
        workflows.detect(clip, progress=stopping_at(100), **options)
    mask[:48] = 0
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    with pytest.raises(OutputExistsError, match="another roi"):
        workflows.detect(clip, resume=True, **options)
    mask[:48] = 255
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    workflows.detect(clip, resume=True, **options)
