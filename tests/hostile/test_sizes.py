"""Files made to take all memory or all time: each is bounded before it is read, and refused in one line."""

from __future__ import annotations

import ast
import io
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crowdad
from crowdad import files as bounded
from crowdad.config import load_settings
from crowdad.errors import ConfigError, CrowdadError, DataError, ModelFormatError, OutputNotReadableError
from crowdad.outputs.alerts.messages import read_messages
from crowdad.outputs.heatmaps import HeatmapReader
from crowdad.outputs.journal import Journal
from crowdad.outputs.report.false_alarms import read_false_alarms
from crowdad.outputs.results import parse_results, read_results
from crowdad.outputs.tables import FRAME_COLUMNS, read_frames_csv
from crowdad.scene.encoders import ENCODERS
from crowdad.scene.encoders.conv3d import Conv3dAutoEncoder
from crowdad.scene.model import SceneModel
from crowdad.sources import expand, open_source, read_mask
from crowdad.sources._container import _boxes
from crowdad.tubes.scale import GivenHeights, check_cost
from crowdad.workflows.false_alarms import ticked_spans
from tests.conftest import write_folder
from tests.hostile import footage
from tests.hostile.conftest import Program
from tests.hostile.footage import plain
from tests.tiny_scene import model_of, moved_otherwise, settings_of, walkers

ROOT = Path(__file__).parents[2]
TB = 2**40

READS = {"read_bytes", "read_text", "fromfile", "load", "imread", "loadmat", "safe_open", "ZipFile", "reader", "loads"}
"""Ends of names of calls that read a file whole, or believe what a file says of its own size."""

ALLOWED = {
    ("files.py", "json.loads"): "this is the helper",
    ("files.py", "tomllib.loads"): "this is the helper",
    ("files.py", "zipfile.ZipFile"): "this is the helper",
    ("outputs/heatmaps.py", "zipfile.ZipFile"): "writes",
    ("outputs/journal.py", "load"): "a record in memory",
    ("outputs/journal.py", "json.loads"): "what this program wrote a moment ago",
    ("outputs/alerts/mqtt.py", "json.loads"): "what this program wrote a moment ago",
    ("workflows/resuming.py", "json.loads"): "what this program wrote a moment ago",
    ("synthetic/demo.py", "json.loads"): "what this program wrote a moment ago",
    ("scene/model.py", "safe_open"): "maps the file, whose size was checked",
    ("evaluation/datasets/ground_truth.py", "np.load"): "maps the file",
    ("evaluation/datasets/ground_truth.py", "loadmat"): "what it unpacks to was checked",
    ("sources/stream.py", "waiting.shot.load"): "of a decoded picture",
    ("sources/_base.py", "picture.load"): "of a decoded picture",
    ("evaluation/datasets/download.py", "load"): "a function that checks its files",
    ("page/app.py", "(_OWN / name).read_text"): "of the package",
    ("outputs/report/parts.py", "(_ASSETS / name).read_text"): "of the package",
    ("evaluation/protocols.py", "Path('/proc/cpuinfo').read_text"): "of the system",
    (
        "evaluation/datasets/kinds.py",
        "files('crowdad.evaluation.datasets').joinpath('ucsd_kinds.csv').read_text",
    ): "of the package",
}


def readers(path: Path) -> set[tuple[str, str]]:
    """Calls in a module that may read without a bound, as (module, call)."""
    name, found = path.relative_to(ROOT / "crowdad").as_posix(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        last = call.rpartition(".")[2]
        own = last == call and last in ("read_bytes", "read_text")  # of crowdad.files
        if last in READS and not own and not call.endswith("SceneModel.load"):
            found.add((name, call))
        if last == "read" and not node.args and call.startswith("file."):
            found.add((name, call))
    return found


def test_every_reader_of_files_has_a_bound() -> None:
    found = set().union(*(readers(path) for path in sorted((ROOT / "crowdad").rglob("*.py"))))
    assert found - ALLOWED.keys() == set(), "read it by crowdad.files, or say here why it needs no bound"
    assert ALLOWED.keys() - found == set(), "no longer needed"


def sparse(path: Path, start: bytes = b"", size: int = 12 * 2**30) -> Path:
    """A file of 12 GB that takes no room."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def refused_soon(read: Callable[[], object], *kinds: type[Exception]) -> str:
    """What is refused within a second or so."""
    began_s = time.monotonic()
    with pytest.raises(kinds or CrowdadError) as refusal:
        read()
    assert time.monotonic() - began_s < 5
    return str(refusal.value)


BOUNDED: dict[str, Callable[[Path], object]] = {
    "settings.toml": load_settings,
    "people.json": GivenHeights.of,
    "ticks.json": read_false_alarms,
    "results.json": read_results,
    "events.jsonl": lambda path: list(read_messages(path)),
    "model.safetensors": SceneModel.load,
    "mask.png": lambda path: read_mask(path, (96, 128)),
    "frames.csv": read_frames_csv,
    "heatmaps.npz": HeatmapReader,
}


@pytest.mark.parametrize("name", BOUNDED)
def test_twelve_gigabytes_of_nothing_are_refused_unread(name: str, tmp_path: Path) -> None:
    said = refused_soon(lambda: BOUNDED[name](sparse(tmp_path / name)))
    assert "\n" not in said


@pytest.mark.parametrize("name", ["settings.toml", "people.json", "ticks.json", "results.json", "frames.csv"])
def test_a_pipe_is_no_file(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)  # whoever opened it would wait for ever
    refused_soon(lambda: BOUNDED[name](tmp_path / name))


def test_a_sparse_picture_is_skipped_and_the_others_are_read(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", list(walkers(8)))
    sparse(folder / "003.png", (folder / "004.png").read_bytes())
    source = open_source(folder)
    assert len(list(source.frames())) == 7
    assert source.report.skip_counts == {"picture cannot be read": 1}


DEEP = "[" * 200_000


@pytest.mark.parametrize("name", ["settings.toml", "people.json", "ticks.json", "results.json", "events.jsonl"])
def test_what_is_nested_too_deep_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(f"a = {DEEP}" if name.endswith("toml") else DEEP + "\n")
    said = refused_soon(lambda: BOUNDED[name](tmp_path / name))
    assert "\n" not in said


def test_nesting_that_json_allows_and_python_does_not(tmp_path: Path) -> None:
    good = json.dumps({"schema_version": 1, "settings": {"a": 1}})
    for depth in (300, 500, 900):
        parse = good.replace("1}}", "[" * depth + "]" * depth + "}}")
        with pytest.raises(OutputNotReadableError):
            parse_results(parse.encode(), "results.json")
    with pytest.raises(ConfigError):
        load_settings(overrides=[f"seed={'[' * 5000}"])


def npz(path: Path, members: dict[str, bytes], **meta: Any) -> Path:
    """A heatmaps.npz with these members beside its meta."""
    chunk = {"n_frames": 4, "first_frame": 0, "cell_px": 8.0, "size_hw": [96, 128]}
    known = {"format": 1, "n_frames": 4, "chunks": [chunk], **meta}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {"meta.npy": array(np.array(json.dumps(known))), **members}.items():
            file.writestr(name, content)
    return path


def array(values: Any, shape: tuple[int, ...] | None = None) -> bytes:
    """The bytes of an .npy; shape: what it says of itself, whatever there is."""
    out = io.BytesIO()
    np.save(out, values)
    if shape is None:
        return out.getvalue()
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + out.getvalue()[128:]


FRAMES, CELLS = np.arange(4), np.zeros((4, 12, 16), np.uint8)
CHUNK = {"n_frames": 4, "first_frame": 0, "cell_px": 8.0, "size_hw": [96, 128]}
MAPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "without chunks": ({}, {"chunks": None}),
    "cells of no size": ({}, {"chunks": [{**CHUNK, "cell_px": 0}]}),
    "cells that are no number": ({}, {"chunks": [{**CHUNK, "cell_px": float("nan")}]}),
    "a picture without end": ({}, {"chunks": [{**CHUNK, "size_hw": [10**30, 1]}]}),
    "another number of frames": ({"frame_00000.npy": array(np.arange(9))}, {}),
    "floats": ({"anomaly_00000.npy": array(CELLS.astype(np.float64))}, {}),
    "no rows": ({"anomaly_00000.npy": array(np.zeros((4, 0, 0), np.uint8))}, {}),
    "a shape that lies": ({"anomaly_00000.npy": array(CELLS, (10**6, 10**6, 10**6))}, {}),
    "deep": ({"meta.npy": array(np.array(DEEP))}, {}),
}


@pytest.mark.parametrize("what", MAPS)
def test_maps_that_no_run_wrote_are_one_line(what: str, tmp_path: Path) -> None:
    members, meta = MAPS[what]
    good = {"frame_00000.npy": array(FRAMES), "anomaly_00000.npy": array(CELLS)}
    with HeatmapReader(npz(tmp_path / "good.npz", good)) as reader:
        assert len(list(reader)) == 4
    path = npz(tmp_path / "maps.npz", {**good, **members}, **meta)

    def read() -> None:
        with HeatmapReader(path) as maps:
            list(maps)

    assert "not a whole heatmaps.npz" in refused_soon(read, OutputNotReadableError)


def test_a_few_megabytes_of_maps_do_not_unpack_to_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "maps.npz"
    npz(path, {"frame_00000.npy": array(FRAMES)})
    monkeypatch.setattr("crowdad.outputs.heatmaps.MOST_CELLS", 2**12)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file,
        file.open("anomaly_00000.npy", "w", force_zip64=True) as member,
    ):
        member.write(array(CELLS, (4, 2**10, 2**10)) + bytes(2**22))
    with HeatmapReader(path) as maps:
        refused_soon(lambda: list(maps), OutputNotReadableError)


def test_a_directory_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = sparse(tmp_path / "maps.npz", size=2**33)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**31, 2**31, 0)
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(end)
    refused_soon(lambda: HeatmapReader(path), OutputNotReadableError)


@pytest.mark.parametrize("row", ["1," * 3, "1" * 200_000, "nan,0,0,0,0,0,0", "1e300,0,0,0,0,0,0", "0,inf,0,0,0,0,0"])
def test_rows_that_no_run_wrote_are_one_line(row: str, tmp_path: Path) -> None:
    (tmp_path / "frames.csv").write_text(f"{','.join(FRAME_COLUMNS)}\n{row}\n")
    assert "not numbers" in refused_soon(lambda: read_frames_csv(tmp_path / "frames.csv"), OutputNotReadableError)


def test_a_journal_of_a_run_does_not_unpack_to_gigabytes(tmp_path: Path) -> None:
    path, known = tmp_path / "resume.part", {"source": {"name": "a.mp4"}}
    with Journal(path, known):
        pass
    for text in ({"shape": [2**20] * 3, "cell_px": 1, "size_hw": [1, 1]}, {"shape": []}, {}):
        told = {**text, "checkpoint": {"told": 1, "scored": 0, "odd": 0, "steps": 0, "since": 0, "motion": []}}
        header = json.dumps({"__metadata__": {"crowdad": json.dumps(told)}}).encode()
        record = struct.pack("<Q", len(header)) + header
        before = path.read_bytes()
        path.write_bytes(before + struct.pack("<II", len(record), zlib.crc32(record)) + record)

        def go_on() -> None:
            with Journal(path, known) as journal:
                list(journal.results())

        refused_soon(go_on, OutputNotReadableError)
        path.write_bytes(before)


FORGED: dict[str, dict[str, Any]] = {
    "thumbnails of no size": {"thumbnails": np.zeros((4, 0, 0), np.uint8)},
    "thumbnails of any size": {"thumbnails": np.zeros((4, 1, 5000), np.uint8)},
    "activity of any size": {"activity": np.zeros((2000, 2000), np.float16)},
    "a view of any size": {"background": np.zeros((8, 5000), np.uint8)},
}


@pytest.mark.parametrize("what", FORGED)
def test_models_that_no_fit_wrote_are_one_line(what: str, tmp_path: Path) -> None:
    scene, forged = model_of(), FORGED[what]
    scene = moved_otherwise(scene, **forged) if "thumbnails" in forged else replace(scene, **forged)
    path = scene.save(tmp_path / "m.safetensors")
    refused_soon(lambda: SceneModel.load(path), ModelFormatError)


@pytest.mark.parametrize("norm", ["l2", "none", "batch", "layer"])
def test_the_shapes_of_weights_are_those_of_the_encoder(norm: str) -> None:
    settings = settings_of(f"encoder.code_norm={norm}", "encoder.temporal_kernel=5", "tubes.rows=7")
    encoder = Conv3dAutoEncoder.from_settings(settings.encoder, settings.tubes)
    assert ENCODERS["conv3d"].weight_shapes(settings.encoder, settings.tubes) == {
        name: tuple(weight.shape) for name, weight in encoder.state_dict().items()
    }


COSTLY: dict[str, tuple[str, ...]] = {
    "heatmap.cell": ("heatmap.cell=0.01",),
    "tubes.spacing": ("tubes.spacing=0.01", "tubes.steps=30"),
    "tubes.steps": ("tubes.steps=100",),
    "heatmap.sigma_steps": ("heatmap.sigma_steps=1000",),
    "sigmas": ("motion.local_sigma=10", "scale.person_px=1000"),
}


@pytest.mark.parametrize("what", COSTLY)
def test_settings_within_their_ranges_that_take_all_memory_are_refused(what: str) -> None:
    person = (500.0 if what == "sigmas" else 6.0, 0.0, 0.0)
    scale = replace(model_of().scale, size_hw=(1080, 1920), person=person, rows=(0.0, 1079.0))
    check_cost(scale, load_settings())
    with pytest.raises(ConfigError, match=what):
        check_cost(scale, load_settings(overrides=COSTLY[what]))


def test_what_cameras_show_is_computed() -> None:
    refused = []
    for height, person_px in ((2160, 8.0), (3840, 40.0), (1080, 900.0), (96, 40.0)):
        size_hw, person = (height, height * 16 // 9), (person_px, 0.0, person_px / height)
        scale = replace(model_of().scale, size_hw=size_hw, person=person, rows=(0.0, float(height)))
        try:
            check_cost(scale, load_settings())
        except ConfigError as error:
            refused.append((height, person_px, str(error)))
    assert refused == []


def test_a_model_that_takes_all_memory_is_one_line(tmp_path: Path, crowdad_program: Program) -> None:
    scene = model_of(settings=settings_of("heatmap.sigma_steps=1000", "heatmap.cell=0.01"))
    model = scene.save(tmp_path / "m.safetensors")
    ended = crowdad_program("detect", plain(tmp_path / "a.mp4", 12), "-m", model, "-o", tmp_path / "run")
    assert len(ended.errors) == 1
    assert "at most" in ended.errors[0]


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    (tmp_path / "day" / "deep").mkdir(parents=True)
    for place in ("day/a.mp4", "day/deep/b.mp4"):
        (tmp_path / place).touch()
    for name in ("one", "two", "day/up"):
        (tmp_path / name).symlink_to(tmp_path)
    began_s = time.monotonic()
    found = [path.relative_to(tmp_path).as_posix() for path in expand([tmp_path / "**" / "*.mp4"])]
    assert time.monotonic() - began_s < 2
    assert found == ["day/a.mp4", "day/deep/b.mp4"]


def test_brackets_in_the_name_of_a_folder_stand_for_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("cam[1]/a.mkv", "cam2/b.mkv"):
        Path(place).parent.mkdir()
        Path(place).touch()
    assert expand(["cam[1]/*.mkv"]) == [Path("cam[1]/a.mkv")]
    assert expand(["cam[2]/*.mkv"]) == [Path("cam2/b.mkv")]
    assert expand(["**/*.mkv"]) == [Path("cam2/b.mkv"), Path("cam[1]/a.mkv")]


def test_an_mp4_of_nothing_but_boxes_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crowdad.sources._container._MOST_BOXES", 100)
    path = tmp_path / "boxes.mp4"
    path.write_bytes(b"\0\0\0\x08ftyp" * 1_000)
    with path.open("rb") as file:
        assert len(list(_boxes(file))) == 100


@pytest.mark.parametrize(
    "options",
    [
        ("--max-pixels", 2**31),
        ("--max-pixels", 2**70),
        ("--start", "9" * 300),
        ("--start", "1e308"),
        ("--stride", 10**30),
        ("--fps", "1e308"),
        ("--fps", "1e-308"),
        ("--threshold", "1e308"),
        ("--threshold", "1e-300"),
        ("--recorded-at", "10000-01-01"),
    ],
)
def test_numbers_without_end_are_one_line(
    options: tuple[str, object], tiny_model: Path, tmp_path: Path, crowdad_program: Program
) -> None:
    ended = crowdad_program("detect", plain(tmp_path / "a.mp4", 12), "-m", tiny_model, *options)
    assert ended.code in (1, 2)
    assert "a bug" not in ended.errors[-1]


def test_the_last_year_of_all_has_no_wall_clock(tiny_model: Path, tmp_path: Path) -> None:
    clip = plain(tmp_path / "a.mp4", 12)
    when = "9999-12-31T23:59:59.999"
    results = crowdad.detect(clip, model=tiny_model, output=tmp_path / "run", recorded_at=when, overlay=False)
    assert results.source.recorded_at == when


def ticks(path: Path, name: str, sha256: str | None, **span: float) -> Path:
    source = {"name": name, "sha256": sha256, "stride": 1, "fps": None}
    spans = [{"event": 1, "start_s": 0.5, "end_s": 1.0, "boxes": [[0.6, 5, 5, 20, 20]], **span}]
    path.write_text(json.dumps({"format": "crowdad-false-alarms", "version": 1, "source": source, "spans": spans}))
    return path


def test_what_a_file_of_ticks_names_is_not_read_unless_it_is_the_runs_footage(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    clip = plain(tmp_path / "elsewhere" / "a.mp4", 12)
    named = footage.playlist(tmp_path / "elsewhere" / "list.m3u8", clip)
    with pytest.raises(CrowdadError, match="not here"):
        ticked_spans([ticks(tmp_path / "t.json", str(clip), None)])
    with pytest.raises(DataError, match="hash"):
        ticked_spans([ticks(tmp_path / "t.json", str(named), "0" * 64)])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CrowdadError, match="not here"):
        ticked_spans([ticks(tmp_path / "t.json", str(tmp_path / "pipe"), "0" * 64)])
    assert len(ticked_spans([ticks(tmp_path / "t.json", str(clip), open_source(clip).sha256())])) == 1


@pytest.mark.parametrize("span", [{"start_s": 1e308}, {"end_s": 1e308}, {"boxes": [[1e999, 1, 1, 2, 2]]}])
def test_ticks_at_no_time_are_one_line(span: dict[str, Any], tmp_path: Path) -> None:
    refused_soon(lambda: read_false_alarms(ticks(tmp_path / "t.json", "a.mp4", None, **span)), OutputNotReadableError)


def test_a_files_own_words_do_not_steer_the_terminal(tmp_path: Path, crowdad_program: Program) -> None:
    scene = model_of()
    scene.provenance["sources"] = ["\x1b]0;gotcha\x07a.mp4", "b\nc"]
    scene = replace(scene, calibration=replace(scene.calibration, note="\x1b[2J", how="\x1b[31m"))
    ended = crowdad_program("info", scene.save(tmp_path / "m.safetensors"))
    assert ended.code == 0
    assert "\x1b" not in ended.shown
    assert r"\x1b]0;gotcha" in ended.shown


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing"
    path.write_bytes(bytes(100))
    monkeypatch.setattr(bounded, "check_size", lambda *_: 1)
    with pytest.raises(OSError, match="10 bytes"):
        bounded.read_bytes(path, 10)
