"""The speed benchmark: what it measures adds up, and what it tells follows from its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed.bars import bar_lines, bar_table, bars, published_auc, stage_table
from benchmarks.speed.commands import detect_run, on_cores
from benchmarks.speed.footage import Footage, repeated, resized
from benchmarks.speed.plots import draw_plots
from benchmarks.speed.real import scene_row, scene_table, scenes_in
from benchmarks.speed.stages import STAGES, stage_seconds
from crowdad.scene.model import SceneModel
from crowdad.sources import open_source
from crowdad.workflows import detect
from tests.conftest import write_video
from tests.tiny_scene import model_of, walkers


@pytest.fixture(scope="module")
def tiny_footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    folder = tmp_path_factory.mktemp("footage")
    video = write_video(folder / "walk.mp4", walkers(30))
    return Footage("tiny", video, model_of().save(folder / "scene.safetensors"), 30, 10.0)


def rows() -> list[dict]:
    """Rows of a machine on which decoding runs at 1,000 frames a second and detect at 150, or 400 on two cores."""

    def spread(value: float) -> dict[str, float]:
        return {"median": value, "least": value, "largest": value}

    made: list[dict] = []
    for cores, fps in ((1, 150.0), (2, 400.0)):
        for stage in STAGES:
            row = {"part": "stages", "footage": "ped2", "cores": cores, "stage": stage, "frames": 100}
            made.append(row | {"seconds": spread(0.1), "fps": 1000.0})
        row = {"part": "commands", "footage": "ped2", "cores": cores, "form": "scores, ONNX Runtime", "fps": fps}
        made.append(row | {"first_frame_s": spread(9.0), "peak_mb": spread(700.0)})
    made.append({"part": "accuracy", "footage": "ped2", "runtime": "torch", "frame_auc": 0.98})
    made.append({"part": "starting", "what": "crowdad --help", "seconds": spread(0.2)})
    made += [
        {"part": "growth", "with": "length", "frames": n, "after_s": spread(n), "peak_mb": spread(1)} for n in (1, 2)
    ]
    per_frame = dict.fromkeys(STAGES, 0.001)
    made += [{"part": "growth", "with": "resolution", "lines": n, "per_frame_s": per_frame} for n in (240, 480)]
    return made


def test_bars_take_the_rows_of_all_cores_and_say_what_was_not_measured() -> None:
    found = {bar.what: bar for bar in bars(rows())}
    assert found["240x360: scores and events, ONNX Runtime"].measured == 400
    assert found["240x360: scores and events, ONNX Runtime"].met is True
    assert found["240x360: that, of decoding alone"].measured == pytest.approx(40)
    assert found["240x360: first scored frame, ONNX Runtime"].met is False
    assert found["240x360: frame AUC lost, torch"].measured == pytest.approx(100 * (published_auc() - 0.98))
    assert found["720p50: scores and events, torch"].met is None
    assert any(line.endswith("not measured") for line in bar_lines(rows()))


def scene_rows() -> list[dict]:
    one = {"median": 1.0, "least": 1.0, "largest": 1.0}
    known = {"part": "scenes", "size_hw": (336, 596), "cores": 2}
    measured = {"frames": 900, "length_s": 30.0, "fps": 18.0, "of_real_time": 0.6, "scoring_fps": one}
    measured |= {"whole_s": dict.fromkeys(one, 50.0), "peak_mb": dict.fromkeys(one, 1600.0), "flow_share": 1.25}
    return [known | {"scene": "steps"} | measured, known | {"scene": "pets", "refused": "nobody moves"}]


def test_real_scenes_have_a_table_and_bars_and_a_refusal_is_told() -> None:
    table = scene_table(scene_rows())
    assert "| steps | 596x336 | 900 | 50 | 18 | 0.60 | 1 | 1,600 | 1.25 of the picture's |" in table
    assert table.endswith("| nobody moves |")
    assert "No rows yet" in scene_table(rows())
    found = {bar.what.split(",")[0]: bar.met for bar in bars(scene_rows())}
    assert (found["steps"], found["real scenes"]) == (True, False)


def test_a_scene_is_learned_from_itself_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "walk.mp4", walkers(20))

    def run(video: Path, model: None, output: Path, **_: object) -> dict[str, float]:
        detect(video, model=model_of(), output=output, overlay=False, report=False)
        return {"whole_s": 2.0, "peak_mb": 900.0}

    monkeypatch.setattr("benchmarks.speed.real.detect_run", run)
    row = scene_row(video, tmp_path, cores=2, repeats=1)
    assert (row["frames"], row["fps"], row["of_real_time"]) == (20, 10.0, 1.0)
    assert row["flow_share"] == pytest.approx(1.0, abs=0.05), "people are as tall as they are looked at"
    monkeypatch.setattr("benchmarks.speed.real.detect_run", lambda *_, **__: on_cores(["python", "-c", "0/0"], 1))
    assert "ZeroDivisionError" in scene_row(video, tmp_path, cores=2, repeats=1)["refused"]
    assert list(scenes_in(None)) == list(scenes_in(tmp_path)) == []


def test_tables_hold_every_stage_and_every_bar() -> None:
    assert "| 150 | 400 |" in stage_table(rows())
    assert all(stage in stage_table(rows()) for stage in STAGES)
    assert "| crowdad --help | <= 0.4 s | 0.20 s | met |" in bar_table(rows())
    assert "**missed**" in bar_table(rows())
    assert "python -m benchmarks.speed" in bar_table([])


def test_plots_are_drawn_of_what_is_there(tmp_path: Path) -> None:
    assert {path.name for path in draw_plots(rows(), tmp_path)} == {"speed-stages.png", "speed-growth.png"}
    assert draw_plots([], tmp_path) == []


def test_every_stage_takes_time(tiny_footage: Footage) -> None:
    taken = stage_seconds(tiny_footage.video, SceneModel.load(tiny_footage.model), repeats=1)
    assert list(taken) == list(STAGES)
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in taken.values())


def test_footage_twice_in_a_row_has_twice_the_frames(tiny_footage: Footage, tmp_path: Path) -> None:
    times = [frame.time_s for frame in open_source(repeated(tiny_footage, 2, tmp_path)).frames()]
    assert len(times) == 60
    assert times[30] == pytest.approx(3.0)


def test_footage_of_another_size_has_all_frames(tiny_footage: Footage, tmp_path: Path) -> None:
    source = open_source(resized(tiny_footage, 48, tmp_path))
    assert source.info.size_hw == (48, 64)
    assert sum(1 for _ in source.frames()) == 30


def test_a_command_is_timed_from_its_start_to_its_first_frame_and_its_end(
    tiny_footage: Footage, tmp_path: Path
) -> None:
    run = detect_run(tiny_footage.video, tiny_footage.model, tmp_path / "run", cores=1)
    assert 0 < run["first_frame_s"] < run["whole_s"]
    assert run["after_s"] > 0
    assert run["peak_mb"] > 100


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="broken"):
        on_cores(["python", "-c", "raise SystemExit('broken')"], 1)


def test_an_unknown_part_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["--only", "stages,stagez", "--quick"]) == 1
    assert "stagez" in capsys.readouterr().err


def test_what_is_not_measured_again_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "speed.json"
    out.write_text(json.dumps({"rows": rows()}))
    again = {"part": "starting", "what": "crowdad --help", "seconds": {"median": 0.1, "least": 0.1, "largest": 0.1}}
    monkeypatch.setattr("benchmarks.speed.measuring.Measuring.rows", lambda *_: iter([again]))
    assert speed.main(["--only", "starting", "--json", str(out)]) == 0
    written = json.loads(out.read_text())["rows"]
    assert len(written) == len(rows())
    assert [row["seconds"]["median"] for row in written if row["part"] == "starting"] == [0.1]


@pytest.mark.slow
def test_quick_writes_rows_of_every_part(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    arguments = ["--quick", "--footage", "720p50", "--folder", str(tmp_path / "kept"), "--json", str(out)]
    assert speed.main(arguments) == 0
    assert {row["part"] for row in json.loads(out.read_text())["rows"]} == {"stages", "commands", "starting", "growth"}
