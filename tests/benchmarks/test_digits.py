"""The digit benchmark end to end on tiny drawn data, its results file, and DUAD and self-labelling in the small."""

from __future__ import annotations

import bz2
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.digits import __main__ as command
from benchmarks.digits.beyond import SelfLabels, augment
from benchmarks.digits.duad import (
    DUAD_METHODS,
    TABULAR,
    contaminated_rows,
    digit_task,
    duad_epochs,
    run_duad,
    tabular_task,
)
from benchmarks.digits.runner import EpochBar
from benchmarks.digits.store import RowStore
from crowdad.errors import DataError
from crowdad.evaluation.digits.experiments import CLUSTERING_METHODS, DigitRow
from crowdad.evaluation.digits.settings import BeyondSettings, load_digit_settings
from tests.striped_digits import striped_digits

TINY = [
    "clustering.dense_epochs=1",
    "clustering.conv_epochs=2",
    "clustering.looks=2",
    "clustering.restarts=1",
    "anomaly.epochs=1",
    "anomaly.contaminated_epochs=1",
    "anomaly.restarts=1",
    "duad.epochs_per_round=1",
    "duad.max_rounds=2",
    "duad.clusters=5",
    "beyond.epochs_augmented=1",
    "beyond.epochs_clustered=1",
    "learning.batch_size=64",
]
ONLY = "clustering,normalisation,anomaly,duad,beyond"


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """A folder with `striped_digits` in the layout of USPS."""
    digits = striped_digits()
    folder = tmp_path / "data"
    folder.mkdir()
    for name, part in (("usps.bz2", slice(None, digits.train_count)), ("usps.t.bz2", slice(digits.train_count, None))):
        lines = []
        for picture, kind in zip(digits.pictures[part], digits.classes[part], strict=True):
            values = " ".join(f"{place + 1}:{value / 127.5 - 1:.4f}" for place, value in enumerate(picture.ravel()))
            lines.append(f"{kind + 1} {values}")
        (folder / name).write_bytes(bz2.compress("\n".join(lines).encode()))
    return folder


def quick(data: Path, out: Path, *more: str) -> int:
    sets = [part for setting in TINY for part in ("--set", setting)]
    return command.main(["--quick", "--data", str(data), "--out", str(out), *sets, *more])


def test_quick_fills_every_table_and_a_second_run_trains_nothing(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.digits.runner.TABULAR", {"wine": TABULAR["wine"]})
    out = tmp_path / "rows.json"
    assert quick(tiny_data, out) == 0
    rows = json.loads(out.read_text())["rows"]
    assert {row["table"] for row in rows} == {"clustering", "normalisation", "anomaly", "shared", "duad", "beyond"}
    methods = {row["method"] for row in rows if row["dataset"] == "usps"}
    assert {"ae", "ae-l2", "cae", "cae-l2", "cae-l2-after", "cae-batchnorm", "cae-layernorm"} <= methods
    assert {"cae-reconstruction", "cae-l2-clusters", "cae-l2-augmented-clustered", *DUAD_METHODS} <= methods
    for row in rows:
        assert {"seed", "epochs", "seconds", "device", "versions", "commit", "command"} <= set(row)
        assert ("accuracy" in row) != ("auc" in row)
        assert ("accuracy" in row) == ("loss" in row) == ("inertia" in row)
    anomaly = next(row for row in rows if row["method"] == "cae-l2-clusters")
    assert set(anomaly["auc"]) == {"4", "9"}
    assert anomaly["auc_mean"] == pytest.approx(np.mean(list(anomaly["auc"].values())))
    monkeypatch.setattr("crowdad.evaluation.digits.experiments.fit_autoencoder", _never)
    assert quick(tiny_data, out) == 0
    assert json.loads(out.read_text())["rows"] == rows


def test_a_table_too_small_for_the_share_has_no_row(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.digits.runner.TABULAR", {"wine": TABULAR["wine"]})
    out = tmp_path / "rows.json"
    assert quick(tiny_data, out, "--set", "duad.contaminations=[0.01, 0.1]") == 0
    rows = json.loads(out.read_text())["rows"]
    assert {row["contamination"] for row in rows if row["dataset"] == "sklearn-wine"} == {0.1}
    assert all(np.isfinite(list(row["auc"].values())).all() for row in rows if row["dataset"] == "sklearn-wine")


def _never(*_arguments, **_options):
    raise AssertionError("a finished row was trained again")


def test_a_run_draws_plots_without_digits_and_keeps_the_digits_apart(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "PRIVATE", tmp_path / "private")
    sets = [part for setting in TINY for part in ("--set", setting)]
    out = tmp_path / "results" / "rows.json"
    only = ["--only", "clustering", "--dataset", "usps", "--seeds", "1", "--data", str(tiny_data), "--out", str(out)]
    assert command.main([*only, *sets]) == 0
    names = {path.name for path in out.parent.iterdir()}
    assert names == {"rows.json", "usps-accuracy.png", "usps-confusion.png", "usps-codes.png"}
    assert all(path.stat().st_size < 200_000 for path in out.parent.glob("*.png"))
    assert (tmp_path / "private" / "usps-extremes.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quick", "--data", "/nowhere/at/all"], "no such folder"),
        (["--only", "tables", "--data", "."], "no table called 'tables'"),
        (["--all", "--methods", "cae,dae", "--data", "."], "no method called 'dae'"),
        (["--quick"], "no cache here/crowdad: no such folder"),
        (["--quick", "--data", ".", "--set", "anomaly.epoch=3"], "anomaly.epochs"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("CROWDAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/no cache here")
    assert command.main([*arguments, "--out", str(tmp_path / "rows.json")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def row(**fields) -> DigitRow:
    given = {
        "table": "anomaly",
        "dataset": "usps",
        "method": "m",
        "seed": 0,
        "epochs": 5,
        "seconds": 1.0,
        "device": "cpu",
        "contamination": 0.0,
    }
    return DigitRow(**(given | fields))


def test_digits_of_a_row_gather_and_the_mean_waits_for_all(tmp_path):
    store = RowStore(tmp_path / "rows.json", {"commit": "c"})
    store.put_digit(row(auc={"0": 0.5}, purity={"0": (0.9, 1.0)}), "0", ["0", "1"])
    assert "auc_mean" not in store.rows[0]
    store.put_digit(row(auc={"1": 1.0}, purity={"1": (0.8,)}), "1", ["0", "1"])
    (stored,) = RowStore(tmp_path / "rows.json", {}).rows
    assert stored["auc"] == {"0": 0.5, "1": 1.0}
    assert stored["purity"] == {"0": [0.9, 1.0], "1": [0.8]}
    assert stored["auc_mean"] == 0.75
    assert stored["seconds"] == 2.0
    assert store.has_digit(store.rows[0], "1", epochs=5)
    assert not store.has_digit(store.rows[0], "1", epochs=6)
    assert not store.has_digit(None, "1", epochs=5)


def test_another_number_of_epochs_starts_the_row_afresh(tmp_path):
    store = RowStore(tmp_path / "rows.json", {})
    store.put_digit(row(auc={"0": 0.5}), "0", ["0", "1"])
    store.put_digit(row(auc={"1": 0.9}, epochs=9), "1", ["0", "1"])
    assert len(store.rows) == 1
    assert store.rows[0]["auc"] == {"1": 0.9}


def test_rows_differ_by_seed_and_contamination_and_replace_their_like(tmp_path):
    store = RowStore(tmp_path / "rows.json", {})
    for seed, contamination, accuracy in ((0, 0.0, 0.1), (1, 0.0, 0.2), (0, 0.05, 0.3), (0, 0.0, 0.4)):
        store.put(row(seed=seed, contamination=contamination, accuracy=accuracy))
    assert sorted(each["accuracy"] for each in store.rows) == [0.2, 0.3, 0.4]
    assert store.find("anomaly", "usps", "m", 0, 0.05)["accuracy"] == 0.3
    assert store.find("anomaly", "usps", "m", 7, 0.05) is None


def expected_epochs(published: dict) -> int:
    """Epochs that `--all` gives a row of this table, data set and method."""
    name = "mnist" if published["dataset"] == "mnist" else "usps"
    settings = load_digit_settings(command.ROOT / "configs" / f"{name}.toml")
    match published["table"]:
        case "anomaly":
            return settings.anomaly.epochs_at(published["contamination"])
        case "duad":
            return duad_epochs(settings)
        case "beyond":
            clustered = published["method"].endswith("-clustered")
            return settings.beyond.epochs_augmented + clustered * settings.beyond.epochs_clustered
    dense = published["table"] == "clustering" and CLUSTERING_METHODS[published["method"]].kind == "dense"
    return settings.clustering.dense_epochs if dense else settings.clustering.conv_epochs


def test_all_keeps_every_published_row():
    published = json.loads(command.RESULTS.read_text())["rows"]
    assert published
    for each in published:
        assert each["epochs"] == expected_epochs(each), each


def test_a_damaged_results_file_is_not_overwritten(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('{"rows": [')
    with pytest.raises(DataError, match="move it away"):
        RowStore(path, {})


@pytest.mark.parametrize(("contamination", "normal"), [(0.01, 100), (0.1, 100), (0.5, 30)])
def test_contaminated_rows_hold_the_share_they_say(contamination, normal):
    rows = contaminated_rows(np.arange(500), np.arange(500, 530), contamination, max_samples=100, seed=0)
    assert np.sum(rows < 500) == normal
    assert np.mean(rows >= 500) == pytest.approx(contamination, abs=0.006)
    assert len(set(rows.tolist())) == len(rows)


def tiny_settings():
    return load_digit_settings(None, TINY)


@pytest.mark.parametrize("method", DUAD_METHODS)
def test_every_duad_method_scores_the_test_split(method):
    digits = striped_digits(per_class=40)
    task = digit_task(digits, 3, 0.1, tiny_settings(), seed=0, device="cpu")
    assert np.mean(~task.normal) == pytest.approx(0.1, abs=0.02)
    assert len(task.scored) == len(task.anomalous) == 60
    epochs: list[int] = []
    outcome = run_duad(task, method, tiny_settings(), seed=0, on_epoch=lambda epoch, _loss: epochs.append(epoch))
    assert 0 <= outcome.auc <= 1
    assert epochs == [1, 2]
    assert (outcome.purity is not None) == method.startswith("duad")


def test_every_method_meets_the_very_same_samples():
    digits = striped_digits(per_class=40)
    first, again = (digit_task(digits, 3, 0.1, tiny_settings(), seed=5, device="cpu") for _ in range(2))
    assert torch.equal(first.learned, again.learned)
    other = digit_task(digits, 3, 0.1, tiny_settings(), seed=6, device="cpu")
    assert not torch.equal(first.learned, other.learned)


@pytest.mark.parametrize("name", sorted(TABULAR))
def test_tables_are_scaled_and_scored_where_they_are_learned(name):
    task = tabular_task(name, 0, 0.1, tiny_settings(), seed=0, device="cpu")
    assert float(task.learned.min()) == 0
    assert float(task.learned.max()) == pytest.approx(1)
    assert task.scored is task.learned
    assert np.mean(task.anomalous) == pytest.approx(0.1, abs=0.02)


def test_augmentation_without_range_is_the_identity_and_with_it_moves_the_picture():
    pictures = torch.zeros(64, 1, 16, 16)
    pictures[:, :, 6:10, 6:10] = 1
    still = augment(pictures, BeyondSettings(rotation_deg=0, shift=0))
    torch.testing.assert_close(still, pictures)
    torch.manual_seed(0)
    moved = augment(pictures, BeyondSettings(rotation_deg=0, shift=0.25))
    torch.testing.assert_close(moved.sum(dim=(1, 2, 3)), torch.full((64,), 16.0))
    places = moved.flatten(1).argmax(dim=1)
    assert len(set(places.tolist())) > 10
    columns = (moved.sum(dim=(1, 2)) * torch.arange(16)).sum(dim=1) / 16 - 7.5
    assert columns.abs().max() <= 4.01
    assert columns.abs().max() > 3


def test_self_labels_believe_the_surest_of_every_cluster_first_and_all_at_last():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.eye(10, dtype=np.float32), 30, axis=0) + 0.15 * rng.normal(size=(300, 10))
    codes = (codes / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.float32)
    settings = load_digit_settings(None, ["beyond.confident=0.5", "clustering.restarts=3"])
    labels = SelfLabels(codes, settings, seed=0)
    np.testing.assert_allclose(np.linalg.norm(labels.centres, axis=1), 1, atol=1e-5)
    for cluster in range(10):
        members = labels.labels == cluster
        assert labels.sure[members].mean() == pytest.approx(0.5, abs=0.05)
    labels.refresh(codes, done=1.0)
    assert labels.sure.all()


@pytest.mark.slow
@pytest.mark.skipif("CROWDAD_DATA" not in os.environ, reason="CROWDAD_DATA is not set: no folder with USPS")
def test_quick_on_the_real_usps(tmp_path):
    out = tmp_path / "rows.json"
    assert command.main(["--quick", "--out", str(out)]) == 0
    rows = {row["method"]: row for row in json.loads(out.read_text())["rows"] if row["table"] == "clustering"}
    assert rows["cae"]["accuracy"] > 0.5
    assert rows["cae-l2"]["accuracy"] > 0.5


def test_one_bar_goes_through_a_training_and_another_one_begins_anew(capfd):
    with EpochBar() as bar:
        for epoch in (1, 2, 3):
            bar.show("usps cae seed 0", epoch, 3, 0.5)
        first = capfd.readouterr().err
        bar.show("usps cae seed 1", 1, 3, 0.25)
    assert first.count("| 0/3 ") == 1
    assert "usps cae seed 1" in capfd.readouterr().err
