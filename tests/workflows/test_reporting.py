"""The report of a whole run: the page, and the footage beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import pytest

import crowdad
from crowdad.cli import main
from crowdad.errors import OutputExistsError
from crowdad.scene.model import SceneModel
from crowdad.sources import open_source
from tests.conftest import TINY_SETTINGS, TinyCamera, write_folder


def page_data(folder: Path) -> dict:
    page = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def reported(tiny_camera: TinyCamera, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with many events and no overlay.  Shared: read it, don't change it."""
    folder = tmp_path_factory.mktemp("reported") / "run"
    crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=folder, overlay=False, threshold=0.02)
    return folder


def test_the_page_tells_what_the_results_tell(reported: Path) -> None:
    results, data = crowdad.read_results(reported / "results.json"), page_data(reported)
    assert [event["id"] for event in data["events"]] == [event.id for event in results.events]
    assert len(results.events) > 0
    assert data["scores"]["count"] == results.counts.scored == 120
    assert data["heat"]["chunks"]
    page = (reported / "report.html").read_text(encoding="utf-8")
    assert page.count('alt="Peak of event') == len(results.events)


def test_an_original_that_browsers_play_is_not_stored_twice(reported: Path, tiny_camera: TinyCamera) -> None:
    assert (reported / "footage.mp4").samefile(tiny_camera.unusual)
    assert page_data(reported)["video"]["offset_s"] == 0


def test_pictures_become_a_video_of_the_part_that_was_read(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    pictures = [frame.luma for frame, _ in zip(open_source(tiny_camera.unusual).frames(), range(40), strict=False)]
    frames = write_folder(tmp_path / "frames", pictures)
    folder = tmp_path / "run"
    crowdad.detect(frames, model=tiny_camera.model, output=folder, fps=10, start_s=1.0, overlay=False, heatmaps=False)
    assert {path.name for path in folder.iterdir()} == {
        "footage.mp4",
        "frames.csv",
        "report.html",
        "results.json",
        "timeline.png",
    }
    data = page_data(folder)
    assert data["video"]["offset_s"] == 1.0
    assert data["heat"] is not None, "the page has heat also where heatmaps.npz is left out"
    with av.open(str(folder / "footage.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 30


def test_ticked_events_are_learned_as_normal(reported: Path, tiny_camera: TinyCamera, tmp_path: Path) -> None:
    data = page_data(reported)
    event = max(data["events"], key=lambda event: event["end_s"] - event["start_s"])
    # What the page saves, see tests/outputs/report/assets/test_page.py.
    span = {"event": event["id"], **{name: event[name] for name in ("start_s", "end_s", "boxes")}}
    ticks = tmp_path / "false-alarms.json"
    ticks.write_text(json.dumps({**data["false_alarms"], "spans": [span]}), encoding="utf-8")
    settings = [word for item in TINY_SETTINGS for word in ("--set", item)]
    model = tmp_path / "taught.safetensors"
    command = ["fit", str(tiny_camera.normal), "--also-normal", str(ticks), "-o", str(model), "-q", *settings]
    with pytest.raises(SystemExit) as leaving:
        main(command)
    assert leaving.value.code == 0
    taught = SceneModel.load(model)
    known = taught.provenance["also_normal"]
    assert known["spans"] == 1
    assert len(taught.motion.centres) == len(tiny_camera.scene.motion.centres) + known["centres"]
    part = {"start_s": event["start_s"], "end_s": event["end_s"]}
    before, after = (
        sum(result.anomaly for result in crowdad.score(tiny_camera.unusual, model, **part))
        for model in (tiny_camera.scene, taught)
    )
    assert after < before


def test_the_report_can_be_left_out(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path, end_s=3, overlay=False, report=False)
    assert not list(tmp_path.glob("report*"))
    assert not list(tmp_path.glob("footage*"))


def test_a_run_can_be_replaced_but_not_the_footage_in_it(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    for _ in range(2):
        crowdad.detect(
            tiny_camera.unusual, model=tiny_camera.model, output=tmp_path, end_s=3, overlay=False, overwrite=True
        )
    copied = tmp_path / "footage.mp4"
    with pytest.raises(OutputExistsError, match="replaced"):
        crowdad.detect(copied, model=tiny_camera.model, output=tmp_path, end_s=3, overlay=False, overwrite=True)
    assert copied.samefile(tiny_camera.unusual)
