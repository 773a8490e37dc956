"""From scores and truth to metrics, on hand-made scores and on a small camera in UCSD's layout."""

from __future__ import annotations

import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from crowdad.cli import main
from crowdad.config import Settings
from crowdad.errors import ConfigError, DataError, DatasetNotFoundError, UnclearSizeError
from crowdad.evaluation import video as evaluation_video
from crowdad.evaluation.datasets.catalogue import find_dataset
from crowdad.evaluation.datasets.root import data_root
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.datasets.variants import vary
from crowdad.evaluation.metrics import Alarm
from crowdad.evaluation.protocols import (
    ClipScores,
    Metric,
    TrueInterval,
    kind_table,
    measure,
    measure_kinds,
    metric_table,
    provenance,
    score_clip,
    told_intervals,
)
from crowdad.evaluation.video import PROTOCOLS, benchmark_video
from crowdad.sources import Source
from crowdad.workflows import fit
from tests.conftest import TINY_SETTINGS, TinyCamera
from tests.evaluation.datasets.layouts import avenue, shanghaitech
from tests.tiny_ucsd import write_tiny_ped2

Labels = npt.NDArray[np.bool_]


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


def test_alarms_are_measured_where_events_were_looked_for() -> None:
    """Anomalous: frames 1 and 2 of clip a, frame 0 of clip b; told in both seeds, in the first one, in none."""
    told, silent = (Alarm(1, 3, 2),), ()
    a, b = clip("a", [0.1, 0.9, 0.8, 0.2], [0, 1, 1, 0]), clip("b", [0.3, 0.1], [1, 0])
    kinds = {"cart": np.array([False, True, True, False])}
    seeds = [
        [replace(a, alarms=told, fps=10.0, kinds=kinds), replace(b, alarms=silent, fps=10.0)],
        [replace(a, alarms=silent, fps=10.0, kinds=kinds), replace(b, alarms=silent, fps=10.0)],
    ]
    found = by_name(measure(seeds, resamples=5))
    assert found["events told"].per_seed == (0.5, 0.0)
    assert found["events told"].note == "1 of 2 true intervals; 0 of 2 true intervals"
    assert found["anomalous frames flagged"].per_seed == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["anomalous frames flagged"].note == "2 of 3 frames"
    assert "seconds to the alarm" not in found, "the second seed tells nothing"
    assert by_name(measure(seeds[:1], resamples=0))["seconds to the alarm"].per_seed == (pytest.approx(0.2),)
    assert told_intervals(seeds) == [
        TrueInterval("a", 1, 2, ("cart",), (pytest.approx(0.2), None)),
        TrueInterval("b", 0, 0, (), (None, None)),
    ]
    (cart,) = measure_kinds(seeds)
    # 0.9 and 0.8 against the normal frames 0.1, 0.2 and 0.1.
    assert (cart.kind, cart.frames, cart.intervals, cart.auc, cart.told) == ("cart", 2, 1, (1.0, 1.0), (1, 0))
    assert "cart                            1.0000        2  0.5 of 1" in kind_table([cart])
    assert "events told" not in by_name(measure([[a, b]], resamples=0))
    assert told_intervals([[a, b]]) == []


def test_without_masks_only_frames_are_measured() -> None:
    without = ClipScores("a", np.array([0.1, 0.9]), np.zeros((2, 1, 1)), 8.0, np.array([False, True]), None, 1.0)
    assert "RBDC" not in by_name(measure([[without]], resamples=0))


def test_places_are_measured_where_there_are_masks() -> None:
    masked, unmasked = clip("a", [0.1, 0.9, 0.8], [0, 1, 1]), clip("b", [0.9, 0.1], [0, 1])
    unmasked = replace(unmasked, true_masks=None)
    found = by_name(measure([[masked, unmasked]], resamples=10))
    assert found["frame AUC, micro"].mean < 1
    for name in ("pixel AUC, 40 % rule", "RBDC", "TBDC"):
        assert found[name].mean == pytest.approx(1.0), name
        assert found[name].note == "the 1 of 2 clips that have masks"
    assert by_name(measure([[masked]], resamples=0))["RBDC"].note == ""


def test_masks_of_one_clip_at_a_time_are_in_memory() -> None:
    """Those of ShanghaiTech would take 17 GB together."""
    alive: list[weakref.ref[npt.NDArray[np.bool_]]] = []
    most = 0

    def lazily(one: ClipScores) -> ClipScores:
        def read() -> npt.NDArray[np.bool_]:
            nonlocal most
            assert one.masks is not None
            masks = one.masks.copy()
            alive.append(weakref.ref(masks))
            most = max(most, sum(reference() is not None for reference in alive))
            return masks

        return replace(one, true_masks=read)

    run = [clip(name, [0.1, 0.9, 0.8, 0.2], [0, 1, 1, 0]) for name in "abc"]
    found = measure([[lazily(one) for one in run]] * 2, resamples=10)
    assert [metric.per_seed for metric in found] == [m.per_seed for m in measure([run, run], resamples=0)]
    assert (len(alive), most) == (3, 1), "once for all seeds"


def test_truth_of_another_length_is_refused(tiny_camera: TinyCamera) -> None:
    from crowdad.sources import open_source

    source = open_source(tiny_camera.unusual, end_s=3.0)
    with pytest.raises(DataError, match=r"30 frames .* 29"):
        score_clip(tiny_camera.scene, source, np.zeros(29, bool), None)


@pytest.fixture(scope="module")
def tiny_ped2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a generated camera where Ped2 would be: two training clips, two test clips with masks."""
    return write_tiny_ped2(tmp_path_factory.mktemp("data"), duration_s=5)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_video, "measure", lambda runs, _: measure(runs, 40))


@pytest.mark.usefixtures("few_resamples")
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
        "--set",
        "encoder.epochs=1",
        "--set",
        "tubes.spacing=0.6",
    ]
    with pytest.raises(SystemExit) as leaving:
        main(command)
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    for text in ("one-class:", "unsupervised:", "alone:", "test-informed settings", "looks at test labels", "± seeds"):
        assert text in shown
    for text in ("events told", "false events an hour", "anomalous frames flagged", "normal frames flagged"):
        assert text in shown
    content = json.loads(written.read_text())
    assert set(content["outcomes"]) == set(PROTOCOLS)
    assert content["seeds"] == [0]
    assert content["settings"]["encoder"]["epochs"] == 1
    assert content["machine"]["cores"] >= 1
    micro = content["outcomes"]["one-class"]["metrics"]["frame AUC, micro"]
    assert 0 <= micro["low"] <= micro["mean"] <= micro["high"] <= 1
    assert content["outcomes"]["unsupervised"]["fps"][0] > 0
    for outcome in content["outcomes"].values():
        told = outcome["metrics"]["events told"]
        assert told["mean"] == sum(one["alarm_s"][0] is not None for one in outcome["intervals"]) / len(
            outcome["intervals"]
        )
        assert "overlaps in time" in told["protocol"]
        assert outcome["kinds"]["protocol"].startswith("frame AUC of the frames with the kind")


class Recorder:
    """Stands for fitting and scoring: remembers what was learned from, and what each scene scored."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.learned: list[tuple[int, list[str], bool]] = []
        self.scored: list[tuple[int, str]] = []
        monkeypatch.setattr(evaluation_video, "fit", self.fit)
        monkeypatch.setattr(evaluation_video, "score_clip", self.score_clip)

    def fit(self, sources: list[Source], *, unlabelled: bool, settings: Settings, **_: object) -> int:
        """A "scene" is the place in `learned`."""
        self.learned.append((settings.seed, [source.name for source in sources], unlabelled))
        return len(self.learned) - 1

    def score_clip(self, scene: int, source: Source, labels: Labels, masks: object, device: str) -> ClipScores:
        self.scored.append((scene, source.name))
        anomaly = labels * 0.5 + np.linspace(0, 0.1, len(labels))
        height, width = source.info.size_hw
        maps = np.repeat(anomaly, height * width).reshape(-1, height, width)
        return ClipScores(source.name, anomaly, maps, 1.0, labels, masks, 1.0)  # type: ignore[arg-type]


def test_each_camera_has_a_scene_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shanghaitech(tmp_path)
    recorder = Recorder(monkeypatch)
    outcome = benchmark_video("one-class", find_dataset("shanghaitech", tmp_path), seeds=(4, 7), resamples=0)
    first, second = ["01_001.avi", "01_002.avi"], ["02_001.avi"]
    assert recorder.learned == [(4, first, False), (7, first, False), (4, second, False), (7, second, False)]
    assert recorder.scored == [
        (0, "01_0014"),
        (0, "01_0130"),
        (1, "01_0014"),
        (1, "01_0130"),
        (2, "02_0128"),
        (3, "02_0128"),
    ]
    everything = ["01_0014", "01_0130", "02_0128"]
    assert [[one.name for one in run] for run in outcome.runs] == [everything, everything]
    assert (len(outcome.fit_s), outcome.fps, outcome.assumed_fps) == (2, (4.0, 4.0), 24.0)
    assert by_name(list(outcome.metrics))["frame AUC, micro"].per_seed == (1.0, 1.0)


def test_unlabelled_test_clips_of_a_camera_are_learned_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shanghaitech(tmp_path)
    recorder = Recorder(monkeypatch)
    benchmark_video("unsupervised", find_dataset("shanghaitech", tmp_path), seeds=(0,), resamples=0)
    assert recorder.learned == [(0, ["01_0014.mp4", "01_0130.mp4"], True), (0, ["02_0128.mp4"], True)]
    assert recorder.scored == [(0, "01_0014.mp4"), (0, "01_0130.mp4"), (1, "02_0128.mp4")]
    benchmark_video("alone", find_dataset("shanghaitech", tmp_path), seeds=(0,), resamples=0)
    assert [sources for _, sources, _ in recorder.learned[2:]] == [["01_0014.mp4"], ["01_0130.mp4"], ["02_0128.mp4"]]


def test_a_clip_that_cannot_be_learned_from_itself_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shanghaitech(tmp_path)
    recorder = Recorder(monkeypatch)

    def fit(sources: list[Source], **options: object) -> int:
        if sources[0].name == "01_0130.mp4":
            raise UnclearSizeError("people's size cannot be measured")
        return recorder.fit(sources, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation_video, "fit", fit)
    dataset = find_dataset("shanghaitech", tmp_path)
    outcome = benchmark_video("alone", dataset, seeds=(0,), resamples=0)
    assert outcome.refused == ("01_0130.mp4",)
    assert [(clip.name, clip.refused, clip.anomaly.any()) for clip in outcome.runs[0]] == [
        ("01_0014.mp4", False, True),
        ("01_0130.mp4", True, False),
        ("02_0128.mp4", False, True),
    ]
    assert by_name(list(outcome.metrics))["frame AUC, micro"].mean < 1
    assert by_name(list(outcome.metrics))["RBDC"].mean < 1

    def refusing(*_: object, **__: object) -> int:
        raise UnclearSizeError("people's size cannot be measured")

    monkeypatch.setattr(evaluation_video, "fit", refusing)
    with pytest.raises(UnclearSizeError):
        benchmark_video("unsupervised", dataset, seeds=(0,), resamples=0)


def test_videos_are_measured_like_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    avenue(tmp_path)
    recorder = Recorder(monkeypatch)
    outcome = benchmark_video("one-class", find_dataset("avenue", tmp_path), seeds=(0,), resamples=0, variant="half")
    assert recorder.learned == [(0, ["01", "02"], False)]
    assert outcome.assumed_fps is None, "videos carry their own"
    assert by_name(list(outcome.metrics))["frame AUC, macro"].note == "2 clips; left out, all of one class: 02"


def test_a_camera_without_training_clips_is_told_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shanghaitech(tmp_path)
    (folder / "training" / "videos" / "02_001.avi").unlink()
    recorder = Recorder(monkeypatch)
    with pytest.raises(DataError, match="camera 02"):
        benchmark_video("one-class", find_dataset("shanghaitech", tmp_path))
    assert recorder.learned == []
    benchmark_video("unsupervised", find_dataset("shanghaitech", tmp_path), seeds=(0,), resamples=0)


@pytest.fixture(scope="module")
def tiny_ped1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated camera where Ped1 would be: 238x158, masks for the first of two test clips, ranges for both."""
    root = write_tiny_ped2(tmp_path_factory.mktemp("data"), train=1, duration_s=4)
    folder = (root / "UCSDped2").rename(root / "UCSDped1")
    ranges = []
    for masks in sorted(folder.glob("Test/*_gt")):
        anomalous = [number for number, path in enumerate(sorted(masks.iterdir()), 1) if cv2.imread(str(path)).any()]
        ranges.append(f"TestVideoFile{{end+1}}.gt_frame = {anomalous};")
    (folder / "Test" / "UCSDped1.m").write_text("\n".join(["TestVideoFile = {};", *ranges]))
    shutil.rmtree(folder / "Test" / "Test002_gt")
    for path in [*folder.rglob("*.tif"), *folder.rglob("*.bmp")]:
        how = cv2.INTER_AREA if path.suffix == ".tif" else cv2.INTER_NEAREST
        picture = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (238, 158), interpolation=how)
        cv2.imwrite(str(path), picture)
    return root


@pytest.mark.usefixtures("few_resamples")
def test_ped1_through_the_same_command(tiny_ped1: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [word for item in TINY_SETTINGS for word in ("--set", item)]
    # The pictures are two thirds as large.
    settings += ["--set", "scale.person_px=16", "--set", "scale.walk_px=1"]
    written = tmp_path / "ped1.json"
    with pytest.raises(SystemExit) as leaving:
        main(["benchmark", "ped1", "--data", str(tiny_ped1), "--seeds", "1", "--json", str(written), *settings])
    assert leaving.value.code == 0
    assert "1 of 2 clips" in capsys.readouterr().out
    metrics = json.loads(written.read_text())["outcomes"]["one-class"]["metrics"]
    assert {"frame AUC, micro", "pixel AUC, 40 % rule", "RBDC", "TBDC"} <= set(metrics)


def test_unknown_protocols_and_data(tiny_ped2: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one-class"):
        benchmark_video("both", find_dataset("ped2", tiny_ped2))
    with pytest.raises(DatasetNotFoundError):
        find_dataset("ped2", tmp_path)


def test_where_a_number_comes_from() -> None:
    known = provenance(["crowdad", "benchmark", "ped2"])
    assert known["command"] == "crowdad benchmark ped2"
    assert known["commit"] is None or len(known["commit"].rstrip("+")) == 40
    assert {"python", "torch", "crowdad"} <= set(known["versions"])


def test_ped2_is_understood() -> None:
    """Real footage: two training clips and small networks are enough to tell carts and bicycles from walkers."""
    try:
        dataset = find_clips("ped2", data_root())
    except DatasetNotFoundError as error:
        pytest.skip(f"UCSD Ped2 is not at hand, set CROWDAD_DATA: {error}")
    from crowdad.config import load_settings

    few = ("encoder.max_tubes=8000", "encoder.epochs=4", "normality.clusters=96", "scale.bursts=60")
    settings = load_settings(overrides=few)
    learned = [vary(clip).source for clip in dataset.train[:2]]
    scene = fit(learned, settings=settings)
    tests = [vary(dataset.test[place]) for place in (2, 11)]
    run = [score_clip(scene, test.source, test.labels, test.masks) for test in tests]
    found = by_name(measure([run], resamples=0))
    assert found["frame AUC, micro"].mean > 0.85
    assert found["pixel AUC, 40 % rule"].mean > 0.8
