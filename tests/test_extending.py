"""README's "to add | touch": each row is done here at run time, as its one file and one line would do it, and used.

The class or function stands for the file, the entry in the registry for the line; nothing else is patched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from torch import nn

import crowdad
from crowdad import sources
from crowdad.cli import main
from crowdad.config import EncoderSettings, TubeSettings
from crowdad.errors import ConfigError, ModelFormatError
from crowdad.evaluation import video as evaluation_video
from crowdad.evaluation.datasets.catalogue import CLIP_DATASETS
from crowdad.evaluation.datasets.clips import Dataset
from crowdad.evaluation.datasets.ucsd import find_clips
from crowdad.evaluation.datasets.variants import VARIANTS, Variant, _Change
from crowdad.evaluation.metrics import METRICS, FrameScores, metric
from crowdad.evaluation.protocols import measure
from crowdad.outputs.alerts import SINKS, Sink, read_messages
from crowdad.scene.encoders import ENCODERS, EncoderKind
from crowdad.scene.encoders.autoencoder import AutoEncoder
from crowdad.scene.model import SceneModel
from crowdad.scene.runtimes import RUNTIMES
from crowdad.sources import ArraySource
from crowdad.tubes.patches import EXTRACTORS
from crowdad.workflows.exporting import export
from tests.conftest import TINY_SETTINGS, TinyCamera
from tests.scene.streams import test_streams
from tests.tiny_scene import model_of, moved_otherwise, settings_of, walkers
from tests.tiny_ucsd import write_tiny_ped2

ROOT = Path(__file__).parents[1]


def run(*arguments: object) -> int:
    """The exit code of `crowdad ARGUMENTS`."""
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return leaving.value.code if isinstance(leaving.value.code, int) else int(leaving.value.code is not None)


def settings_words(*more: str) -> list[str]:
    return [word for item in (*TINY_SETTINGS, "encoder.epochs=1", *more) for word in ("--set", item)]


class ArrayFile(ArraySource):
    """Frames in a .npy file: uint8 (T, H, W)."""

    def __init__(self, path: Path, fps: float | None = None, *, max_pixels: int, **part: Any) -> None:
        super().__init__(np.load(path), fps or 10.0, path.name, **part)

    @classmethod
    def accepts(cls, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix == ".npy"


def test_a_kind_of_footage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "SOURCES", (ArrayFile, *sources.SOURCES))
    np.save(tmp_path / "walk.npy", walkers(30))
    model = model_of().save(tmp_path / "scene.safetensors")
    assert run("detect", tmp_path / "walk.npy", "-m", model, "-o", tmp_path / "run", "--no-overlay") == 0
    results = crowdad.read_results(tmp_path / "run" / "results.json")
    assert (Path(results.source.name).name, results.source.frames) == ("walk.npy", 30)
    assert crowdad.read_frames_csv(tmp_path / "run" / "frames.csv").anomaly.max() > 0


class FlatAutoEncoder(AutoEncoder):
    """A tube as one row of numbers -> code -> the tube."""

    def __init__(self, shape: tuple[int, ...], code_dim: int, code_norm: str) -> None:
        super().__init__(code_dim, code_norm=code_norm, constant=True)
        width = int(np.prod(shape))
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(width, code_dim))
        self.head = nn.Sequential(nn.Linear(self.code_width, width), nn.Unflatten(1, shape))

    @classmethod
    def from_settings(cls, encoder: EncoderSettings, tubes: TubeSettings, channels: int = 3) -> FlatAutoEncoder:
        return cls((channels, tubes.steps, tubes.rows, tubes.columns), encoder.code_dim, encoder.code_norm)


def test_an_auto_encoder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_camera: TinyCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ENCODERS, "flat", EncoderKind(f"{__name__}:FlatAutoEncoder"))
    model, quick = tmp_path / "flat.safetensors", ("--no-picture", "--end", 8)
    assert run("fit", tiny_camera.normal, "-o", model, *quick, *settings_words("encoder.kind=flat")) == 0
    scene = SceneModel.load(model)
    assert scene.settings.encoder.kind == "flat"
    assert scene.motion.weights["trunk.1.weight"].shape == (8, 3 * 5 * 5 * 3)

    detect = ("detect", tiny_camera.unusual, "-m", model, "--end", "3", "--no-overlay")
    assert run(*detect, "-o", tmp_path / "run") == 0
    assert crowdad.read_results(tmp_path / "run" / "results.json").timing.runtime == "torch", "it has no graph"
    capsys.readouterr()
    assert run(*detect, "-o", tmp_path / "onnx", "--runtime", "onnx") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'flat'" in line
    assert "--runtime torch" in line
    with pytest.raises(ConfigError, match="'flat'"):
        export(model)

    weights = {**scene.motion.weights, "trunk.1.weight": np.zeros((8, 7), np.float32)}
    forged = moved_otherwise(scene, weights=weights).save(tmp_path / "forged.safetensors")
    with pytest.raises(ModelFormatError, match=r"trunk\.1\.weight"):
        SceneModel.load(forged)
    monkeypatch.delitem(ENCODERS, "flat")
    with pytest.raises(ModelFormatError, match="'flat'"):
        SceneModel.load(model)


def test_the_encoders_that_are_there_can_be_loaded() -> None:
    settings = settings_of()
    for kind in ENCODERS.values():
        state = kind.make(settings.encoder, settings.tubes).state_dict()
        told = kind.weight_shapes(settings.encoder, settings.tubes)
        assert told == {name: tuple(weight.shape) for name, weight in state.items()}
        assert told == replace(kind, shapes=None).weight_shapes(settings.encoder, settings.tubes)


def test_an_extractor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_camera: TinyCamera) -> None:
    asked = []

    def propose(maps: Any, person_px: float, settings: TubeSettings) -> npt.NDArray[np.float32]:
        asked.append(settings.kind)
        return EXTRACTORS["grid"].propose(maps, person_px, settings)[::2]

    own = EXTRACTORS["tubes"]
    half = SimpleNamespace(propose=propose, previous_place=own.previous_place, channels=own.channels)
    monkeypatch.setitem(EXTRACTORS, "half", half)
    model = tmp_path / "half.safetensors"
    quick = ("--no-picture", "--end", 8, *settings_words())
    assert run("fit", tiny_camera.normal, "-o", model, "--patches", "half", *quick) == 0
    learned = len(asked)
    assert learned > 0
    assert sum(result.n_tubes for result in crowdad.score(tiny_camera.unusual, model, end_s=3.0)) > 0
    assert len(asked) > learned


def find_own(root: Path | None) -> Dataset:
    """Footage in UCSD's layout under another name."""
    return replace(find_clips("ped2", root), name="own")


class UpsideDown(_Change):
    def picture(self, luma: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
        return luma[::-1].copy()

    def mask(self, mask: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
        return mask[::-1].copy()


def highest_is_right(clips: Sequence[FrameScores]) -> float:
    """Share of clips whose most anomalous frame is one."""
    return float(np.mean([clip.anomalous[clip.anomaly.argmax()] for clip in clips]))


@pytest.fixture
def own_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "peak hits", METRICS["EER"])  # taken out again afterwards
    metric("peak hits", "clips", over=FrameScores)(highest_is_right)


@pytest.mark.usefixtures("own_metric")
def test_a_data_set_and_a_metric(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CLIP_DATASETS, "own", find_own)
    monkeypatch.setitem(VARIANTS, "upside-down", Variant("head over heels", UpsideDown))
    monkeypatch.setattr(evaluation_video, "measure", lambda runs, _: measure(runs, 20))
    write_tiny_ped2(tmp_path, train=1, test=1, duration_s=4)
    command = ("benchmark", "own", "--data", tmp_path, "--seeds", 1, "--variant", "upside-down")
    assert run(*command, *settings_words()) == 0
    shown = capsys.readouterr().out
    assert "own, upside-down, seeds 0 to 0" in shown
    assert re.search(r"peak hits +[01]\.0000 ", shown)
    assert run("benchmark", "--help") == 0
    helped = capsys.readouterr().out
    assert "own" in helped
    assert "upside-down" in helped


class Doubtful:
    """Scores as the scene does and calls everything half as normal."""

    def __init__(self, scene: SceneModel) -> None:
        self._scene = scene

    def codes(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._scene.codes(features)

    def normality(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._scene.normality(features) / 2


def test_a_runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_camera: TinyCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(RUNTIMES, "doubtful", Doubtful)
    command = ("detect", tiny_camera.unusual, "-m", tiny_camera.model, "--end", "3", "--no-overlay")
    least = {}
    for name in ("doubtful", "torch"):
        assert run(*command, "-o", tmp_path / name, "--runtime", name) == 0
        assert crowdad.read_results(tmp_path / name / "results.json").timing.runtime == name
        least[name] = crowdad.read_frames_csv(tmp_path / name / "frames.csv").normality.min()
    assert least["doubtful"] < least["torch"]
    capsys.readouterr()
    assert run("detect", "--help") == 0
    assert "doubtful" in capsys.readouterr().out
    assert run(*command, "--runtime", "none") == 2
    assert "doubtful" in capsys.readouterr().err


class Notebook(Sink):
    """Lines in a file, each with a dash before it."""

    def __init__(self, address: str) -> None:
        if not address:
            raise ConfigError("a notebook needs a path")
        self.name = "notebook"
        self._path = Path(address)

    def send(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"- {line}\n")


def notes(path: Path) -> Iterator[str]:
    return (line.removeprefix("- ") for line in path.read_text(encoding="utf-8").splitlines())


def test_a_sink_for_alerts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_camera: TinyCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SINKS, "notebook", Notebook)
    folder, told = tmp_path / "watch", tmp_path / "notes.txt"
    watch = ("watch", tiny_camera.unusual, "--realtime", "-m", tiny_camera.model, "-o", folder, "--duration", "3s")
    assert run(*watch, "--alert", f"notebook={told}") == 0
    assert list(notes(told)) == (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(list(read_messages(folder / "events.jsonl"))) >= 2
    capsys.readouterr()
    for wrong, key in (("slate=x", "slate"), ("notebook", "SINK=ADDRESS"), ("notebook=", "path")):
        assert run(*watch, "--alert", wrong) == 2, wrong
        assert key in capsys.readouterr().err
    assert run("watch", "--help") == 0
    assert "notebook" in capsys.readouterr().out


HELD = {
    "a kind of footage": test_a_kind_of_footage,
    "an extractor": test_an_extractor,
    "a kind of evidence": test_streams.test_what_a_stream_sees_reads_half_at_its_level,
    "an auto-encoder": test_an_auto_encoder,
    "a data set": test_a_data_set_and_a_metric,
    "a metric": test_a_data_set_and_a_metric,
    "a runtime": test_a_runtime,
    "a sink for alerts": test_a_sink_for_alerts,
}


def test_every_row_of_the_table_is_held() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| to add | touch |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))
    assert rows.keys() == HELD.keys()
    for touched in rows.values():
        folder, *others = re.findall(r"`(crowdad/[\w/.]+)`", touched)
        assert (ROOT / folder).is_dir()
        lists = [*others, *(f"{folder}{name}" for name in re.findall(r"`(\w+\.py)`", touched))]
        assert all((ROOT / path).is_file() for path in lists), touched
        assert len(lists) <= 1, "one line"
