"""People's height from the user to the scene, and back to the user with its certainty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad.cli import main
from crowdad.errors import ConfigError, TooLittleMotionError
from crowdad.sources import open_source
from crowdad.tubes.scale import GivenHeights
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.people_size import doubts_of, people_of
from crowdad.workflows.resuming import run_identity
from tests.conftest import TinyCamera
from tests.tiny_scene import scale_of
from tests.tubes.scale.test_given import drawn

STEEP = replace(
    scale_of(), size_hw=(240, 360), person=(60.0, 0.0, 0.25), rows=(40.0, 200.0), figures=50, certainty="sure"
)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return int(leaving.value.code or 0)


def test_people_are_shown_where_they_walk_far_ones_first() -> None:
    people = people_of(STEEP)
    assert people.text == "40 px far to 80 px near: sure"
    assert people.places == [(90.0, 40.0, 40.0), (180.0, 120.0, 60.0), (270.0, 200.0, 80.0)]


def test_whole_people_are_shown_however_tall() -> None:
    people = people_of(replace(STEEP, person=(200.0, 0.0, 0.0), rows=(0.0, 240.0), certainty="given"))
    assert people.text == "200 px: given"
    assert [(y, tall) for _, y, tall in people.places] == [(100.0, 200.0), (120.0, 200.0), (140.0, 200.0)]


def test_doubts_are_told_and_what_to_do() -> None:
    assert doubts_of(STEEP) == []
    assert doubts_of(replace(STEEP, certainty="given", figures=0)) == []
    (unsure,) = doubts_of(replace(STEEP, certainty="unsure", why="few people"))
    assert "unsure (few people)" in unsure
    assert "--person-height" in unsure
    (unknown,) = doubts_of(replace(STEEP, certainty="unsure", figures=0))
    assert "no person's height could be measured" in unknown
    assert people_of(replace(STEEP, certainty="unsure", why="few people")).text.endswith(": unsure (few people)")


def test_a_scene_is_learned_with_the_given_height(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    file = drawn(tmp_path / "people.json", (60, 28), (180, 34), size_wh=(360, 240))
    scene = crowdad.fit(tiny_camera.normal, settings=tiny_camera.settings, person_height=file, end_s=6)
    assert scene.scale.certainty == "given"
    assert scene.scale.person_px(180, np.array([60, 180])) == pytest.approx([28, 34])
    again = type(scene).load(scene.save(tmp_path / "scene.safetensors"))
    assert again.scale == scene.scale


def test_a_run_says_that_its_given_height_contradicts_the_footage(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    results = crowdad.detect(
        tiny_camera.normal,
        settings=tiny_camera.settings,
        person_height="12",
        end_s=6,
        output=tmp_path / "run",
        overlay=False,
        report=False,
    )
    assert results.model.scale["certainty"] == "given"
    assert str(results.model.scale["why"]).startswith("measured ")
    assert [line for line in results.warnings if "contradicts" in line]
    assert results.settings["run"]["person_height"] == "12"  # type: ignore[index,call-overload]


def test_a_given_height_that_leaves_nothing_to_compare_is_named_as_the_cause(
    tiny_camera: TinyCamera, tmp_path: Path
) -> None:
    given = {"settings": tiny_camera.settings, "person_height": "200", "end_s": 8.0}
    results = crowdad.detect(tiny_camera.normal, output=tmp_path / "run", overlay=False, **given)
    assert results.threshold.grade == "none"
    assert "contradicts" in results.threshold.note
    assert "measured " in results.threshold.note
    with pytest.raises(TooLittleMotionError, match="measured "):
        crowdad.fit(tiny_camera.normal, **given)


def test_heights_that_do_not_fit_are_refused_before_anything_is_read(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    for verb in (crowdad.fit, crowdad.detect):
        with pytest.raises(ConfigError, match=r"500 px .*360x240"):
            verb(tiny_camera.normal, person_height=500, output=tmp_path / "new" / "x")
    assert not (tmp_path / "new").exists()


def test_the_command_line_refuses_in_one_line(
    tiny_camera: TinyCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        (("detect", tiny_camera.unusual, "--person-height", "tall"), "neither numbers nor an existing file"),
        (("detect", tiny_camera.unusual, "-m", tiny_camera.model, "--person-height", 30), "both a model and people's"),
        (("watch", tiny_camera.unusual, "-m", tiny_camera.model, "--person-height", 30), "both a model and people's"),
        (("fit", tiny_camera.normal, "-o", tmp_path / "x.safetensors", "--person-height", "30@300"), "row 300 is not"),
    ):
        assert run(*words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1


def test_info_says_how_sure_people_are(tiny_camera: TinyCamera, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", tiny_camera.model) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("people ")]
    assert tiny_camera.scene.scale.certainty in line


def test_a_run_goes_on_with_the_same_height_only(tiny_camera: TinyCamera) -> None:
    source = open_source(tiny_camera.unusual)
    found = [
        run_identity(str(tiny_camera.unusual), source, DetectOptions(person_height=GivenHeights.of(given)), None, None)
        for given in ("30", 30, "31", None)
    ]
    assert found[0] == found[1]
    assert len({str(identity) for identity in found}) == 3
