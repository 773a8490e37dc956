"""From scores and truth to metrics, on hand-made scores and on a small camera in UCSD's layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crowdad.cli import main
from crowdad.datasets.root import data_root
from crowdad.datasets.ucsd import find_clips
from crowdad.datasets.variants import vary
from crowdad.errors import ConfigError, DataError, DatasetNotFoundError
from crowdad.evaluation import ClipScores, Metric, measure, metric_table, provenance, score_clip
from crowdad.evaluation_ped2 import PROTOCOLS, benchmark_ucsd
from crowdad.workflows import fit
from tests.conftest import TINY_SETTINGS, TinyCamera
from tests.tiny_ucsd import write_tiny_ped2


def clip(name: str, anomaly: list[float], labels: list[int]) -> ClipScores:
    """A clip whose map has one hot cell of two: the left one, where the truth is too."""
    maps = np.zeros((len(anomaly), 1, 2), np.float32)
    maps[:, 0, 0] = anomaly
    masks = np.zeros((len(anomaly), 8, 16), np.bool_)
    masks[np.array(labels, bool), :, :8] = True
    return ClipScores(name, np.array(anomaly, np.float32), maps, 8.0, np.array(labels, bool), masks, 1.0)


def by_name(metrics: list[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def test_metrics_of_scores_that_are_right() -> None:
    run = [clip("a", [0.1, 0.9, 0.8, 0.2], [0, 1, 1, 0]), clip("b", [0.1, 0.3], [0, 0])]
    found = by_name(measure([run], resamples=50))
    for name in ("frame AUC, micro", "frame AUC, macro", "pixel AUC, 40 % rule", "RBDC", "TBDC", "average precision"):
        assert found[name].mean == pytest.approx(1.0), name
    assert found["EER"].mean == pytest.approx(0.0)
    assert found["frame AUC, macro"].note.endswith("b")
    assert found["average precision"].note == "chance reaches 0.333"
    # Stretching clip b to [0, 1] lifts its 0.3 to 1: one of eight pairs is tied, one lost.
    assert found["frame AUC, micro, clip min-max"].mean == pytest.approx((8 - 1 - 0.5) / 8)


def test_seeds_are_averaged_and_spread() -> None:
    right, wrong = clip("a", [0.1, 0.9], [0, 1]), clip("a", [0.9, 0.1], [0, 1])
    micro = by_name(measure([[right], [wrong]], resamples=10))["frame AUC, micro"]
    assert micro.per_seed == (1.0, 0.0)
    assert (micro.mean, micro.spread) == (0.5, pytest.approx(np.sqrt(0.5)))
    assert (micro.low, micro.high) == (0.5, 0.5)
    assert "0.5000" in metric_table([micro])


def test_without_masks_only_frames_are_measured() -> None:
    without = ClipScores("a", np.array([0.1, 0.9]), np.zeros((2, 1, 1)), 8.0, np.array([False, True]), None, 1.0)
    assert "RBDC" not in by_name(measure([[without]], resamples=0))


def test_truth_of_another_length_is_refused(tiny_camera: TinyCamera) -> None:
    from crowdad.sources import open_source

    source = open_source(tiny_camera.unusual, end_s=3.0)
    with pytest.raises(DataError, match="30 frames could be read, ground truth of 29"):
        score_clip(tiny_camera.scene, source, np.zeros(29, bool), None)


@pytest.fixture(scope="module")
def tiny_ped2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a generated camera where Ped2 would be: two training clips, two test clips with masks."""
    return write_tiny_ped2(tmp_path_factory.mktemp("data"))


def test_the_benchmark_prints_and_writes(tiny_ped2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "results" / "ped2.json"
    settings = [word for item in TINY_SETTINGS for word in ("--set", item)]
    command = [
        "benchmark",
        "ped2",
        "--data",
        str(tiny_ped2),
        "--seeds",
        "1",
        "--all",
        "--json",
        str(written),
        *settings,
    ]
    with pytest.raises(SystemExit) as leaving:
        main(command)
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    for text in ("one-class:", "unsupervised:", "alone:", "test-informed settings", "looks at test labels", "± seeds"):
        assert text in shown
    content = json.loads(written.read_text())
    assert set(content["outcomes"]) == set(PROTOCOLS)
    assert content["seeds"] == [0]
    assert content["settings"]["encoder"]["epochs"] == 2
    assert content["machine"]["cores"] >= 1
    micro = content["outcomes"]["one-class"]["metrics"]["frame AUC, micro"]
    assert 0 <= micro["low"] <= micro["mean"] <= micro["high"] <= 1
    assert content["outcomes"]["unsupervised"]["fps"][0] > 0


def test_unknown_protocols_and_data(tiny_ped2: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose among one-class"):
        benchmark_ucsd("both", tiny_ped2)
    with pytest.raises(DatasetNotFoundError):
        benchmark_ucsd("one-class", tmp_path)


def test_where_a_number_comes_from() -> None:
    known = provenance(["crowdad", "benchmark", "ped2"])
    assert known["command"] == "crowdad benchmark ped2"
    assert known["commit"] is None or len(known["commit"].rstrip("+")) == 40
    assert {"python", "torch", "crowdad"} <= set(known["versions"])


def test_ped2_is_understood() -> None:
    """Real footage: four training clips and small networks are enough to tell carts and bicycles from walkers."""
    try:
        dataset = find_clips("ped2", data_root())
    except DatasetNotFoundError as error:
        pytest.skip(f"UCSD Ped2 is not at hand, set CROWDAD_DATA: {error}")
    from crowdad.config import load_settings

    settings = load_settings(overrides=["encoder.max_tubes=12000", "encoder.epochs=4", "normality.clusters=96"])
    learned = [vary(clip).source for clip in dataset.train[:4]]
    scene = fit(learned, settings=settings)
    tests = [vary(dataset.test[place]) for place in (0, 2, 11)]
    run = [score_clip(scene, test.source, test.labels, test.masks) for test in tests]
    found = by_name(measure([run], resamples=0))
    assert found["frame AUC, micro"].mean > 0.85
    assert found["pixel AUC, 40 % rule"].mean > 0.8
