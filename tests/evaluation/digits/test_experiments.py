"""The digit experiments on drawn stripes: ten classes that a tiny run can already tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from crowdad.evaluation.datasets.digits import Digits
from crowdad.evaluation.digits.experiments import (
    ANOMALY_NETWORKS,
    CLUSTERING_METHODS,
    DigitRow,
    anomaly_aucs,
    anomaly_aucs_of_codes,
    anomaly_split,
    cluster_codes,
    confusion,
    digit_metrics,
    digit_tensor,
    evaluate_clustering,
    headline_rows,
    mean_auc,
    train_digits,
)
from crowdad.evaluation.digits.settings import DigitSettings, load_digit_settings
from tests.striped_digits import striped_digits


def quick_settings(*more: str) -> DigitSettings:
    return load_digit_settings(
        None,
        [
            "learning.batch_size=32",
            "clustering.conv_epochs=4",
            "clustering.dense_epochs=2",
            "clustering.restarts=3",
            "clustering.looks=2",
            "anomaly.epochs=2",
            "anomaly.restarts=2",
            "anomaly.digits=[0, 9]",
            *more,
        ],
    )


DIGITS = striped_digits(24, 8, "stripes")


def test_pictures_become_tensors_between_0_and_1():
    assert digit_tensor(DIGITS.pictures, "conv").shape == (320, 1, 16, 16)
    flat = digit_tensor(DIGITS.pictures, "dense")
    assert flat.shape == (320, 256)
    assert float(flat.max()) == pytest.approx(230 / 255)


def test_the_same_seed_draws_the_same_weights():
    pictures = digit_tensor(DIGITS.pictures, "conv")
    first, again, other = (CLUSTERING_METHODS["cae-l2"].build(pictures, seed) for seed in (1, 1, 2))
    weights = [next(model.parameters()).detach().numpy() for model in (first, again, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_a_plain_cae_is_measured_twice_and_looked_at_along_the_way():
    seen: list[tuple[str, int, int]] = []
    outcome = evaluate_clustering(
        DIGITS,
        "cae",
        quick_settings(),
        seed=3,
        device="cpu",
        progress=lambda name, epoch, epochs, _loss: seen.append((name, epoch, epochs)),
    )
    row, after = outcome.rows
    assert (row.table, row.method, after.table, after.method) == ("clustering", "cae", "normalisation", "cae-l2-after")
    assert seen == [("stripes cae seed 3", epoch, 4) for epoch in (1, 2, 3, 4)]
    assert row.history is not None
    assert [epoch for epoch, _, _ in row.history] == [2, 4]
    assert row.history[-1][2] == row.accuracy
    assert outcome.codes.shape == (320, 10)
    assert outcome.clusters.shape == (320,)
    assert "auc" not in row.as_json()
    assert row.as_json()["epochs"] == 4


@pytest.mark.parametrize(("method", "table"), [("ae-l2", "clustering"), ("cae-batchnorm", "normalisation")])
def test_each_method_lands_in_its_table(method, table):
    (row,) = evaluate_clustering(DIGITS, method, quick_settings(), seed=0, device="cpu").rows
    assert row.table == table
    assert 0.1 <= row.accuracy <= 1
    assert np.sum(row.confusion) == 320
    assert np.trace(np.array(row.confusion)) / 320 == pytest.approx(row.accuracy)


def test_a_run_repeats_itself():
    rows = [evaluate_clustering(DIGITS, "cae-l2", quick_settings(), seed=0, device="cpu").rows[0] for _ in range(2)]
    assert rows[0].loss == rows[1].loss
    assert rows[0].confusion == rows[1].confusion


def test_confusion_puts_the_matched_clusters_on_the_diagonal():
    classes = np.array([0, 0, 1, 1, 2])
    clusters = np.array([2, 2, 0, 0, 2])
    assert confusion(classes, clusters) == ((2, 0, 0), (0, 2, 0), (1, 0, 0))


def test_k_means_takes_codes_of_any_length():
    codes = np.repeat(np.eye(10, dtype=np.float32), 5, axis=0) * np.linspace(1, 1.5, 50)[:, None]
    assert len(set(cluster_codes(codes.astype(np.float32), quick_settings(), 0).labels_)) == 10


@pytest.mark.parametrize("contamination", [0.0, 0.01, 0.05])
def test_an_anomaly_split_holds_the_share_it_says(contamination):
    classes = np.tile(np.arange(10), 200)
    digits = Digits("many", np.zeros((2000, 4, 4), np.uint8), classes, 1500)
    rows = anomaly_split(digits, 7, contamination, seed=1)
    assert rows.max() < 1500
    assert len(set(rows.tolist())) == len(rows)
    assert np.mean(classes[rows] == 7) == pytest.approx(contamination, abs=5e-4)
    assert np.sum(classes[rows] != 7) == 1350
    np.testing.assert_array_equal(rows, anomaly_split(digits, 7, contamination, seed=1))


def test_anomaly_split_refuses_a_share_of_everything():
    with pytest.raises(ValueError, match="contamination"):
        anomaly_split(DIGITS, 0, 1.0, seed=0)


@pytest.mark.parametrize("network", ANOMALY_NETWORKS)
def test_both_anomaly_methods_of_a_network_get_an_auc(network):
    settings = quick_settings("anomaly.epochs=6")
    aucs = anomaly_aucs(DIGITS, 9, network, settings, seed=0, contamination=0.0, device="cpu")
    assert set(aucs) == {f"{network}-clusters", f"{network}-reconstruction"}
    assert all(0 <= auc <= 1 for auc in aucs.values())


@pytest.mark.parametrize(("contamination", "epochs"), [(0.0, 3), (0.05, 1)])
def test_clean_and_contaminated_pictures_have_their_own_epochs(contamination, epochs):
    settings = quick_settings("anomaly.epochs=3", "anomaly.contaminated_epochs=1")
    seen = []
    anomaly_aucs(
        DIGITS,
        9,
        "cae-l2",
        settings,
        seed=0,
        contamination=contamination,
        device="cpu",
        progress=lambda _name, epoch, of, _loss: seen.append((epoch, of)),
    )
    assert seen == [(epoch, epochs) for epoch in range(1, epochs + 1)]


def test_reconstruction_finds_the_odd_bar():
    settings = quick_settings("anomaly.epochs=6")
    aucs = anomaly_aucs(DIGITS, 9, "cae", settings, seed=0, contamination=0.0, device="cpu")
    assert aucs["cae-reconstruction"] > 0.7


def test_a_digit_left_out_of_the_clusters_alone_is_told_by_codes_that_know_it():
    codes = np.eye(10, dtype=np.float32)[DIGITS.classes]
    aucs = anomaly_aucs_of_codes(DIGITS, codes, quick_settings(), seed=0)
    assert set(aucs.values()) == {1.0}


def test_the_mean_waits_for_every_digit():
    assert mean_auc({"0": 0.5, "1": 1.0}, [0, 1]) == 0.75
    assert mean_auc({"0": 0.5}, [0, 1]) is None


def test_headline_rows_come_one_by_one():
    rows = []
    headline_rows(DIGITS, quick_settings("clustering.looks=1"), seeds=[0], device="cpu", on_row=rows.append)
    assert [row.method for row in rows] == [
        "cae",
        "cae-l2",
        "cae-reconstruction",
        "cae-clusters",
        "cae-l2-reconstruction",
        "cae-l2-clusters",
    ]
    assert all(row.auc_mean is not None for row in rows[2:])
    assert set(rows[2].auc) == {"0", "9"}


def test_training_keeps_to_the_settings():
    pictures = digit_tensor(DIGITS.pictures, "dense")
    model = CLUSTERING_METHODS["ae"].build(pictures, 0)
    epochs: list[int] = []
    loss = train_digits(
        model, pictures, quick_settings(), epochs=2, seed=0, on_epoch=lambda epoch, _loss: epochs.append(epoch)
    )
    assert epochs == [1, 2]
    assert 0 < loss < 1


def test_a_method_is_one_metric_over_its_seeds():
    given = {"dataset": "usps", "epochs": 1, "seconds": 1.0, "device": "cpu"}
    rows = [
        DigitRow("clustering", method="cae-l2", seed=0, accuracy=0.9, **given),
        DigitRow("clustering", method="cae-l2", seed=1, accuracy=0.7, **given),
        DigitRow("anomaly", method="cae-clusters", seed=0, auc={"4": 0.6}, auc_mean=0.6, **given),
    ]
    accuracy, auc = digit_metrics(rows)
    assert accuracy.name == "cae-l2, accuracy"
    assert accuracy.mean == pytest.approx(0.8)
    assert accuracy.per_seed == (0.9, 0.7)
    assert (auc.name, auc.per_seed) == ("cae-clusters, mean AUC", (0.6,))
