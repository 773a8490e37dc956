"""People's height as the user gives it: what it means for the picture, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.errors import ConfigError
from crowdad.tubes.scale import GivenHeights, ScaleProbe, SceneScale
from tests.tiny_scene import PERSON_PX, SIZE_HW, settings_of, walkers

PICTURE = (360, 640)


def heights(given: Any) -> GivenHeights:
    found = GivenHeights.of(given)
    assert found is not None
    return found


def drawn(path: Path, *people: tuple[float, float], size_wh: tuple[int, int] = (640, 360), **more: Any) -> Path:
    """The file that the report page saves of people (row, height)."""
    marks = [{"x": 10 + 20 * place, "y": row, "height_px": tall} for place, (row, tall) in enumerate(people)]
    path.write_text(json.dumps({"crowdad": "person-heights", "size_wh": size_wh, "people": marks, **more}), "utf-8")
    return path


@pytest.mark.parametrize("given", [95, 95.0, np.int64(95), np.float32(95), "95", " 95 ", "95.0", "95@110"])
def test_one_height_is_that_of_all_places(given: object) -> None:
    assert heights(given).plane(PICTURE) == (95.0, 0.0, 0.0)
    assert heights(given).rows(PICTURE) == (0.0, 360.0)


@pytest.mark.parametrize(
    "given", ["80@100,120@200", "120@200, 80@100", "80@100,100@150,120@200", "80@100,80@100,120@200"]
)
def test_two_heights_make_a_line_and_more_the_nearest_one(given: str) -> None:
    assert heights(given).plane(PICTURE) == pytest.approx((112.0, 0.0, 0.4))
    # A person more on each side: 80 px at row 100, 120 px at row 200.
    assert heights(given).rows(PICTURE) == pytest.approx((20.0, 320.0))


def test_rows_end_where_people_are_half_as_tall_and_in_the_picture() -> None:
    # 2 px a row: half of 60 px lies 15 rows above.
    assert heights("60@130,180@190").rows((220, 300)) == pytest.approx((115.0, 220.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0", " 0 px; .* 0"),
        ("-95", " -95 px; .* 0"),
        (float("nan"), " nan px; .* 0"),
        ("tall", "'tall' .* 95"),
        ("nan", "'nan'"),
        ("", "''"),
        ("95@", "'95@'"),
        ("95@110,", "'95@110,'"),
        ("9.5.1", r"'9\.5\.1'"),
        ("95,100@230", "95 .*row"),
        ("95@110,100@110", "row 110 .*95 and 100 px"),
        ("110@95,230@20", r"\(110@95,230@20\)"),
        ("361", r"361 px .*640x360"),
        ("5", " 5 px; .* 6 px"),
        ("95@110,100@400", "row 400 .* 0 to 359"),
        ("95@-1", "row -1 "),
        ("20@300,100@350", r"1\.6 px a row"),
        ("20@170,100@180", "giants"),
    ],
)
def test_what_no_picture_has_is_one_line(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        heights(given).plane(PICTURE)
    assert "\n" not in str(refused.value)


def test_people_drawn_with_the_mouse(tmp_path: Path) -> None:
    path = drawn(tmp_path / "people.json", (200, 120), (100, 80))
    assert heights(str(path)).plane(PICTURE) == pytest.approx((112.0, 0.0, 0.4))
    twice = heights(path)
    assert twice.plane((720, 1280)) == pytest.approx((224.0, 0.0, 0.4)), "the camera's other size"
    assert twice.rows((720, 1280)) == pytest.approx((40.0, 640.0))
    with pytest.raises(ConfigError, match=r"640x360, .*640x480"):
        twice.plane((480, 640))


@pytest.mark.parametrize("people", [[(100, 90), (100, 100)], [(100, 90), (103, 100)], [(100, 97), (180, 93)]])
def test_drawn_people_side_by_side_or_of_all_sizes_make_no_slope(
    people: list[tuple[float, float]], tmp_path: Path
) -> None:
    assert heights(drawn(tmp_path / "people.json", *people)).plane(PICTURE) == (95.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crowdad": "other"}, "crowdad "),
        ({"people": []}, "people "),
        ({"people": [{"x": 1, "y": 1, "height_px": "tall"}]}, r"people\.0\.height_px"),
        ({"people": [{"x": 1, "y": 1, "height_px": -3}]}, r"people\.0\.height_px"),
        ({"size_wh": [0, 1]}, r"size_wh\.0"),
        ({"more": 1}, "more "),
    ],
)
def test_a_file_that_no_page_saved_is_one_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        GivenHeights.of(drawn(tmp_path / "people.json", (100, 95), **change))


def test_files_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: .*No such file"):
        GivenHeights.of(str(tmp_path / "gone.json"))
    (tmp_path / "people.json").write_bytes(b"\xff{")
    with pytest.raises(ConfigError, match=r"people\.json: "):
        GivenHeights.of(tmp_path / "people.json")


def measured(pictures: npt.NDArray[np.uint8], given: object, fps: float = 10.0) -> SceneScale:
    probe = ScaleProbe(len(pictures), fps, settings_of().scale)
    for picture in pictures:
        probe.push(picture)
    return probe.measure(heights(given))


def test_where_nobody_moves_pace_and_view_are_assumed() -> None:
    still = np.full((40, *SIZE_HW), 110, np.uint8)
    scale = measured(still, "30@40,50@80", fps=20.0)
    assert scale.size_hw == SIZE_HW
    assert scale.person == pytest.approx((34.0, 0.0, 0.5))
    assert scale.person_px(64, [40, 80]) == pytest.approx([30, 50])
    assert scale.walk * scale.fps == pytest.approx(0.75)
    assert scale.foreshortening == pytest.approx(2.3, abs=0.01)  # of the horizon, 68 rows above the centre
    assert scale.figures == 0
    assert (scale.certainty, scale.why) == ("given", "")
    assert SceneScale.from_dict(scale.as_dict()) == scale


def test_the_pace_is_measured_where_people_of_that_height_walk() -> None:
    scale = measured(walkers(120, size_hw=SIZE_HW), PERSON_PX)
    assert scale.person == (PERSON_PX, 0.0, 0.0)
    assert scale.figures >= 12
    assert scale.walk * PERSON_PX == pytest.approx(3.0, rel=0.25)
    assert (scale.certainty, scale.why) == ("given", "")


def test_a_height_that_contradicts_what_is_seen_is_taken_and_told() -> None:
    half = walkers(150, speeds=(3, -3, 2.6), size_hw=(180, 160))
    scale = measured(np.concatenate([half, half[:, :, ::-1]], axis=2), 90)
    assert scale.person == (90.0, 0.0, 0.0)
    tall, row = (float(word) for word in scale.why.split() if word.isdigit())
    assert scale.why.startswith("measured ")
    assert tall == pytest.approx(PERSON_PX, rel=0.2)
    assert 0 < row < 180
    assert np.isclose(scale.walk * scale.fps, 0.75), "what is not as tall as people says nothing of their pace"
