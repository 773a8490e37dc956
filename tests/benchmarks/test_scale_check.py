"""The benchmark of people's height against the truth: where truth comes from, runs that go on, and the tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale_check
from benchmarks.cameras import cameras, small_cameras
from benchmarks.rows import read_rows
from benchmarks.scale.child import run
from benchmarks.scale.pictures import draw_people
from benchmarks.scale.scenes import Place, Scene, all_scenes, as_person_height, generated_scene, real_scenes
from benchmarks.scale.tables import agreement, bars_table, detect_table, people_table
from crowdad.errors import DatasetNotFoundError


def _row(name: str = "mall", **told: Any) -> dict[str, Any]:
    scale = {"certainty": "sure", "why": "", "rows": [40, 200], "foreshortening": 2.0, "along": True}
    return {
        "scene": name,
        "generated": False,
        "size_wh": [320, 240],
        "fps_assumed": False,
        "places": [[100.0, 80.0, 40.0], [200.0, 160.0, 60.0]],
        "middle_px": [[160.0, 40, 30.0], [160.0, 200, 70.0]],
        "measured_px": [44.0, 60.0],
        "walk_s": 0.7,
        "scale": scale,
        "seconds": 4.2,
        "peak_mb": 300.0,
        **agreement([40.0, 60.0], [44.0, 60.0]),
        **told,
    }


def _refused(name: str) -> dict[str, Any]:
    gone = ("scale", "measured_px", "middle_px", "walk_s", "error", "worst_ratio")
    row = {key: value for key, value in _row(name).items() if key not in gone}
    return {**row, "refused": "nobody moves"}


def test_agreement_is_the_median_error_and_the_ratio_furthest_from_one():
    assert agreement([100, 100, 100], [110, 98, 50]) == {"error": 0.1, "worst_ratio": 0.5}


def test_real_scenes_are_joined_from_both_files_of_heights(tmp_path: Path):
    clips = tmp_path / "UCSD_Anomaly_Dataset.v1p2" / "UCSDped2" / "Train"
    for folder in (clips / "Train001", clips / "Train002", tmp_path / "scenes"):
        folder.mkdir(parents=True)
    for video in ("mall.mp4", "bare.mp4"):
        (tmp_path / "scenes" / video).touch()
    header = "file,frame,x,y,height_px\n"
    first = "scenes/mall.mp4,0,10,20,30\nUCSD_Anomaly_Dataset.v1p2/UCSDped2/Train/Train001,0,5,6,7\n"
    (tmp_path / "scenes" / "heights.csv").write_text(header + first)
    (tmp_path / "more.csv").write_text(header + "scenes/mall.mp4,9,11,21,31\n")
    scenes = {scene.name: scene for scene in real_scenes(tmp_path, tmp_path / "more.csv")}
    assert list(scenes) == ["bare", "mall", "ped2"]
    assert scenes["mall"].places == (Place(10, 20, 30), Place(11, 21, 31))
    assert not scenes["bare"].places
    assert [clip.name for clip in scenes["ped2"].footage] == ["Train001", "Train002"]
    assert (scenes["ped2"].fps, scenes["mall"].fps) == (10.0, None)


def test_without_data_the_generated_cameras_are_left(tmp_path: Path):
    assert list(all_scenes(None, tmp_path)) == [*cameras(), *small_cameras()]
    with pytest.raises(DatasetNotFoundError, match="--data"):
        all_scenes(tmp_path, tmp_path)


def test_the_truth_of_a_generated_camera_is_its_own(tmp_path: Path):
    config = small_cameras()["people11"]
    scene = generated_scene(config, tmp_path)
    assert len(scene.places) > 10
    far, near = min(scene.places, key=lambda place: place.y), max(scene.places, key=lambda place: place.y)
    assert far.height_px < 11 < near.height_px
    shortened = math.cos(math.radians(config.camera.tilt_deg))  # people, seen from above
    assert scene.walk_s == pytest.approx(1.35 / 1.72 / shortened, rel=0.03)
    assert scene.foreshortening is not None
    assert scene.foreshortening > 1


@pytest.mark.parametrize(
    ("places", "given"),
    [
        ([], None),
        ([Place(0, 100, 50)], "50"),
        ([Place(0, 100, 50), Place(9, 200, 80), Place(9, 300, 110)], "50@100,110@300"),
        ([Place(0, 100, 60), Place(9, 200, 40)], "50"),
    ],
)
def test_the_height_given_where_it_is_refused_follows_the_truth(places: list[Place], given: str | None):
    assert as_person_height(places) == given


def test_what_crowdad_refuses_is_told(tmp_path: Path):
    told = run({"do": "measure", "footage": [str(tmp_path / "none.mp4")], "fps": None, "places": []})
    assert "none.mp4" in told["refused"]
    assert told["peak_mb"] > 0


def test_only_missing_scenes_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    asked: list[str] = []
    scene = Scene("mall", (tmp_path / "mall.mp4",), (Place(10, 20, 30),))

    def measure(scene: Scene, limit_s: float) -> dict[str, Any]:
        asked.append(scene.name)
        return _refused(scene.name)

    def detect(scene: Scene, do: str, limit_s: float, person_height: str | None) -> dict[str, Any]:
        return {"failed": f"given {person_height}"}

    monkeypatch.setattr(scale_check, "all_scenes", lambda data, folder: {"mall": lambda: scene})
    monkeypatch.setattr(scale_check, "_measured", measure)
    monkeypatch.setattr(scale_check, "in_a_process", detect)
    output = ["--output", str(tmp_path / "people.json")]
    for more in ([], [], ["--fresh"], ["--detect"]):
        assert scale_check.main([*output, *more]) == 0
    assert asked == ["mall", "mall"]
    (row,) = read_rows(tmp_path / "people.json")
    assert row["detect"] == {"failed": "given 30"}
    assert (tmp_path / "people" / "mall.png").exists()
    assert scale_check.main([*output, "--only", "moon"]) == 1
    assert "no scene is called 'moon'" in capsys.readouterr().err


def test_tables_tell_errors_and_refusals():
    rows = [_row(), _refused("empty"), {**_refused("broken"), "failed": "Killed"}]
    del rows[2]["refused"]
    lines = people_table(rows).splitlines()
    assert "| mall | 320x240 | 2 | 40-60 | 44-60 | **0.05** | 1.10x | 0.70 | 2.0 | sure | 4 | 300 |" in lines
    assert "refused: nobody moves" in lines[3]
    assert "**failed**: Killed" in lines[4]
    bars = bars_table(rows)
    assert "0.05 of 1 scenes" in bars
    assert "1 refused (empty); 1 failed (broken)" in bars


def test_the_table_of_detection_tells_a_height_that_was_given():
    told = {
        "person_height": "50",
        "events": [],
        "candidates": [{"peak_s": 3.0}],
        "warnings": ["short"],
        "frames_per_s": 31.0,
        "seconds": 9.0,
        "peak_mb": 500.0,
    }
    table = detect_table([_row("still"), _row(detect=told)])
    assert table.splitlines()[-1] == "| mall | 0 | 1 (3.0 s) | given: `--person-height 50`; short | 31 | 9 | 500 |"


@pytest.mark.parametrize("row", [_row(), _row(places=[], measured_px=[]), _refused("empty")])
def test_pictures_are_small(row: dict[str, Any], tmp_path: Path):
    path = tmp_path / "people" / "one.png"
    draw_people(row, path)
    assert 0 < path.stat().st_size < 40_000
