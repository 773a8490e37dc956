"""The fastest runtime is measured once and remembered for the same machine, versions, shape and device."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.runtimes import choice, circumstances, fastest, remember, remembered
from tests.tiny_scene import model_of, settings_of


class Sleeper:
    """Takes `seconds` for any number of tubes, and `at_first` more at the first call."""

    def __init__(self, seconds: float, at_first: float = 0.0) -> None:
        self._seconds, self._at_first = seconds, at_first
        self.shapes: list[tuple[int, ...]] = []

    def normality(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.shapes.append(features.shape)
        time.sleep(self._seconds + self._at_first)
        self._at_first = 0.0
        return np.zeros(len(features), np.float32)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(choice, "cache_folder", lambda: folder)
    return folder


def test_the_fastest_is_found_on_tubes_of_the_scenes_shape_after_a_warm_up() -> None:
    runtimes = {"slow": Sleeper(0.02), "quick": Sleeper(0.0, at_first=0.2), "middling": Sleeper(0.01)}
    assert fastest(runtimes, model_of(settings=settings_of("tubes.rows=4"))) == "quick"
    assert {shape[1:] for one in runtimes.values() for shape in one.shapes} == {(3, 5, 4, 3)}


def test_a_choice_holds_for_its_circumstances_only(cache: Path) -> None:
    scene = model_of()
    here = circumstances(scene, "auto")
    assert remembered(here) is None
    remember(here, "onnx")
    remember(circumstances(scene, "cpu"), "torch")
    assert remembered(here) == "onnx"
    assert remembered(circumstances(scene, "cpu")) == "torch"
    assert remembered(circumstances(model_of(settings=settings_of("encoder.code_dim=4")), "auto")) is None
    assert [path.name for path in cache.iterdir()] == ["runtimes.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"here": 3}'])
def test_a_damaged_memory_is_none(cache: Path, content: str) -> None:
    cache.mkdir()
    (cache / "runtimes.json").write_text(content)
    assert remembered("here") is None
    remember("here", "torch")
    assert remembered("here") == "torch"


def test_where_nothing_can_be_kept_nothing_fails(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    remember("here", "torch")
    assert remembered("here") is None
