"""Fitting a scene on drawn walkers: what is learnt, what is kept apart, and what is told where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from crowdad.config import Settings
from crowdad.detection.detector import Detector
from crowdad.errors import FitError, TooLittleMotionError
from crowdad.scene.encoders.fitting import fit_autoencoder
from crowdad.scene.fitting import _standard, fit_scene
from crowdad.scene.model import SceneModel
from crowdad.scene.sampling import measure_people
from crowdad.sources import ArraySource
from crowdad.tubes.patches import Span
from crowdad.tubes.scale import GivenHeights
from tests.tiny_scene import frames_of, settings_of, texture, walkers

FAST = (
    "encoder.epochs=1",
    "encoder.max_tubes=1500",
    "normality.clusters=6",
    "normality.clusters_unlabelled=6",
    "normality.keep_mass=0.6",
    "scale.bursts=32",
    "tubes.spacing=0.3",
)
SIZE_HW = (180, 160)
COUNT = 120


def settings_fast(*more: str) -> Settings:
    return settings_of(*FAST, *more)


def source(pictures: npt.NDArray[np.uint8], fps: float = 10.0) -> ArraySource:
    return ArraySource(pictures, fps)


@pytest.fixture(scope="module")
def footage() -> npt.NDArray[np.uint8]:
    return walkers(COUNT, speeds=(3, -3, 2.6), size_hw=SIZE_HW)


@pytest.fixture(scope="module")
def told() -> list[tuple[str, float]]:
    return []


@pytest.fixture(scope="module")
def scene(footage, told) -> SceneModel:
    return fit_scene([source(footage)], settings_fast(), progress=lambda what, share: told.append((what, share)))


def test_size_and_speed_are_those_that_were_drawn(scene):
    assert float(scene.scale.person_px(80, 90)) == pytest.approx(40, rel=0.1)
    assert scene.scale.walk == pytest.approx(3 / 40, rel=0.2)
    assert scene.scale.size_hw == SIZE_HW


def test_people_are_read_from_as_many_figures_where_the_length_is_not_known(footage, scene):
    streamed = measure_people([ArraySource(lambda: iter(footage), 10.0)], settings_fast(), lambda *_: None)
    assert streamed.figures >= scene.scale.figures / 2


def test_a_fitted_scene_is_whole(scene, tmp_path):
    assert scene.motion.centres.shape == (6, 9)
    np.testing.assert_allclose(np.linalg.norm(scene.motion.centres, axis=1), 1, atol=1e-5)
    assert scene.motion.shares.sum() == pytest.approx(1)
    assert scene.motion.thumbnails.shape == (6, 36, 24)
    assert np.median(scene.motion.thumbnails.std(axis=(1, 2))) > 1
    assert (np.diff(scene.motion.tube_normality) >= 0).all()
    assert scene.motion.tube_normality[50] > 0.8  # what is common is near a centre
    assert scene.activity is not None
    assert scene.activity.astype(float).sum() == pytest.approx(scene.provenance["tubes"] / (COUNT - 5), rel=0.1)
    assert scene.calibration.learned_hours == pytest.approx(COUNT / 10 / 3600, rel=0.02)
    assert 0.5 < scene.calibration.hours / scene.calibration.learned_hours <= 1
    assert not scene.calibration.is_sampled
    assert scene.calibration.threshold(1.0) > 0
    assert scene.provenance["how"] == "one-class"
    assert scene.provenance["frames"] == COUNT
    assert len(scene.provenance["losses"]) == 1
    again = SceneModel.load(scene.save(tmp_path / "scene"))
    assert np.array_equal(again.motion.centres, scene.motion.centres)


def test_one_seed_gives_one_scene_to_the_last_bit(scene, footage):
    again = fit_scene([source(footage)], settings_fast())
    assert all(np.array_equal(again.motion.weights[name], scene.motion.weights[name]) for name in scene.motion.weights)
    for name in ("centres", "shares", "mean", "spread", "tube_normality", "thumbnails"):
        assert np.array_equal(getattr(again.motion, name), getattr(scene.motion, name)), name
    assert (again.scale, again.calibration, again.provenance) == (scene.scale, scene.calibration, scene.provenance)


def test_unlabelled_footage_keeps_fewer_centres_and_another_seed_differs(scene, footage):
    many_peaks = ("calibration.block_steps=2", "calibration.block_cells=2")
    unlabelled = fit_scene([source(footage)], settings_fast("seed=1", *many_peaks), unlabelled=True)
    assert 1 <= len(unlabelled.motion.centres) < 6
    assert unlabelled.motion.shares.sum() == pytest.approx(1)
    assert len(unlabelled.motion.thumbnails) == len(unlabelled.motion.centres)
    assert unlabelled.provenance["how"] == "unlabelled"
    assert unlabelled.calibration.how == "Gumbel distribution of the lower peaks"
    assert not np.array_equal(unlabelled.motion.weights["trunk.0.weight"], scene.motion.weights["trunk.0.weight"])


def test_batch_normalised_codes_survive_a_last_batch_of_one(footage):
    odd = settings_fast("encoder.code_norm=batch", "encoder.batch=8", "encoder.max_tubes=257")
    assert len(fit_scene([source(footage[:120])], odd).motion.centres) == 6


def test_learning_is_in_full_precision_also_where_tubes_are_shorter_than_the_kernel(footage, monkeypatch):
    plans = []

    def noted(model, samples, plan, **options):
        plans.append(plan)
        return fit_autoencoder(model, samples, plan, **options)

    monkeypatch.setattr("crowdad.scene.fitting.fit_autoencoder", noted)
    fit_scene([source(footage[:100])], settings_fast("tubes.steps=2", "encoder.temporal_kernel=5"))
    assert [plan.bf16 for plan in plans] == [False]


def tiny_fit() -> list[float]:
    """What was learned of 80 frames, in a few numbers."""
    scene = fit_scene([source(walkers(80, speeds=(3, -3, 2.6), size_hw=SIZE_HW))], settings_fast())
    return [scene.provenance["losses"][0], scene.calibration.threshold(1.0), *scene.motion.tube_normality[::10]]


def test_a_fit_hardly_depends_on_the_instructions_that_the_processor_has():
    done = subprocess.run(
        [sys.executable, "-c", "from tests.scene.test_fitting import tiny_fit; print(*tiny_fit())"],
        env={**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert [float(number) for number in done.stdout.split()] == pytest.approx(tiny_fit(), rel=1e-4)


def test_progress_rises_to_the_end_of_every_stage(scene, told):
    stages: dict[str, list[float]] = {}
    for what, share in told:
        stages.setdefault(what.split(",")[0], []).append(share)
    assert list(stages) == ["measuring people", "following people", "learning", "finding what is common"]
    for shares in stages.values():
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] == 1


def test_who_runs_is_less_normal_than_who_walks(scene):
    pictures = walkers(60, speeds=(3, -3, 9), size_hw=SIZE_HW)
    results = list(Detector(scene).run(frames_of(pictures)))[10:-10]
    lanes = np.array_split(np.median([result.heatmap.anomaly for result in results], axis=0), 3)
    walking, walking_too, running = (float(lane.max()) for lane in lanes)
    assert running > max(walking, walking_too)


def test_a_still_scene_says_that_nobody_moves():
    still = np.repeat(texture(SIZE_HW, 1)[None], 60, axis=0)
    with pytest.raises(TooLittleMotionError, match="hardly anybody moves"):
        fit_scene([source(still)], settings_fast())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_frames_say_that_more_are_needed(count):
    with pytest.raises(FitError, match="give"):
        fit_scene([source(walkers(count, size_hw=SIZE_HW))], settings_fast())


def test_few_tubes_have_few_centres(footage):
    scene = fit_scene([source(footage)], settings_fast("normality.clusters=5000"))
    assert 1 < len(scene.motion.centres) <= scene.provenance["tubes"] // 8


def test_hardly_any_tube_is_one_clear_line(footage):
    still = np.repeat(footage[:1], 60, axis=0)
    with pytest.raises(TooLittleMotionError, match=r"0 .* 60 frames, .* 8") as told:
        fit_scene([source(still)], settings_fast(), heights=GivenHeights.of(40))
    assert "\n" not in str(told.value)


def test_no_footage_and_footage_of_two_sizes_are_refused(footage):
    with pytest.raises(FitError, match="no footage"):
        fit_scene([], settings_fast())
    with pytest.raises(FitError, match=r"160x180, 128x96|128x96, 160x180"):
        fit_scene([source(footage), source(walkers(4))], settings_fast())


def test_features_are_standardised_by_median_and_quartiles():
    rng = np.random.default_rng(0)
    features = rng.normal([[1.0], [2.0], [5.0]], [[0.5], [1.0], [2.0]], (4000, 3, 1)).astype(np.float32)
    features = np.broadcast_to(features[..., None, None], (4000, 3, 2, 5, 3)).copy()
    features[:100] = 1000  # a few anomalies change little
    mean, spread = _standard(features)
    assert mean.shape == spread.shape == (3, 1, 5, 1)
    np.testing.assert_allclose(mean[:, 0, 0, 0], [1, 2, 5], rtol=0.1)
    np.testing.assert_allclose(spread[:, 0, 0, 0], [0.5, 1, 2], rtol=0.1)
    assert (_standard(np.zeros((10, 3, 2, 5, 3), np.float32))[1] > 0).all()


def test_what_is_called_normal_gets_centres_of_its_own(scene, footage):
    runner = walkers(60, speeds=(3, -9, 2.6), size_hw=SIZE_HW)
    lane = Span(1.0, 5.0, ((1.0, 0.0, 60.0, 160.0, 120.0),))
    taught = fit_scene([source(footage)], settings_fast(), also_normal=[(source(runner), lane)])
    known = taught.provenance["also_normal"]
    assert known["spans"] == 1
    assert len(taught.motion.centres) == len(scene.motion.centres) + known["centres"] > len(scene.motion.centres)
    assert np.array_equal(taught.motion.centres[: len(scene.motion.centres)], scene.motion.centres)
    assert taught.calibration == scene.calibration
    assert taught.motion.shares.sum() == pytest.approx(1)
    assert len(taught.motion.thumbnails) == len(taught.motion.centres)
    before, after = (peak_of(model, runner) for model in (scene, taught))
    assert after < 0.7 * before
    assert peak_of(taught, footage[:60]) <= peak_of(scene, footage[:60]) + 1e-6


def peak_of(scene: SceneModel, pictures: npt.NDArray[np.uint8]) -> float:
    """Largest anomaly in some frames."""
    return max(result.anomaly for result in Detector(scene).run(frames_of(pictures)))


def test_a_stretch_without_motion_cannot_be_called_normal(footage):
    nowhere = Span(1.0, 5.0, ((1.0, 0.0, 0.0, 2.0, 2.0),))
    with pytest.raises(FitError, match="called normal"):
        fit_scene([source(footage)], settings_fast(), also_normal=[(source(footage[:60]), nowhere)])
