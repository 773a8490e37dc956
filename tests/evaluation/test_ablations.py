"""Ablations: every row runs, and each exchanged score ranks tubes as it says and keeps the scale of the default's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from crowdad.config import load_settings
from crowdad.errors import ConfigError, DatasetNotFoundError
from crowdad.evaluation.ablations import (
    ABLATIONS,
    AblationOutcome,
    ablation_table,
    ablations,
)
from crowdad.scene.encoders.conv3d import Conv3dAutoEncoder
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import Motion
from crowdad.sources import open_source
from crowdad.tubes.patches import Extractor
from crowdad.workflows import fit, score
from tests.conftest import TINY_SETTINGS, TinyCamera
from tests.tiny_ucsd import write_tiny_ped2

Array = npt.NDArray[np.float32]
EXCHANGED = [name for name, row in ABLATIONS.items() if row.scored_by is not None]


def tubes_of(scene: SceneModel, footage: Path) -> Array:
    extractor = Extractor(scene.scale, scene.settings)
    steps = [f for number, f in enumerate(open_source(footage).frames()) if number % scene.scale.gap == 0]
    found = [tubes.features for tubes in map(extractor.push, (frame.luma for frame in steps)) if tubes is not None]
    return np.concatenate(found)[:1500]


def network_of(motion: Motion) -> Conv3dAutoEncoder:
    network = Conv3dAutoEncoder.from_settings(motion.settings.encoder, motion.settings.tubes)
    network.load_state_dict({name: torch.as_tensor(array) for name, array in motion.weights.items()})
    return network.eval()


@dataclass(frozen=True, eq=False)
class Bench:
    """Two scenes of one camera, with a code of length 1 and with a plain one, and their fitting tubes."""

    scenes: dict[tuple[str, ...], SceneModel]
    features: Array

    def exchanged(self, name: str) -> Motion:
        row = ABLATIONS[name]
        assert row.scored_by is not None
        return row.scored_by.learned(self.scenes[row.overrides].motion, self.features)


@pytest.fixture(scope="module")
def bench(tiny_camera: TinyCamera) -> Bench:
    plain = ("encoder.code_norm=none",)
    other = fit(tiny_camera.normal, settings=load_settings(overrides=plain, base=tiny_camera.settings), end_s=8)
    return Bench({(): tiny_camera.scene, plain: other}, tubes_of(tiny_camera.scene, tiny_camera.normal))


@pytest.mark.parametrize("name", EXCHANGED)
def test_an_exchanged_score_finds_motion_odd_that_no_body_makes(name: str, bench: Bench) -> None:
    motion = bench.exchanged(name)
    normal = motion.normality(bench.features)
    noise = np.random.default_rng(0).normal(size=bench.features.shape).astype(np.float32)
    odd = motion.normality(motion.mean + 6 * motion.spread * noise)
    assert normal.dtype == np.float32
    assert normal.shape == (len(bench.features),)
    assert -1 <= min(odd.min(), normal.min()) <= max(odd.max(), normal.max()) <= 1
    assert np.mean(odd[:, None] < normal[None]) > 0.55, "the area under the ROC of odd tubes among normal ones"
    assert motion.normality(bench.features[:0]).shape == (0,)


@pytest.mark.parametrize("name", [n for n in EXCHANGED if not ABLATIONS[n].scored_by.is_cosine])  # type: ignore[union-attr]
def test_a_score_that_is_no_cosine_is_laid_on_the_cosines_scale(name: str, bench: Bench) -> None:
    base = bench.scenes[ABLATIONS[name].overrides].motion.normality(bench.features)
    found = bench.exchanged(name).normality(bench.features)
    assert np.percentile(found, (1, 50)) == pytest.approx(np.percentile(base, (1, 50)), abs=1e-4)
    assert not np.allclose(found, base, atol=0.01), "another score"


def test_reconstruction_is_worked_out_by_hand(bench: Bench) -> None:
    motion, exchanged = bench.scenes[()].motion, bench.exchanged("reconstruction error")
    tube = torch.from_numpy((bench.features[:300] - motion.mean) / motion.spread)
    with torch.inference_mode():
        errors = (network_of(motion)(tube) - tube.mean(dim=2)).square().mean(dim=(1, 2, 3)).numpy()
    found = exchanged.normality(bench.features[:300])
    inside = np.abs(found) < 1
    slope, offset = np.polyfit(errors[inside], found[inside], 1)
    assert slope < 0
    assert found[inside] == pytest.approx(slope * errors[inside] + offset, abs=1e-4)


def test_neighbours_are_a_mean_cosine(bench: Bench) -> None:
    exchanged = bench.exchanged("nearest neighbours")
    codes = exchanged.codes(bench.features)
    closest = np.sort(codes @ codes.T, axis=1)[:, -5:]  # fewer than 10,000: all are kept
    assert exchanged.normality(bench.features) == pytest.approx(closest.mean(axis=1), abs=1e-4)


@pytest.mark.parametrize("name", ["never normalised", "no auto-encoder but distance"])
def test_distances_are_measured_where_nothing_was_normalised(name: str, bench: Bench) -> None:
    exchanged = bench.exchanged(name)
    tubes = torch.from_numpy((bench.features[:200] - exchanged.mean) / exchanged.spread)
    with torch.inference_mode():
        rows = (network_of(exchanged).encode(tubes) if name == "never normalised" else tubes.flatten(1)).numpy()
    assert np.ptp(np.linalg.norm(rows, axis=1)) > 0.1, "of unlike lengths"
    centres = exchanged.learnt  # type: ignore[attr-defined]
    nearest = np.linalg.norm(rows[:, None] - centres[None], axis=2).min(axis=1)
    found = exchanged.normality(bench.features[:200])
    inside = np.abs(found) < 1
    assert np.corrcoef(nearest[inside], found[inside])[0, 1] == pytest.approx(-1, abs=1e-4)


def test_an_exchanged_scene_scores_footage_of_another_size(bench: Bench) -> None:
    exchanged = bench.exchanged("Gaussian mixture")
    scene = bench.scenes[()].with_stream(exchanged)
    height, width = scene.scale.size_hw
    assert scene.fitted_to((2 * height, 2 * width), scene.scale.fps).motion is exchanged


def test_without_votes_a_frame_is_as_odd_as_its_oddest_tube(bench: Bench, tiny_camera: TinyCamera) -> None:
    scene = tiny_camera.scene.with_stream(bench.exchanged("no votes"))
    results = list(score(tiny_camera.unusual, scene, runtime="torch", end_s=5))
    assert len(results) == 50
    for result in results:
        assert np.ptp(result.heatmap.anomaly) == 0, "over the whole picture"
    # A step's frame: readable(1 - normality) at the scene's threshold.
    calibration, wanted = tiny_camera.scene.calibration, tiny_camera.settings.calibration.false_alarms_per_hour
    threshold = calibration.threshold(wanted)
    gap = tiny_camera.scene.scale.gap
    for result in results[2 * gap :: gap]:
        raw = 1 - result.normality
        assert result.anomaly == pytest.approx(raw**2 / (raw**2 + threshold**2), abs=1e-4)


def test_rows_run_on_a_camera_in_ped2s_layout(tmp_path: Path) -> None:
    root = write_tiny_ped2(tmp_path, duration_s=5)
    settings = load_settings(
        overrides=(*TINY_SETTINGS, "encoder.epochs=1", "encoder.max_tubes=800", "tubes.spacing=0.6")
    )
    rows = ("default", "grid patches", "nearest neighbours", "no votes")
    stages: list[str] = []
    outcomes = list(
        ablations(
            root,
            rows=rows,
            seeds=[0],
            settings=settings,
            resamples=20,
            progress=lambda stage: stages.append(stage.what),
        )
    )
    assert [outcome.name for outcome in outcomes] == list(rows)
    by_name = {outcome.name: {metric.name: metric for metric in outcome.metrics} for outcome in outcomes}
    micro = {name: metrics["frame AUC, micro"].mean for name, metrics in by_name.items()}
    measured = {tuple(metric.mean for metric in outcome.metrics) for outcome in outcomes}
    assert len(measured) == len(rows), "every row is another measurement"
    assert "RBDC" in by_name["default"]
    assert "RBDC" not in by_name["no votes"], "its maps do not tell where"
    told = outcomes[1].as_dict()
    assert told["overrides"] == ["tubes.kind=grid"]
    assert told["metrics"]["frame AUC, micro"]["mean"] == micro["grid patches"]
    fitted = {what.partition(":")[0] for what in stages}
    assert fitted == {"default (seed 0)", "grid patches (seed 0)"}, "a score alone: no fit"
    table = ablation_table(outcomes)
    assert f"{micro['grid patches']:.4f}" in table
    assert len(table.splitlines()) == len(rows) + 1


def test_unknown_rows_and_missing_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'magic'.* default"):
        list(ablations(tmp_path, rows=["magic"]))
    with pytest.raises(DatasetNotFoundError):
        list(ablations(tmp_path))


def test_every_row_is_a_setting_that_exists() -> None:
    for name, row in ABLATIONS.items():
        changed = load_settings(overrides=row.overrides)
        assert (changed != load_settings()) == bool(row.overrides), name
    assert row.what


def test_an_empty_table_has_a_head() -> None:
    assert ablation_table(list[AblationOutcome]()).count("\n") == 0
