"""Detecting on a small generated camera: what a run holds, and what it is refused for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest

import crowdad
from crowdad.cli.terminal import describe_run
from crowdad.config import load_settings
from crowdad.detection.detector import Detector
from crowdad.errors import (
    ConfigError,
    ModelError,
    OutputExistsError,
    TooShortError,
)
from crowdad.outputs.folder import JOURNAL
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.tables import read_frames_csv
from crowdad.records import FrameResult
from crowdad.scene.calibration import readable
from crowdad.scene.model import SceneModel
from crowdad.sources import ReadReport, open_source
from crowdad.workflows import Stage
from crowdad.workflows.run_records import STRANGE_SHARE, warnings_of
from tests.conftest import TINY_SETTINGS, TinyCamera, write_video
from tests.tiny_scene import model_of, scale_of, walkers

RUN = {"frames.csv", "heatmaps.npz", "overlay.mp4", "timeline.png", "report.html", "footage.mp4", "results.json"}


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    return [frame.luma for frame in islice(open_source(path).frames(), count)]


def test_a_run_holds_every_file_whole(finished: Path, tiny_camera: TinyCamera) -> None:
    assert {path.name for path in finished.iterdir()} == RUN
    results = crowdad.read_results(finished / "results.json")
    table = read_frames_csv(finished / "frames.csv")
    assert results.source.frames == results.counts.scored == len(table) == 120
    assert list(table.frame) == list(range(120))
    assert results.source.sha256 == open_source(tiny_camera.unusual).sha256()
    assert results.model.sha256 == SceneModel.sha256(tiny_camera.model)
    assert results.model.fitted == "one-class"
    assert results.source.duration_s == pytest.approx(12.0)
    with HeatmapReader(finished / "heatmaps.npz") as maps:
        for (index, heatmap), anomaly in zip(maps, table.anomaly, strict=True):
            assert heatmap.anomaly.max() == pytest.approx(anomaly, abs=1 / 255), index
    with av.open(str(finished / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 120


def test_scores_are_those_of_the_library(finished: Path, tiny_camera: TinyCamera) -> None:
    table = read_frames_csv(finished / "frames.csv")
    frames = frames_of(tiny_camera.unusual, 120)
    results = list(crowdad.score((frame for frame in frames), tiny_camera.scene, fps=10))
    assert [result.anomaly for result in results] == pytest.approx(list(table.anomaly), abs=2e-6)
    assert [result.warm_up for result in results] == list(table.warm_up)


def test_two_runs_write_the_same_bytes(finished: Path, tiny_camera: TinyCamera, tmp_path: Path) -> None:
    crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "b", overlay=False)
    for name in ("frames.csv", "heatmaps.npz"):
        assert (tmp_path / "b" / name).read_bytes() == (finished / name).read_bytes()


def test_without_a_model_the_footage_teaches_itself(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    stages: list[Stage] = []
    results = crowdad.detect(
        tiny_camera.unusual,
        output=tmp_path / "own",
        settings=tiny_camera.settings,
        false_alarms_per_hour=1.0,  # else the clip is ranked, at a level of its own
        overlay=False,
        progress=stages.append,
    )
    assert results.model.fitted == "self-fitted"
    assert results.threshold.grade == "alarms"
    scene = SceneModel.load(tmp_path / "own" / "scene.safetensors")
    assert scene.provenance["how"] == "self-fitted"
    assert results.model.sha256 == SceneModel.sha256(tmp_path / "own" / "scene.safetensors")
    assert stages[-1] == Stage("scoring", 120, 120, "frame")
    again = crowdad.detect(
        tiny_camera.unusual, model=tmp_path / "own" / "scene.safetensors", output=tmp_path / "again", overlay=False
    )
    assert again.model.fitted == "self-fitted"
    first, second = ((tmp_path / name / "frames.csv").read_bytes() for name in ("own", "again"))
    assert first == second


def test_a_short_clip_without_a_model_is_ranked(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    results = crowdad.detect(
        tiny_camera.unusual, output=tmp_path / "own", settings=tiny_camera.settings, overlay=False, report=False
    )
    assert results.threshold.grade == "ranked"
    assert "too short (12 seconds)" in results.threshold.note
    told = [*results.events, *results.candidates]
    assert len(told) >= 1
    assert all(moment.surprise is not None for moment in told)
    surprises = [moment.surprise for moment in results.candidates]
    assert surprises == sorted(surprises, reverse=True)
    assert not any("by heart" in warning for warning in results.warnings)


@pytest.mark.parametrize(("hottest_raw", "by_heart"), [(0.013, True), (0.4, False)])
def test_a_clip_that_was_learned_by_heart_is_told(hottest_raw: float, by_heart: bool) -> None:
    """As measured on half a minute of few people: the rest of the clip knows nobody, the whole clip everybody."""
    scene = model_of()
    scene.calibration = replace(scene.calibration, usual=0.0, spread=0.565)
    anomaly = readable(np.array([0.0, hottest_raw], np.float32), 1.3)
    run: Any = SimpleNamespace(
        scene=scene,
        ranked=True,
        camera=None,
        still="",
        detector=SimpleNamespace(threshold_raw=1.3, strangeness=0.0, drift=0.0, tubes_scored=0),
        source=SimpleNamespace(slowest_fps=10.0),
    )
    scored: Any = SimpleNamespace(
        report=ReadReport(frames_read=2), sizes=ReadReport(), table=SimpleNamespace(anomaly=anomaly)
    )
    assert any("by heart" in line for line in warnings_of(run, scored)) == by_heart


def test_a_scene_in_memory_is_kept_with_the_run(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    results = crowdad.detect(
        moving_crowd(tiny_camera), model=tiny_camera.scene, output=tmp_path / "run", fps=10, heatmaps=False
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == RUN - {"heatmaps.npz"} | {"scene.safetensors"}
    assert results.model.sha256 == SceneModel.sha256(tmp_path / "run" / "scene.safetensors")
    assert results.source.name == "array"


def moving_crowd(camera: TinyCamera) -> np.ndarray:
    return np.stack(frames_of(camera.unusual, 40))


def test_part_of_the_footage(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    results = crowdad.detect(
        tiny_camera.unusual,
        model=tiny_camera.model,
        output=tmp_path / "part",
        start_s=3.0,
        end_s=8.0,
        recorded_at="2024-05-17T08:30:00",
        overlay=False,
    )
    table = read_frames_csv(tmp_path / "part" / "frames.csv")
    assert list(table.frame) == list(range(30, 80))
    assert results.source.recorded_at == "2024-05-17T08:30:00"
    assert results.settings["run"] == {
        "start_s": 3.0,
        "end_s": 8.0,
        "stride": 1,
        "fps": None,
        "max_pixels": 25_000_000,
        "rgb": False,
        "roi": None,
        "person_height": None,
        "recorded_at": "2024-05-17T08:30:00",
    }


def test_a_stride_counts_as_a_lower_frame_rate(tiny_camera: TinyCamera) -> None:
    results = list(crowdad.score(tiny_camera.unusual, tiny_camera.scene, stride=2))
    assert [result.index for result in results] == list(range(0, 120, 2))
    assert open_source(tiny_camera.unusual, stride=2).fps == 5.0


def test_threshold_and_false_alarms(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    def detect(name: str, **chosen: float) -> crowdad.RunResults:
        return crowdad.detect(
            tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / name, overlay=False, end_s=6.0, **chosen
        )

    low = detect("low", threshold=1e-3)
    assert low.threshold.raw == 1e-3
    assert low.threshold.false_alarms_per_hour is None
    assert read_frames_csv(tmp_path / "low" / "frames.csv").flagged.any()
    rare, often = detect("rare", false_alarms_per_hour=0.1), detect("often", false_alarms_per_hour=50)
    assert rare.threshold.raw > often.threshold.raw
    assert rare.threshold.false_alarms_per_hour == 0.1
    with pytest.raises(ConfigError, match="give one of them"):
        crowdad.detect(tiny_camera.unusual, threshold=1.0, false_alarms_per_hour=1.0)
    with pytest.raises(ConfigError, match="above 0"):
        crowdad.detect(tiny_camera.unusual, threshold=-1.0)


def test_a_region_of_interest_blinds_the_rest(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    mask = np.zeros((240, 360), np.uint8)
    mask[:, :120] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    crowdad.detect(
        tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "r", roi=tmp_path / "mask.png", overlay=False
    )
    with HeatmapReader(tmp_path / "r" / "heatmaps.npz") as maps:
        seen = np.max([heatmap.anomaly for _, heatmap in maps], axis=0)
    columns = np.arange(seen.shape[1]) * heatmap_cell(tmp_path / "r")
    assert seen[:, columns < 120].max() > 0
    assert seen[:, columns > 200].max() == 0
    cv2.imwrite(str(tmp_path / "tall.png"), np.full((300, 100), 255, np.uint8))
    with pytest.raises(ConfigError, match="100x300"):
        crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "s", roi=tmp_path / "tall.png")
    assert not (tmp_path / "s").exists()


def heatmap_cell(folder: Path) -> float:
    with HeatmapReader(folder / "heatmaps.npz") as maps:
        return next(iter(maps))[1].cell_px


def test_events_can_be_set_with_a_model_and_nothing_else(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    longer = load_settings(overrides=["events.min_duration_s=2"], base=tiny_camera.scene.settings)
    results = crowdad.detect(
        tiny_camera.unusual, model=tiny_camera.model, settings=longer, output=tmp_path / "e", overlay=False, end_s=5.0
    )
    assert results.settings["events"]["min_duration_s"] == 2
    other = load_settings(overrides=["encoder.code_dim=4"], base=tiny_camera.scene.settings)
    with pytest.raises(ConfigError, match="encoder"):
        crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, settings=other, output=tmp_path / "f")


def test_an_interrupted_run_leaves_readable_parts(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    def stop(stage: Stage) -> None:
        if stage.what == "scoring" and stage.done == 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "cut", progress=stop)
    assert {path.name for path in (tmp_path / "cut").iterdir()} == {"frames.csv.part", "heatmaps.npz.part", JOURNAL}
    assert len(read_frames_csv(tmp_path / "cut" / "frames.csv.part")) == 60
    with HeatmapReader(tmp_path / "cut" / "heatmaps.npz.part") as maps:
        assert len(maps) == 60


def test_a_run_is_never_overwritten_unasked(finished: Path, tiny_camera: TinyCamera) -> None:
    before = (finished / "results.json").read_bytes()
    with pytest.raises(OutputExistsError):
        crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=finished)
    assert (finished / "results.json").read_bytes() == before


@pytest.mark.parametrize(("knows_view", "cause"), [(False, "another scene's"), (True, "its view is the model's")])
def test_another_scene_is_told(
    knows_view: bool, cause: str, tiny_camera: TinyCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_camera.scene if knows_view else replace(tiny_camera.scene, background=None)
    monkeypatch.setattr(Detector, "strangeness", STRANGE_SHARE + 0.01)
    results = crowdad.detect(tiny_camera.unusual, model=model, output=tmp_path / "other", overlay=False, end_s=4.0)
    assert [warning for warning in results.warnings if cause in warning]


def test_the_own_scene_raises_no_alarm(finished: Path) -> None:
    results = crowdad.read_results(finished / "results.json")
    assert not any("another scene's" in warning for warning in results.warnings)


def test_another_shape_is_another_camera(tiny_camera: TinyCamera) -> None:
    square = np.stack([frame[:, :240] for frame in frames_of(tiny_camera.unusual, 30)])
    with pytest.raises(ModelError, match="shape"):
        next(crowdad.score(square, tiny_camera.scene, fps=10))


def test_too_short_says_how_much_is_needed(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    few = np.stack(frames_of(tiny_camera.unusual, 3))
    with pytest.raises(TooShortError, match=r"3 frames, .* \d+"):
        crowdad.detect(few, model=tiny_camera.scene, output=tmp_path / "few", fps=10)
    with pytest.raises(TooShortError, match=r"3 frames, .* 6"):
        crowdad.detect(few, output=tmp_path / "few", fps=10)
    assert not (tmp_path / "few").exists()


def test_frames_are_handed_on_one_by_one(tiny_camera: TinyCamera) -> None:
    made = 0

    def generator() -> Iterator[np.ndarray]:
        nonlocal made
        for frame in frames_of(tiny_camera.unusual, 120):
            made += 1
            yield frame

    stream = crowdad.score(generator(), tiny_camera.scene, fps=10)
    first = next(stream)
    assert isinstance(first, FrameResult)
    assert made < 110
    stream.close()  # type: ignore[attr-defined]


def test_results_keep_to_the_schema(finished: Path) -> None:
    content = json.loads((finished / "results.json").read_text())
    assert content["schema_version"] == 1
    assert content["settings"]["encoder"]["epochs"] == int(TINY_SETTINGS[0].partition("=")[2])


def test_kinds_that_nothing_looks_for_are_told(tmp_path: Path) -> None:
    clip, model = write_video(tmp_path / "clip.mp4", walkers(30)), model_of()  # by motion alone
    chosen = load_settings(overrides=['events.kinds=["fast", "stays", "glides"]'], base=model.settings)
    results = crowdad.detect(clip, model=model, settings=chosen, output=tmp_path / "run", overlay=False, report=False)
    assert results.model.streams == ["motion"]
    assert {"stays", "glides"} <= set(results.model.kinds_off)
    assert "fast" not in results.model.kinds_off
    (told,) = [warning for warning in results.warnings if warning.startswith("nothing looks for")]
    assert "nothing looks for glides, stays: " in told
    said = describe_run(results, tmp_path / "run")
    assert "not looked for: glides, against the stream" in said
    assert "too short or too empty" in said


@pytest.mark.parametrize("becomes", ["another", "nothing"])
def test_results_name_the_model_that_scored_whatever_becomes_of_its_file(becomes: str, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(30))
    model = model_of().save(tmp_path / "scene.safetensors")
    scored_with = SceneModel.sha256(model)

    def meanwhile(stage: Stage) -> None:
        if stage.what == "scoring" and stage.done == 20:
            model.unlink()
            if becomes == "another":
                model_of(seed=1).save(model)

    results = crowdad.detect(
        clip, model=model, output=tmp_path / "run", overlay=False, report=False, progress=meanwhile
    )
    assert results.model.sha256 == scored_with


def test_a_beginning_that_hardly_changes_is_not_too_short(tmp_path: Path) -> None:
    """A recorder repeats its first pictures far more often than later ones."""
    times = [6, 6, 6, 5, 6, *[1, 2, 6, 4, 2, 3, 4, 1, 1, 6] * 3, 5, 1, 1, 2, 4]
    pictures = np.repeat(walkers(len(times)), times, axis=0)
    video = write_video(tmp_path / "slow.mkv", pictures, 30, "ffv1")
    assert open_source(video).new_fps < 15, "repeats are found"
    results = crowdad.detect(video, model=model_of(scale_of()), output=tmp_path / "run", overlay=False, report=False)
    assert results.counts.frames_total == len(pictures)
    assert results.counts.scored + results.counts.repeated == len(pictures)
