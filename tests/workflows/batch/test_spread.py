"""Footage scored in pieces and put together is footage scored in one run, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from crowdad.outputs.results import RunResults
from crowdad.workflows.batch.fleet import Fleet
from crowdad.workflows.batch.spread import Failure, detect_many
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import detect_with
from crowdad.workflows.footage import Part
from tests.conftest import write_folder, write_video
from tests.tiny_scene import model_of, scale_of, walkers

PIECE_S = 6.0


class HereFleet(Fleet):
    """Runs each task at once, in this process.  done: the names of the tasks."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.done.append(arguments[0].__name__.strip("_"))
        try:
            future.set_result(task(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future

    def close(self, *, now: bool = False) -> None:
        pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(scale_of(gap=2)).save(tmp_path_factory.mktemp("model") / "scene.safetensors")


def plain(model: Path | None, **options: Any) -> DetectOptions:
    return DetectOptions(model, overlay=False, report=False, **options)


def left_by(folder: Path) -> tuple[set[str], bytes, bytes, dict[str, Any]]:
    results = json.loads((folder / "results.json").read_text())
    results.pop("timing")
    names = {path.name for path in folder.iterdir()}
    return names, (folder / "frames.csv").read_bytes(), (folder / "heatmaps.npz").read_bytes(), results


def check_same(spec: Path, options: DetectOptions, folder: Path, **keywords: Any) -> list[str]:
    """Score the footage in one run and in pieces, compare, and return what the fleet did."""
    detect_with(spec, options, output=folder / "one")
    fleet = HereFleet()
    ends = detect_many({spec: folder / "spread"}, options, fleet, piece_s=PIECE_S, **keywords)
    assert isinstance(ends[spec], RunResults), ends
    assert left_by(folder / "spread") == left_by(folder / "one")
    return fleet.done


def test_pieces_give_what_one_run_gives(model: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(260), g="37", bf="2")
    done = check_same(clip, plain(model, threshold=0.02), tmp_path)
    assert done == ["begin", *["score_piece"] * 4, "finish"]
    results = json.loads((tmp_path / "one" / "results.json").read_text())
    assert results["events"], "else nothing was joined"


def test_breaks_and_cuts_are_found_where_one_run_finds_them(model: Path, tmp_path: Path) -> None:
    """A gap in the times, cuts in the midst of a piece and right at a seam: what follows is scored anew."""
    pictures = walkers(260, background_seed=3)
    pictures[90:] = 255 - pictures[90:]
    pictures[180:] = 255 - pictures[180:]
    times_s = [index / 10 + 5.0 * (index >= 140) for index in range(260)]
    clip = write_video(tmp_path / "clip.mp4", pictures, times_s=times_s, g="25")
    done = check_same(clip, plain(model, threshold=0.02), tmp_path)
    results = json.loads((tmp_path / "one" / "results.json").read_text())
    assert len(results["cuts"]) == 2
    assert done.count("score_piece") > 4, "pieces behind a cut begin elsewhere than guessed"


def test_parts_folders_and_masks(model: Path, tmp_path: Path) -> None:
    clip = write_folder(tmp_path / "clip", list(walkers(300)))
    part = Part(start_s=1.5, end_s=27.0, stride=1, fps=10.0)
    assert check_same(clip, plain(model, part=part), tmp_path).count("score_piece") == 4


def test_damage_that_only_decoding_tells_is_scored_in_one_run(model: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(150), g="20")
    blob = bytearray(clip.read_bytes())
    at = len(blob) // 2
    blob[at : at + 300] = bytes(300)  # pictures, not the index
    clip.write_bytes(bytes(blob))
    done = check_same(clip, plain(model), tmp_path)
    assert done[0] == "begin"
    assert done[-1] == "whole_again"


def test_what_is_whole_is_not_scored_again(model: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(260), g="37")
    options = plain(model, threshold=0.02)

    class Stopping(HereFleet):
        def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
            if self.done.count("score_piece") == 2:
                raise KeyboardInterrupt
            return super().submit(task, *arguments)

    with pytest.raises(KeyboardInterrupt):
        detect_many({clip: tmp_path / "spread"}, options, Stopping(), piece_s=PIECE_S)
    ends = detect_many({clip: tmp_path / "spread"}, options, HereFleet(), piece_s=PIECE_S)
    assert isinstance(ends[clip], Failure)
    assert "resume=True" in ends[clip].reason
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "spread" / "pieces.part").glob("*.json")}
    assert len(before) == 2

    class Looking(HereFleet):
        def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
            if arguments[0].__name__ == "_finish":
                self.left = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "spread" / "pieces.part").glob("*.json")}
            return super().submit(task, *arguments)

    looking = Looking()
    detect_with(clip, options, output=tmp_path / "one")
    detect_many({clip: tmp_path / "spread"}, options, looking, piece_s=PIECE_S, resume=True)
    assert before.items() <= looking.left.items()
    assert left_by(tmp_path / "spread") == left_by(tmp_path / "one")


def test_one_bad_file_costs_the_others_nothing(model: Path, tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4", walkers(40))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    told: list[Path] = []
    ends = detect_many(
        {bad: tmp_path / "b", good: tmp_path / "g"}, plain(model), HereFleet(), on_end=lambda spec, _: told.append(spec)
    )
    assert isinstance(ends[good], RunResults)
    assert isinstance(ends[bad], Failure)
    assert "not a video" in ends[bad].reason
    assert told == [bad, good]
    assert not (tmp_path / "b").exists()


class MeddledFleet(HereFleet):
    """Calls `meddle` before the second piece."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._meddle = meddle

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        if self.done.count("score_piece") == 1:
            self._meddle()
        return super().submit(task, *arguments)


def test_pieces_of_different_models_are_not_put_together(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", walkers(260), g="37")
    model = model_of(scale_of(gap=2)).save(tmp_path / "scene.safetensors")
    fleet = MeddledFleet(lambda: model_of(scale_of(gap=2), seed=1).save(model))
    ends = detect_many({clip: tmp_path / "run"}, plain(model), fleet, piece_s=PIECE_S)
    ended = ends[clip]
    assert isinstance(ended, Failure), ended
    assert "changed while it was scored" in ended.reason
