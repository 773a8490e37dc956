"""`crowdad info`: people's size in footage, measured, given or refused, and drawn where asked for."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest

from crowdad.cli import main
from crowdad.cli.terminal import Bars
from crowdad.scale import SceneScale
from crowdad.workflows import Stage, measuring
from tests.conftest import TinyCamera, moving_square, write_video
from tests.tiny_scene import scale_of


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


class Told:
    """Runs `crowdad info`; its exit code, output and errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main(["info", *map(str, arguments)])
        shown = self._capsys.readouterr()
        return int(leaving.value.code or 0), shown.out, shown.err


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Footage that was measured, which here takes no time."""
    seen: list[object] = []

    def measured(spec: object, *_: object) -> SceneScale:
        seen.append(spec)
        return scale_of()

    monkeypatch.setattr(measuring, "measured", measured)
    return seen


def test_people_are_measured_with_a_bar_that_counts(
    tiny_camera: TinyCamera, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[Stage] = []
    monkeypatch.setattr(Bars, "__call__", lambda _, stage: stages.append(stage))
    code, out, _ = told(tiny_camera.normal)
    assert code == 0
    assert re.search(
        r"\n  people       \d+ px far \(row \d+\) to \d+ px near \(row \d+\), from \d+ figures: (un)?sure", out
    )
    assert re.search(r"\n  walking      [01]\.\d\d person heights a second; flow over \d", out)
    assert [(stage.what, stage.done, stage.total) for stage in stages][-1] == ("measuring people", 100, 100)
    assert not list(tiny_camera.normal.parent.glob("*.png")), "nothing is written without being asked for"


def test_what_cannot_be_measured_is_refused_in_its_line_and_may_be_given(
    tiny_video: Path, told: Told, tmp_path: Path
) -> None:
    code, out, _ = told(tiny_video)
    assert code == 0
    (line,) = [line for line in out.splitlines() if "people" in line]
    assert line.startswith("  people       refused: ")
    assert "--person-height" in line
    picture = tmp_path / "people.png"
    assert told(tiny_video, "--picture", picture)[0] == 1
    assert not picture.exists()
    code, out, _ = told(tiny_video, "--person-height", 12, "--picture", picture)
    assert code == 0
    assert "  people       12 px: given\n" in out
    assert "(assumed)" in out
    assert f"look at {picture}" in out


def test_the_picture_is_a_frame_with_outlines(tiny_video: Path, told: Told, tmp_path: Path) -> None:
    picture = tmp_path / "people.png"
    told(tiny_video, "--person-height", 12, "--picture", picture)
    drawn = cv2.imread(str(picture))
    assert drawn is not None
    frame = drawn[:480]
    assert drawn.shape[1] == 640
    assert drawn.shape[0] > 480, "a caption lies below"
    # 64 pixels are 640: the person at a half of the width stands from row 180 to 300, outlined in white.
    inside = (frame.min(axis=2) > 240)[:, 300:340].any(axis=1).nonzero()[0]
    assert inside.min() == pytest.approx(180, abs=4)
    assert inside.max() == pytest.approx(300, abs=4)


def test_several_videos_are_told_at_once_and_measured_where_asked_for(
    tmp_path: Path, told: Told, looks: list[object]
) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", moving_square())
    code, out, _ = told(tmp_path)
    assert (code, out.count(": footage\n"), looks) == (0, 2, [])
    assert told(tmp_path, "--people")[0] == 0
    assert len(looks) == 2
    assert told(tmp_path / "a.mp4", "--no-people")[0] == 0
    assert len(looks) == 2
    code, _, err = told(tmp_path, "--picture", tmp_path / "x.png")
    assert (code, err.count("\n")) == (2, 1)
    (tmp_path / "c.mp4").write_bytes(b"nothing")
    code, out, err = told(tmp_path)
    assert (code, out.count(": footage\n"), err.count("\n")) == (1, 2, 1)


def test_a_run_tells_what_it_measured(tiny_camera: TinyCamera, told: Told, tmp_path: Path, looks: list[object]) -> None:
    from crowdad.workflows import detect

    detect(tiny_camera.unusual, model=tiny_camera.model, output=tmp_path / "run", overlay=False, report=False)
    code, out, _ = told(tmp_path / "run")
    assert code == 0
    assert "all that was found is in" in out
    assert f"from {tiny_camera.scene.scale.figures} figures: {tiny_camera.scene.scale.certainty}" in out
    assert not looks
