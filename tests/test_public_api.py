"""The front door: what `import crowdad` promises."""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import crowdad
from crowdad import errors
from crowdad.config import load_settings
from crowdad.sources import open_source
from crowdad.wording import ARGUMENTS
from crowdad.workflows.detect_options import DetectKeywords
from crowdad.workflows.fitting import FitKeywords
from crowdad.workflows.footage import Part, PartKeywords
from crowdad.workflows.watching.watch_options import WatchKeywords
from tests.conftest import TinyCamera
from tests.tiny_scene import frames_of, model_of, scale_of, walkers

VERBS = ("detect", "events", "fit", "overlay", "score", "watch")
READERS = ("read_frames_csv", "read_heatmaps", "read_results")
OPTIONS = ("AlertOptions", "DetectOptions", "FitOptions", "WatchOptions")
RECORDS = ("Event", "Frame", "FrameResult", "FrameTable", "Heatmap", "RunResults")
ERRORS = tuple(name for name in errors.__all__ if inspect.isclass(getattr(errors, name)))
OTHERS = ("Detector", "SceneModel", "Settings", "__version__")
NAMES = sorted((*VERBS, *READERS, *OPTIONS, *RECORDS, *ERRORS, *OTHERS))


def test_the_names_are_these_and_dir_shows_no_others() -> None:
    assert sorted(crowdad.__all__) == NAMES
    assert sorted(dir(crowdad)) == NAMES
    stub = ast.parse(Path(crowdad.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    (listed,) = (ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert sorted(listed) == NAMES


def test_every_name_is_there_and_documented() -> None:
    for name in set(NAMES) - {"__version__"}:
        assert inspect.getdoc(getattr(crowdad, name)), name
    for name in (*VERBS, *READERS):
        text = inspect.getdoc(getattr(crowdad, name)) or ""
        for section in ("Parameters\n---", "Raises\n---", "Examples\n---"):
            assert section in text, (name, section)
        assert re.search(r"^(Returns|Yields)\n---", text, re.MULTILINE), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="detekt"):
        _ = crowdad.detekt


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, crowdad; print(sorted(m for m in ('torch', 'cv2', 'av', 'sklearn', 'numpy') if m in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_first_screen_of_help_shows_the_functions() -> None:
    screen = pydoc.plain(pydoc.render_doc(crowdad)).splitlines()[:24]
    for name in (*VERBS, *READERS):
        assert any(line.strip().startswith(f"{name}(") for line in screen), name


def test_verbs_take_their_footage_first_and_keywords_after_it() -> None:
    first = {"events": "results", "watch": "camera"}
    second = {"score": "scene", "events": "scene", "overlay": "run_folder"}
    for name in VERBS:
        parameters = list(inspect.signature(getattr(crowdad, name)).parameters.values())
        assert parameters[0].name == first.get(name, "footage"), name
        assert parameters[1].name == second.get(name, "options"), name
        assert {p.kind for p in parameters[2:]} <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
        assert len(parameters) <= 8, name
        assert not [p for p in parameters if re.search(r"\bAny\b", str(p.annotation))], name


def test_keywords_are_the_fields_of_the_records() -> None:
    part = set(Part.__dataclass_fields__)
    assert PartKeywords.__optional_keys__ == part
    for keywords, record in ((DetectKeywords, crowdad.DetectOptions), (FitKeywords, crowdad.FitOptions)):
        assert keywords.__optional_keys__ == (set(record.__dataclass_fields__) - {"part"}) | part
    own = set(crowdad.WatchOptions.__dataclass_fields__) - {"scoring"}
    assert own < WatchKeywords.__optional_keys__ < own | DetectKeywords.__optional_keys__


def test_every_keyword_is_documented() -> None:
    for verb, keywords in (("detect", DetectKeywords), ("fit", FitKeywords), ("watch", WatchKeywords)):
        text = inspect.getdoc(getattr(crowdad, verb)) or ""
        for name in keywords.__optional_keys__:
            assert re.search(rf"\b{name}\b", text), (verb, name)


def test_options_in_a_record_and_as_keywords_are_one() -> None:
    options = crowdad.DetectOptions(threshold=0.5).but(fps=10.0, rgb=True, person_height="95@110", overlay=False)
    assert (options.threshold, options.part.fps, options.part.rgb, options.overlay) == (0.5, 10.0, True, False)
    assert str(options.person_height) == "95@110"
    assert crowdad.FitOptions().but(stride=2, person_height=95).part.stride == 2
    watched = crowdad.WatchOptions(lag=3).but(threshold=0.5, duration_s=9.0, fps=10.0)
    assert (watched.lag, watched.duration_s, watched.scoring.threshold, watched.scoring.part.fps) == (3, 9.0, 0.5, 10.0)


def test_a_keyword_that_is_not_there_and_options_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match=r"'treshold'.*'threshold'"):
        crowdad.detect("a.mp4", treshold=1.0)
    with pytest.raises(TypeError, match="threshold"):
        next(crowdad.score("a.mp4", "b.safetensors", threshold=1.0))
    with pytest.raises(TypeError, match="overlay"):
        crowdad.watch("0", overlay=True)
    with pytest.raises(crowdad.ConfigError, match=r"model\.safetensors.*DetectOptions"):
        crowdad.detect("a.mp4", "model.safetensors")


@pytest.mark.parametrize("given", [None, 3, b"scene.safetensors", ["scene.safetensors"], crowdad.Settings(), "a\0b"])
def test_what_is_no_scene_is_refused_in_one_line(given: object) -> None:
    frames = np.zeros((30, 48, 64), np.uint8)
    with pytest.raises(crowdad.CrowdadError, match=r"^[^\n]*(model|scene)[^\n]*$"):
        next(crowdad.score(frames, given, fps=10.0))  # type: ignore[arg-type]


def test_the_library_names_arguments_and_the_command_line_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from crowdad.cli import main

    taken = tmp_path / "m.safetensors"
    taken.touch()
    (tmp_path / "raw.h264").write_bytes(b"\0\0\0\1" * 99)
    told = (
        (["fit", "a.mp4", "-o", str(taken)], lambda: crowdad.fit("a.mp4", output=taken), "overwrite=True"),
        (
            ["watch", "a.mp4", "--mqtt", "host"],
            lambda: crowdad.watch("a.mp4", alerts=crowdad.AlertOptions(mqtt="host")),
            "topic",
        ),
        (
            ["watch", str(taken), "-o", str(tmp_path / "watch")],
            lambda: crowdad.watch(str(taken), output=tmp_path / "watch"),
            "realtime=True",
        ),
    )
    for command, call, argument in told:
        with pytest.raises(crowdad.CrowdadError) as refused:
            call()
        assert re.search(rf"(?<![-\w]){argument}\b", str(refused.value))
        assert not re.search(r"(?<!\S)--?[a-z]", str(refused.value))
        with pytest.raises(SystemExit):
            main(command)
        assert f"--{argument.partition('=')[0]}" in capsys.readouterr().err


def test_frames_of_a_program_are_scored_in_either_order_of_colours() -> None:
    scene = model_of(scale_of())
    blue_first = np.repeat(walkers(24)[..., None], 3, axis=3) // np.array([1, 2, 3], np.uint8)
    one = list(crowdad.score(blue_first, scene, fps=10, runtime="torch"))
    other = list(crowdad.score((frame for frame in blue_first[..., ::-1]), scene, fps=10, rgb=True, runtime="torch"))
    wrong = list(crowdad.score(blue_first[..., ::-1], scene, fps=10, runtime="torch"))
    assert [result.anomaly for result in one] == [result.anomaly for result in other]
    assert [result.anomaly for result in one] != [result.anomaly for result in wrong]
    with pytest.raises(crowdad.ConfigError, match="rgb"):
        next(crowdad.score(Path(__file__), scene, rgb=True))


def test_events_of_scored_frames_are_those_of_the_finder() -> None:
    from crowdad.detection.events import find_events

    scene = model_of(scale_of())
    detector = crowdad.Detector(scene, threshold_raw=0.05)
    results = list(detector.run(frames_of(walkers(40))))
    chosen = scene.settings.events
    lasting = {"low": chosen.low, "min_duration_s": chosen.min_duration_s, "gap_s": chosen.gap_s}
    expected = scene.named(find_events(results, 10.0, **lasting, person_px=scene.scale.person_px))
    assert expected
    assert crowdad.events(iter(results), scene, fps=10) == expected
    measured = crowdad.events(results, scene)
    assert [(e.start_frame, e.end_frame, e.boxes) for e in measured] == [
        (e.start_frame, e.end_frame, e.boxes) for e in expected
    ]
    assert [round(e.end_s, 6) for e in measured] == [round(e.end_s, 6) for e in expected]
    assert len(crowdad.events(results)) >= len(expected)
    assert crowdad.events(results[:1], scene) == crowdad.events([]) == []
    with pytest.raises(crowdad.ConfigError, match="fps"):
        crowdad.events(results, fps=0.0)


def test_what_is_shown_of_an_object_is_a_line_or_two() -> None:
    scene = model_of(scale_of())
    detector = crowdad.Detector(scene)
    (frame, *_), results = frames_of(walkers(12)), list(detector.run(frames_of(walkers(12))))
    for thing, words in (
        (scene, ("SceneModel", "128x96", "4 centres")),
        (detector, ("Detector", "SceneModel", "threshold_raw=")),
        (frame, ("Frame", "128x96")),
        (results[3], ("FrameResult", "0.300 s", "anomaly")),
        (results[3].heatmap, ("Heatmap", "128x96", "cells")),
        (crowdad.DetectOptions(scene), ("SceneModel", "threshold=None")),
    ):
        assert len(repr(thing)) < 600
        assert "\n" not in repr(thing)
        assert all(word in repr(thing) for word in words), repr(thing)


def test_every_option_that_an_error_names_is_an_argument_or_of_the_command_line_alone() -> None:
    of_verbs = {name for verb in VERBS for name in inspect.signature(getattr(crowdad, verb)).parameters}
    of_records = {name for options in OPTIONS for name in getattr(crowdad, options).__dataclass_fields__}
    arguments = {text.partition("=")[0] for text in ARGUMENTS.values()}
    assert arguments <= of_verbs | of_records | PartKeywords.__optional_keys__
    package = Path(crowdad.__file__).parent
    files = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in ("cli", "evaluation")]
    named = {
        option
        for path in files
        for raised in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(raised, ast.Raise | ast.Return)
        for part in ast.walk(raised)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", part.value)
    }
    assert "--overwrite" in named
    assert named - ARGUMENTS.keys() <= {"--head", "--jobs", "--page", "--set"}


def test_five_lines_fit_and_score_a_generator(tiny_camera: TinyCamera) -> None:
    pictures = [frame.luma for frame in open_source(tiny_camera.normal, end_s=6).frames()]
    settings = tiny_camera.settings

    def frames() -> list[np.ndarray]:
        return pictures

    scene = crowdad.fit(frames, fps=10, settings=settings)
    scores = [result.anomaly for result in crowdad.score((picture for picture in pictures), scene, fps=10)]
    assert len(scores) == len(pictures)
    assert 0 <= min(scores) < max(scores) <= 1


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(crowdad.__file__).parent / "py.typed").is_file()


@pytest.fixture
def workplace(tiny_camera: TinyCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Works in a folder with the footage and the model of the examples; gives the names that they take for granted."""
    monkeypatch.chdir(tmp_path)
    for name, file in (
        ("normal.mp4", tiny_camera.normal),
        ("monday.mp4", tiny_camera.unusual),
        ("gate3.safetensors", tiny_camera.model),
    ):
        os.symlink(file, name)
    grey = walkers(40, size_hw=tiny_camera.scene.scale.size_hw)
    return {
        "crowdad": crowdad,
        "scene": tiny_camera.scene,
        "settings": load_settings(overrides=["encoder.epochs=1"], base=tiny_camera.settings),
        "frames": np.repeat(grey[..., None], 3, axis=3),
        "grey_frames": grey,
    }


def public_examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in NAMES:
        thing = getattr(crowdad, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield from (found for found in finder.find(thing, name, globs={}) if found.examples)


def test_the_examples_of_public_names_run(workplace: dict[str, object]) -> None:
    examples = sorted(public_examples(), key=lambda example: example.name != "detect")  # others look at its run
    for example in examples:
        example.globs = dict(workplace)
        lines: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        runner.run(example, out=lines.append)
        assert not lines, f"{example.name}:\n{''.join(lines)}"
    assert {*VERBS, *READERS} <= {example.name for example in examples}
