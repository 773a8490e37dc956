"""Every row of the digit tables as a job: skipped where its row is there, stored as soon as it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from benchmarks.digits.beyond import BEYOND_METHODS, train_augmented, train_clustered
from benchmarks.digits.duad import DUAD_METHODS, TABULAR, Task, digit_task, duad_epochs, run_duad, tabular_task
from benchmarks.digits.store import RowStore
from crowdad.evaluation.datasets.digits import Digits
from crowdad.evaluation.digits.experiments import (
    ANOMALY_NETWORKS,
    CLUSTERING_METHODS,
    DigitRow,
    anomaly_aucs,
    anomaly_aucs_of_codes,
    clustered_row,
    digit_tensor,
    evaluate_clustering,
    mean_auc,
)
from crowdad.evaluation.digits.settings import DigitSettings
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.encoders.fitting import encode_all

__all__ = ["TABLES", "EpochBar", "Runner"]

TABLES = ("clustering", "normalisation", "anomaly", "shared", "duad", "beyond")
"""What the runner can fill, in the order in which it does."""


@dataclass
class Runner:
    """Fills the rows of one data set.

    device: "cpu" or "cuda".  codes_dir: where the codes behind the plots go; None keeps none.
    methods: of the clustering, normalisation, anomaly and shared tables, keys of CLUSTERING_METHODS.
    """

    digits: Digits
    settings: DigitSettings
    store: RowStore
    device: str
    device_name: str
    codes_dir: Path | None = None
    methods: Sequence[str] = tuple(CLUSTERING_METHODS)

    def run(self, tables: Sequence[str], seeds: Sequence[int]) -> None:
        """Every missing row of `tables`, seed by seed, so that a stop leaves whole seeds behind."""
        for seed in seeds:
            for table in tables:
                if table in ("clustering", "normalisation"):
                    self._clustering(table, seed)
                else:
                    {
                        "anomaly": self._anomaly,
                        "shared": self._shared,
                        "duad": self._duad,
                        "beyond": self._beyond,
                    }[table](seed)

    def _clustering(self, table: str, seed: int) -> None:
        wanted = self.settings.clustering
        for method in self.methods:
            network = CLUSTERING_METHODS[method]
            normalised = network.code_norm in ("batch", "layer")
            if normalised != (table == "normalisation"):
                continue
            epochs = wanted.conv_epochs if network.kind == "conv" else wanted.dense_epochs
            if self._has(table, method, seed, epochs):
                continue
            with EpochBar() as bar:
                outcome = evaluate_clustering(
                    self.digits, method, self.settings, seed=seed, device=self.device, progress=bar.show
                )
            for row in outcome.rows:
                self._put(row)
            if seed == 0:
                self._keep_codes(method, outcome.codes, outcome.clusters)

    def _anomaly(self, seed: int) -> None:
        wanted = self.settings.anomaly
        for contamination in wanted.contaminations:
            epochs = wanted.epochs_at(contamination)
            for network in ANOMALY_NETWORKS:
                if network not in self.methods:
                    continue
                for digit in wanted.digits:
                    # Of a network's two rows this one is stored last, so that a stop in between repeats the digit.
                    stored = self.store.find("anomaly", self.digits.name, f"{network}-clusters", seed, contamination)
                    if not self.store.has_digit(stored, str(digit), epochs):
                        self._anomalous_digit(network, digit, contamination, seed)

    def _anomalous_digit(self, network: str, digit: int, contamination: float, seed: int) -> None:
        wanted = self.settings.anomaly
        began = time.perf_counter()
        with EpochBar() as bar:
            aucs = anomaly_aucs(
                self.digits,
                digit,
                network,
                self.settings,
                seed=seed,
                contamination=contamination,
                device=self.device,
                progress=bar.show,
            )
        seconds = round(time.perf_counter() - began, 2)
        for method, auc in aucs.items():
            row = DigitRow(
                "anomaly",
                self.digits.name,
                method,
                seed,
                wanted.epochs_at(contamination),
                seconds,
                self.device_name,
                auc={str(digit): auc},
                contamination=contamination,
            )
            self.store.put_digit(row, str(digit), [str(each) for each in wanted.digits])

    def _shared(self, seed: int) -> None:
        """Table IV where the encoder has seen all ten digits, from the codes of the clustering table where kept."""
        epochs = self.settings.clustering.conv_epochs
        for network in ANOMALY_NETWORKS:
            if network not in self.methods or self._has("shared", f"{network}-clusters", seed, epochs):
                continue
            began = time.perf_counter()
            aucs = anomaly_aucs_of_codes(self.digits, self._codes(network, seed), self.settings, seed=seed)
            row = DigitRow(
                "shared",
                self.digits.name,
                f"{network}-clusters",
                seed,
                epochs,
                round(time.perf_counter() - began, 2),
                self.device_name,
                auc=aucs,
                auc_mean=mean_auc(aucs, self.settings.anomaly.digits),
            )
            self.store.put(row)

    def _codes(self, network: str, seed: int) -> npt.NDArray[np.float32]:
        """Codes of all pictures by a network of the clustering table: those kept of its seed 0, or trained again."""
        path = self._codes_path(network)
        known = self._has("clustering", network, seed, self.settings.clustering.conv_epochs)
        if known and seed == 0 and path is not None and path.exists():
            with np.load(path) as kept:
                return np.asarray(kept["codes"], np.float32)
        with EpochBar() as bar:
            outcome = evaluate_clustering(
                self.digits, network, self.settings, seed=seed, device=self.device, progress=bar.show
            )
        return outcome.codes

    def _duad(self, seed: int) -> None:
        wanted = self.settings.duad
        for contamination in wanted.contaminations:
            for digit in wanted.digits:
                classes = [str(each) for each in wanted.digits]
                task = digit_task(self.digits, digit, contamination, self.settings, seed, self.device)
                self._duad_task(task, self.digits.name, str(digit), classes, contamination, seed)
            if self.digits.name != "usps":
                continue  # the tables of scikit-learn belong to neither data set; they are filled once
            for name, load in TABULAR.items():
                classes = [str(cls) for cls in np.unique(load().target)]
                tasks = [
                    tabular_task(name, int(cls), contamination, self.settings, seed, self.device) for cls in classes
                ]
                if not all(task.anomalous.any() for task in tasks):
                    continue  # too small a table for this share
                for cls, task in zip(classes, tasks, strict=True):
                    self._duad_task(task, f"sklearn-{name}", cls, classes, contamination, seed)

    def _duad_task(
        self, task: Task, dataset: str, cls: str, classes: list[str], contamination: float, seed: int
    ) -> None:
        epochs = duad_epochs(self.settings)
        for method in DUAD_METHODS:
            if self.store.has_digit(self.store.find("duad", dataset, method, seed, contamination), cls, epochs):
                continue
            with EpochBar() as bar:
                outcome = run_duad(
                    task, method, self.settings, seed=seed, on_epoch=bar.named(f"{task.name} {method}", epochs)
                )
            row = DigitRow(
                "duad",
                dataset,
                method,
                seed,
                epochs,
                outcome.seconds,
                self.device_name,
                auc={cls: outcome.auc},
                contamination=contamination,
                purity=None if outcome.purity is None else {cls: outcome.purity},
            )
            self.store.put_digit(row, cls, classes)

    def _beyond(self, seed: int) -> None:
        wanted = self.settings.beyond
        first, second = BEYOND_METHODS
        total = wanted.epochs_augmented + wanted.epochs_clustered
        if self._has("beyond", first, seed, wanted.epochs_augmented) and self._has("beyond", second, seed, total):
            return
        pictures = digit_tensor(self.digits.pictures, "conv", self.device)
        began = time.perf_counter()
        name = f"{self.digits.name} {first} seed {seed}"
        with EpochBar() as bar:
            model, loss = train_augmented(
                pictures, self.settings, seed=seed, on_epoch=bar.named(name, wanted.epochs_augmented)
            )
        self._put_beyond(first, seed, wanted.epochs_augmented, time.perf_counter() - began, model, loss)
        name = f"{self.digits.name} {second} seed {seed}"
        with EpochBar() as bar:
            loss = train_clustered(
                model, pictures, self.settings, seed=seed, on_epoch=bar.named(name, wanted.epochs_clustered)
            )
        self._put_beyond(second, seed, total, time.perf_counter() - began, model, loss)

    def _put_beyond(self, method: str, seed: int, epochs: int, seconds: float, model: AutoEncoder, loss: float) -> None:
        blank = DigitRow("beyond", self.digits.name, method, seed, epochs, round(seconds, 2), self.device, loss)
        codes = encode_all(model, digit_tensor(self.digits.pictures, "conv", self.device))
        row, clusters = clustered_row(blank, codes, self.digits.classes, self.settings)
        self._put(row)
        if seed == 0:
            self._keep_codes(method, codes, clusters)

    def _has(self, table: str, method: str, seed: int, epochs: int) -> bool:
        row = self.store.find(table, self.digits.name, method, seed)
        return row is not None and row["epochs"] == epochs

    def _put(self, row: DigitRow) -> None:
        self.store.put(replace(row, device=self.device_name))
        tqdm.write(f"{row.dataset} {row.method} seed {row.seed}: accuracy {row.accuracy:.4f}, loss {row.loss:.5f}")

    def _codes_path(self, method: str) -> Path | None:
        return None if self.codes_dir is None else self.codes_dir / f"{self.digits.name}-{method}.npz"

    def _keep_codes(self, method: str, codes: npt.NDArray[np.float32], clusters: npt.NDArray[np.int64]) -> None:
        path = self._codes_path(method)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, codes=codes, clusters=clusters, classes=self.digits.classes)


class EpochBar:
    """A progress bar over one training's epochs: epoch, loss, time left."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._name = ""

    def __enter__(self) -> EpochBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, name: str, epoch: int, epochs: int, loss: float) -> None:
        if self._bar is None or self._name != name:
            self.__exit__()
            self._bar, self._name = tqdm(total=epochs, desc=name, unit="epoch", leave=False), name
        self._bar.set_postfix(loss=f"{loss:.5f}", refresh=False)
        self._bar.update(epoch - self._bar.n)

    def named(self, name: str, epochs: int) -> Callable[[int, float], None]:
        """`show` for trainings that report epoch and loss only."""
        return lambda epoch, loss: self.show(name, epoch, epochs, loss)
