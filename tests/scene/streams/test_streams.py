"""A stream is one file and one line: a made-up one is learned, kept, scored and told without anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pytest

import crowdad
from crowdad.config import Settings
from crowdad.records import Event, OpenEvent, Tubes
from crowdad.scene.calibration import Calibration
from crowdad.scene.heatmap import StepMap, voter_of
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import STREAMS, Lesson, MapStream, Motion, Step, Told
from crowdad.sources import open_source
from crowdad.tubes.scale import SceneScale
from tests.conftest import TinyCamera


@dataclass(eq=False)
class Brightness(MapStream):
    """One number for the whole picture: how much brighter it is than all that was learned from."""

    brightest: float

    name: ClassVar[str] = "brightness"
    kinds: ClassVar[tuple[str, ...]] = ("bright",)
    looks: ClassVar[bool] = True

    @classmethod
    def learner(cls, scale: SceneScale, settings: Settings) -> BrightnessLearner:
        return BrightnessLearner()

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"brightest": np.float32(self.brightest)[None]}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], settings: Settings) -> Self:
        return cls(float(arrays["brightest"][0]))

    def run(self, scale: SceneScale, settings: Settings, lag: int | None) -> BrightnessRun:
        voter = voter_of(scale, settings, lag)
        return BrightnessRun(self.brightest, voter.shape, voter.lag)

    def level(self, calibration: Calibration, settings: Settings) -> float:
        return 20.0

    def told(self, event: Event | OpenEvent, scale: SceneScale) -> Told:
        return Told("bright", "is brighter than it ever was")


class BrightnessLearner:
    def __init__(self) -> None:
        self._seen: list[float] = []

    def see(self, step: Step) -> None:
        assert step.luma is not None
        self._seen.append(float(step.luma.mean()))

    def teach(self, tubes: Tubes) -> None:
        pass

    def learned(self, lesson: Lesson) -> Brightness | None:
        return Brightness(max(self._seen)) if len(self._seen) > 10 else None


class BrightnessRun:
    def __init__(self, brightest: float, shape: tuple[int, int], lag: int) -> None:
        self._brightest, self._shape, self._lag = brightest, shape, lag
        self.reset()

    def reset(self) -> None:
        self._waiting: list[StepMap] = []

    def push(self, steps: Sequence[Step]) -> Iterator[StepMap]:
        for step in steps:
            assert step.luma is not None
            over = max(float(step.luma.mean()) - self._brightest, 0.0)
            self._waiting.append(StepMap(np.full(self._shape, over, np.float32), 1.0, 0))
            if len(self._waiting) > self._lag:
                yield self._waiting.pop(0)

    def finish(self) -> Iterator[StepMap]:
        yield from self._waiting
        self.reset()


@pytest.fixture(scope="module")
def scene(tiny_camera: TinyCamera) -> Iterator[SceneModel]:
    """Fitted while the stream was among the known ones, as it is now."""
    known = dict(STREAMS)
    try:
        STREAMS.clear()
        STREAMS.update({Motion.name: Motion, Brightness.name: Brightness})
        yield crowdad.fit(tiny_camera.normal, settings=tiny_camera.settings, end_s=8)
    finally:  # in the order that other processes have, too
        STREAMS.clear()
        STREAMS.update(known)


def pictures(tiny_camera: TinyCamera, brighter: int) -> list[npt.NDArray[np.uint8]]:
    """Normal footage, its second half so many grey levels brighter."""
    found = [frame.luma for frame in open_source(tiny_camera.normal).frames()][:80]
    return [np.clip(luma.astype(int) + brighter * (i >= 40), 0, 255).astype(np.uint8) for i, luma in enumerate(found)]


def test_a_stream_is_learned_beside_motion_and_kept_under_its_name(scene: SceneModel, tmp_path: Path) -> None:
    assert list(scene.streams) == ["motion", "brightness"]
    again = SceneModel.load(scene.save(tmp_path / "bright.safetensors"))
    kept = again.streams["brightness"]
    assert isinstance(kept, Brightness)
    assert kept.brightest == pytest.approx(scene.streams["brightness"].brightest)  # type: ignore[attr-defined]


def test_what_a_stream_sees_reads_half_at_its_level(scene: SceneModel, tiny_camera: TinyCamera) -> None:
    def anomaly(brighter: int) -> npt.NDArray[np.float64]:
        return np.array([r.anomaly for r in crowdad.score(pictures(tiny_camera, brighter), scene, fps=10)])

    usual, bright = anomaly(0), anomaly(30)
    assert np.array_equal(usual[:20], bright[:20])
    over = 30 - (scene.streams["brightness"].brightest - pictures(tiny_camera, 0)[70].mean())  # type: ignore[attr-defined]
    assert bright[70] == pytest.approx(over**2 / (over**2 + 20**2), abs=0.03)
    assert bright[70] > 0.5 > usual[70]


def test_an_event_is_told_by_the_stream_that_raised_it(
    scene: SceneModel, tiny_camera: TinyCamera, tmp_path: Path
) -> None:
    footage = np.stack(pictures(tiny_camera, 60))
    (event,) = crowdad.events(crowdad.score(footage, scene, fps=10), scene)
    assert (event.stream, event.kind, event.sentence) == (1, "bright", "is brighter than it ever was")
    results = crowdad.detect(footage, model=scene, fps=10, output=tmp_path / "run", overlay=False, report=False)
    assert [(one.kind, one.sentence) for one in results.events] == [(event.kind, event.sentence)]


def test_motion_alone_scores_as_before(scene: SceneModel, tiny_camera: TinyCamera) -> None:
    motion = replace(scene, streams={"motion": scene.motion})
    alone = [result.anomaly for result in crowdad.score(tiny_camera.unusual, motion)]
    beside = [result.anomaly for result in crowdad.score(tiny_camera.unusual, scene)]
    assert beside == alone


def test_of_another_view_nothing_is_said_of_places(
    scene: SceneModel, tiny_camera: TinyCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def anomaly(*, elsewhere: bool) -> list[float]:
        detector = crowdad.Detector(scene)
        detector.elsewhere = elsewhere
        frames = [crowdad.Frame(i, i / 10, picture) for i, picture in enumerate(pictures(tiny_camera, 60))]
        return [result.anomaly for result in detector.run(frames)]

    assert max(anomaly(elsewhere=True)) > 0.5  # brightness knows no places
    monkeypatch.setattr(Brightness, "of_place", True)
    assert max(anomaly(elsewhere=True)) < 0.5 < max(anomaly(elsewhere=False))


def test_kinds_that_are_not_wanted_are_not_told(scene: SceneModel, tiny_camera: TinyCamera) -> None:
    results = list(crowdad.score(np.stack(pictures(tiny_camera, 60)), scene, fps=10))

    def told(**kinds: tuple[str, ...]) -> list[str]:
        chosen = scene.settings.model_copy(update={"events": scene.settings.events.model_copy(update=kinds)})
        return [event.kind for event in crowdad.events(results, replace(scene, settings=chosen))]

    assert told() == told(kinds=("bright", "fast")) == told(not_kinds=("fast",)) == ["bright"]
    assert told(kinds=("fast",)) == told(not_kinds=("bright",)) == []
