"""Why an event was flagged: the least normal patch at its peak, and its nearest normal ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdad.detection.detector import Detector
from crowdad.detection.events import find_events
from crowdad.records import Event
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import RUNTIMES
from crowdad.sources import open_source
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.explaining import reasons_for
from crowdad.workflows.run_records import Run
from tests.conftest import TinyCamera


@pytest.fixture(scope="module")
def run(tiny_camera: TinyCamera) -> Run:
    source = open_source(tiny_camera.unusual)
    detector = Detector(tiny_camera.scene, threshold_raw=0.02)
    options = DetectOptions(threshold=0.02)
    return Run(tiny_camera.unusual, source, options, tiny_camera.scene, detector, "torch")


@pytest.fixture(scope="module")
def strongest(run: Run) -> Event:
    events = find_events(run.detector.run(run.source.frames()), run.source.fps)
    return max(events, key=lambda event: event.peak_anomaly)


def test_the_flagged_patch_stands_beside_the_normal_ones_most_like_it(run: Run, strongest: Event) -> None:
    reason = reasons_for(run, [strongest])[strongest.event_id]
    assert -1 <= reason.normality <= 1
    similarities = [similarity for similarity, *_ in reason.nearest]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(reason.normality), "normality is the similarity to the nearest"
    assert reason.patch.shape == (36, 24)
    assert reason.patch.std() > 1
    assert reason.motion.shape == (5, 5, 3)
    assert reason.motion.max() > 0
    for _, share, picture, motion in reason.nearest:
        assert 0 < share <= 1
        place = [np.array_equal(picture, known) for known in run.scene.motion.thumbnails].index(True)
        assert run.scene.motion.motions is not None
        assert np.array_equal(motion, run.scene.motion.motions[place])


def test_only_the_box_at_the_peak_is_looked_at(run: Run, strongest: Event) -> None:
    nowhere = replace(strongest, box_xyxy=(0.0, 0.0, 1.0, 1.0))
    assert reasons_for(run, [nowhere]) == {}


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_graph_tells_the_same_reasons_as_torch(name: str, run: Run, strongest: Event) -> None:
    graph = RUNTIMES[name](run.scene.motion)
    by_graph = replace(run, detector=Detector(run.scene, threshold_raw=0.02, runtime=graph))
    found, known = (reasons_for(one, [strongest])[strongest.event_id] for one in (by_graph, run))
    assert found.normality == pytest.approx(known.normality, abs=1e-4)
    assert np.array_equal(found.patch, known.patch)
    for one, other in zip(found.nearest, known.nearest, strict=True):
        assert one[0] == pytest.approx(other[0], abs=1e-4)
        assert np.array_equal(one[2], other[2])


def test_a_model_from_before_motion_was_kept_explains_by_subjects(run: Run, strongest: Event, tmp_path: Path) -> None:
    bare = run.scene.with_stream(replace(run.scene.motion, motions=None))
    scene = SceneModel.load(bare.save(tmp_path / "old.safetensors"))
    assert scene.motion.motions is None
    reason = reasons_for(replace(run, scene=scene), [strongest])[strongest.event_id]
    assert [motion for *_, motion in reason.nearest] == [None] * 3


def test_the_page_of_a_run_says_why(tiny_camera: TinyCamera, tmp_path: Path) -> None:
    import crowdad

    crowdad.detect(
        tiny_camera.unusual, model=tiny_camera.model, output=tmp_path, threshold=0.05, overlay=False, end_s=6
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(re.findall("<summary>What is normal here</summary>", page)) == len(re.findall('class="event"', page)) > 0
