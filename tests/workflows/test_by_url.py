"""Footage, models and results by URL give what the same run gives on a disk; nothing half done looks whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import crowdad
from crowdad.cli import main
from crowdad.errors import ConfigError, OutputExistsError, OutputNotWritableError, StorageNotFoundError
from crowdad.outputs import remote
from crowdad.outputs.folder import RunFolder
from crowdad.outputs.remote import RemoteRun
from crowdad.outputs.results import RunResults, read_results
from crowdad.sources import RemoteFootage, Source, _fetched, expand
from crowdad.sources.storage import Url
from crowdad.workflows import Stage, detecting, fitting
from crowdad.workflows.batch.spread import detect_many
from crowdad.workflows.detect_options import DetectOptions
from crowdad.workflows.detecting import detect_with
from crowdad.workflows.footage import Part, learning_sources
from crowdad.workflows.run_start import Opened
from tests.conftest import write_folder, write_video
from tests.object_store import Bucket
from tests.tiny_scene import model_of, scale_of, walkers
from tests.workflows.batch.test_spread import PIECE_S, HereFleet


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(scale_of(gap=2)).save(tmp_path_factory.mktemp("model") / "scene.safetensors")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", walkers(30))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What lies on this machine: "fetched" of what was fetched, "runs" of what is to be put."""
    monkeypatch.setattr(_fetched, "cache_folder", lambda: tmp_path / "here" / "fetched")
    monkeypatch.setattr(remote, "staging_folder", lambda: tmp_path / "here" / "runs")
    return tmp_path / "here"


def plain(model: str | Path, **options: Any) -> DetectOptions:
    return DetectOptions(model, **{"overlay": False, "report": False, "threshold": 0.02, **options})


def run_of(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What a run left but pictures and pages, and its results but for their timing and what the footage is called."""
    results = json.loads((folder / "results.json").read_text())
    results.pop("timing")
    results["source"].pop("name")
    tables = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".npz", ".mp4")}
    return tables, results


def got(bucket: Bucket, folder: str, path: Path) -> Path:
    """The folder of the bucket, copied to `path`."""
    path.mkdir()
    for name in bucket.names(folder):
        bucket.files.get_file(f"{bucket.name}/{folder}/{name}", str(path / name))
    return path


def never(*_: Any) -> RunResults:
    raise AssertionError("scored again")


def test_footage_and_model_by_url_are_those_of_a_disk(bucket: Bucket, model: Path, clip: Path, tmp_path: Path) -> None:
    local, there = tmp_path / "local", tmp_path / "there"
    detect_with(clip, plain(model, report=True), output=local)
    bucket.put(clip, "day/clip.mp4")
    bucket.put(model, "scene.safetensors")
    login = f"s3://someone:s3cret@{bucket.name}"
    stages: list[Stage] = []
    options = plain(f"{login}/scene.safetensors", report=True)
    detect_with(f"{login}/day/clip.mp4", options, output=there, progress=stages.append)
    assert run_of(there) == run_of(local)
    assert sorted(path.name for path in there.iterdir()) == sorted(path.name for path in local.iterdir())
    assert read_results(there / "results.json").source.name == f"{bucket.url}/day/clip.mp4"
    assert {"fetching", "fetching the model", "scoring"} <= {stage.what for stage in stages}
    for path in there.iterdir():
        assert b"s3cret" not in path.read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()


def test_pictures_by_url(bucket: Bucket, model: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", list(walkers(24)))
    options = plain(model, part=Part(fps=10.0))
    detect_with(folder, options, output=tmp_path / "local")
    detect_with(bucket.put(folder, "clip"), options, output=tmp_path / "there")
    assert run_of(tmp_path / "there") == run_of(tmp_path / "local")


def test_a_run_is_known_by_the_address(bucket: Bucket, model: Path, clip: Path) -> None:
    bucket.put(clip, "clip.mp4")
    identity = Opened.of(f"s3://me:s3cret@{bucket.name}/clip.mp4", plain(model)).identity
    assert identity is not None
    assert identity["source"]["name"] == f"{bucket.url}/clip.mp4"
    assert "s3cret" not in json.dumps(identity)


def test_results_are_put_whole_or_not_at_all(
    bucket: Bucket, model: Path, clip: Path, tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detect_with(clip, plain(model), output=tmp_path / "local")
    place, put, stages = f"{bucket.url}/runs/night", list[str](), list[Stage]()
    original = bucket.files.put_file

    def noted(lpath: str, rpath: str, **options: Any) -> None:
        put.append(rpath.rpartition("/")[2])
        original(lpath, rpath, **options)

    monkeypatch.setattr(bucket.files, "put_file", noted)
    detect_with(clip, plain(model), output=place, progress=stages.append)
    names = ["frames.csv", "heatmaps.npz", "results.json", "timeline.png"]
    assert bucket.names("runs/night") == names
    assert put[-1] == "results.json"
    assert [stage for stage in stages if stage.what == "putting"][-1].done > 0
    assert run_of(got(bucket, "runs/night", tmp_path / "got")) == run_of(tmp_path / "local")
    assert list((here / "runs").iterdir()) == []

    with pytest.raises(OutputExistsError, match=rf"^{place}: holds another run \(results.json\); choose another"):
        detect_with(clip, plain(model), output=place)
    with monkeypatch.context() as patch:
        patch.setattr(detecting, "_detect_here", never)
        assert detect_with(clip, plain(model), output=place, resume=True).source.name == str(clip)
        with pytest.raises(OutputExistsError, match=f"holds a whole run of {clip}; choose another place"):
            detect_with(bucket.put(clip, "other.mp4"), plain(model), output=place, resume=True)
    detect_with(clip, plain(model, heatmaps=False), output=place, overwrite=True)
    assert bucket.names("runs/night") == ["frames.csv", "results.json", "timeline.png"]
    with pytest.raises(ConfigError, match="both overwrite and resume"):
        detect_with(clip, plain(model), output=place, overwrite=True, resume=True)


def test_what_cannot_be_put_stays_here(
    bucket: Bucket, model: Path, clip: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{bucket.url}/runs/night"

    def failing(lpath: str, rpath: str, **_: Any) -> None:
        if rpath.endswith("timeline.png"):
            raise PermissionError("Forbidden")
        bucket.files.pipe_file(rpath, Path(lpath).read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(bucket.files, "put_file", failing)
        with pytest.raises(OutputNotWritableError) as caught:
            detect_with(clip, plain(model), output=place)
    (local,) = (here / "runs").iterdir()
    assert str(caught.value) == (
        f"{place}: cannot be written (access is denied (Forbidden); check the credentials and what they may do); "
        f"the run is whole in {local}, the same command with --resume puts it there"
    )
    assert (local / "results.json").is_file()
    assert bucket.names("runs/night") == ["frames.csv", "heatmaps.npz"], "no reader takes that for a whole run"
    with pytest.raises(OutputExistsError, match=r"holds another run .*--resume to go on with it"):
        detect_with(clip, plain(model), output=place)
    bucket.files.rm(f"{bucket.name}/runs", recursive=True)
    with pytest.raises(OutputExistsError, match=f"a whole run for it lies in {local} and was not put there; --resume"):
        detect_with(clip, plain(model), output=place)
    text = (local / "results.json").read_text()
    results = f"{bucket.name}/runs/night/results.json"
    bucket.files.pipe_file(results, text.replace(str(clip), "/other.mp4").encode())
    with pytest.raises(OutputExistsError, match=r"holds a whole run of /other\.mp4"):
        detect_with(clip, plain(model), output=place, resume=True)
    bucket.files.rm_file(results)
    monkeypatch.setattr("crowdad.workflows.detecting.score_into", never)
    detect_with(clip, plain(model), output=place, resume=True)
    assert bucket.names("runs/night") == ["frames.csv", "heatmaps.npz", "results.json", "timeline.png"]
    assert not local.exists()


def test_an_unfinished_run_goes_on(
    bucket: Bucket, model: Path, clip: Path, tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, original = f"{bucket.url}/runs/night", detecting.write_run

    def killed(*_: Any) -> RunResults:
        raise KeyboardInterrupt

    detect_with(clip, plain(model), output=tmp_path / "local")
    monkeypatch.setattr(detecting, "write_run", killed)
    with pytest.raises(KeyboardInterrupt):
        detect_with(clip, plain(model), output=place)
    monkeypatch.setattr(detecting, "write_run", original)
    (local,) = (here / "runs").iterdir()
    assert not bucket.files.exists(f"{bucket.name}/runs")
    with pytest.raises(OutputExistsError, match=f"^{place}: an unfinished run for it lies in {local}; --resume to go"):
        detect_with(clip, plain(model), output=place)
    detect_with(clip, plain(model), output=place, resume=True)
    assert run_of(got(bucket, "runs/night", tmp_path / "got")) == run_of(tmp_path / "local")
    assert not local.exists()


def test_a_place_that_cannot_be_written_is_refused_at_once(
    bucket: Bucket, model: Path, clip: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageNotFoundError, match=r"^s3://no-such-bucket/night: no such bucket"):
        detect_with(clip, plain(model), output="s3://no-such-bucket/night")

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(bucket.files, "pipe_file", denied)
    with pytest.raises(OutputNotWritableError, match=r"cannot be written \(access is denied.*\); give another -o"):
        detect_with(clip, plain(model), output=f"{bucket.url}/night")
    assert not here.exists() or not list(here.rglob("results*"))


def test_pieces_by_url_give_what_one_run_gives(bucket: Bucket, model: Path, tmp_path: Path, here: Path) -> None:
    long = write_video(tmp_path / "long.mp4", walkers(130), g="37", bf="2")
    detect_with(long, plain(model), output=tmp_path / "one")
    (spec,) = expand([bucket.put(long, "long.mp4")])
    done = {}
    for name, piece_s in (("pieces", PIECE_S), ("whole", None)):
        fleet, place = HereFleet(), RemoteRun(Url.of(f"{bucket.url}/{name}"))
        ends = detect_many({spec: place}, plain(model), fleet, piece_s=piece_s)
        assert isinstance(ends[spec], RunResults), ends
        assert run_of(got(bucket, name, tmp_path / name)) == run_of(tmp_path / "one")
        done[name] = fleet.done
    assert done == {"pieces": ["begin", "score_piece", "score_piece", "finish"], "whole": ["begin"]}
    assert list((here / "runs").iterdir()) == []


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str, str]]:
    """Runs `crowdad ARGUMENTS`, tasks in this process: exit code, what is printed, what is said on the error stream."""
    monkeypatch.setattr("crowdad.workflows.batch.fleet.LocalFleet", lambda _jobs: HereFleet())

    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return leaving.value.code, told.out, told.err

    return run


def test_several_by_url_each_to_a_place_of_its_own(
    bucket: Bucket, model: Path, clip: Path, command: Callable[..., tuple[Any, str, str]]
) -> None:
    for key in ("day/cam10.mp4", "day/cam2.mp4", "night/cam2.mp4"):
        bucket.put(clip, key)
    options = ["-m", bucket.put(model, "scene.safetensors"), "-o", f"{bucket.url}/runs", "--runtime", "torch"]
    options += ["--no-overlay", "--no-report", "--no-heatmaps"]
    code, out, err = command("detect", f"{bucket.url}/day/*.mp4", *options)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if "all that was found" in line] == [
        f"  all that was found is in {bucket.url}/runs/{name}" for name in ("cam2", "cam10")
    ]
    # The one that is new is scored, to a place of its own; the others are left as they are.
    before = bucket.files.info(f"{bucket.name}/runs/cam2/results.json")
    code, out, err = command("detect", f"{bucket.url}/**/*.mp4", *options, "--jobs", 2, "--resume")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [row[-1].rpartition("/")[2] for row in rows] == ["cam2", "cam10", "cam2-2"]
    assert bucket.files.info(f"{bucket.name}/runs/cam2/results.json") == before
    assert bucket.names("runs") == ["cam10", "cam2", "cam2-2"]


def test_an_output_without_a_bucket_is_wrong_usage(
    model: Path, clip: Path, command: Callable[..., tuple[Any, str, str]]
) -> None:
    code, out, err = command("detect", clip, "-m", model, "-o", "s3://")
    assert (code, out) == (2, "")
    assert "s3://: names no bucket" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("detect", "{url}/nothing.mp4"), "{url}/nothing.mp4: no such bucket, folder or object"),
        (("detect", "s3://no-such-bucket/a.mp4"), "s3://no-such-bucket/a.mp4: no such bucket"),
        (("detect", "s3://me:s3cret@no-such-bucket/a.mp4"), "s3://no-such-bucket/a.mp4: no such bucket"),
        (("detect", "foo://bucket/a.mp4"), "foo://bucket: footage is not read over foo"),
        (("detect", "gs://bucket/a.mp4"), "gs://bucket/a.mp4: gs:// needs gcsfs; pip install"),
        (("detect", "{clip}", "-m", "{url}/nothing.safetensors"), "{url}/nothing.safetensors: no such bucket"),
        (
            ("detect", "{clip}", "-m", "{model}", "-o", "s3://no-such-bucket/night"),
            "s3://no-such-bucket/night: no such",
        ),
        (("fit", "{clip}", "-o", "{url}/scene.safetensors"), "models are written to a file, not to an address"),
        (("info", "{url}/nothing.mp4"), "{url}/nothing.mp4: no such bucket"),
    ],
)
def test_refusals_are_one_line(
    bucket: Bucket,
    model: Path,
    clip: Path,
    command: Callable[..., tuple[Any, str, str]],
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crowdad.sources.storage.find_spec", lambda name: None if name == "gcsfs" else object())
    known = {"url": bucket.url, "clip": clip, "model": model}
    code, out, err = command(*(argument.format(**known) for argument in arguments))
    assert (code, out) == (1, "")
    assert err.startswith("crowdad: ")
    assert said.format(**known) in err
    assert err.count("\n") == 1
    assert "s3cret" not in err


def test_info_by_url(
    bucket: Bucket, model: Path, clip: Path, command: Callable[..., tuple[Any, str, str]], tmp_path: Path
) -> None:
    url = bucket.put(clip, "clip.mp4")
    code, out, _ = command("info", url)
    assert code == 0
    assert out.startswith(f"{url}: footage\n  picture      128x96")
    url = bucket.put(model, "scene.safetensors")
    code, out, _ = command("info", url.replace("s3://", "s3://me:s3cret@"))
    assert code == 0
    assert out.startswith(f"{url}: scene model\n")


def test_a_library_user_gives_urls(bucket: Bucket, model: Path, clip: Path) -> None:
    url = bucket.put(clip, "clip.mp4")
    results = list(crowdad.score(url, bucket.put(model, "scene.safetensors")))
    assert [result.anomaly for result in results] == [result.anomaly for result in crowdad.score(clip, model)]


def test_learning_by_url(bucket: Bucket, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class LearnedError(Exception):
        pass

    def stop(sources: list[Source], *_: Any, **__: Any) -> None:
        assert [source.name for source in sources] == ["a.mp4", "b.mp4"]
        assert all(len(list(source.frames())) == 30 for source in sources)
        raise LearnedError

    monkeypatch.setattr(fitting, "fit_sources", stop)
    # Room for less than one: what is to be learned from is in use, and stays.
    monkeypatch.setattr(_fetched, "CACHE_BYTES", 10)
    for name in ("a.mp4", "b.mp4"):
        bucket.put(clip, f"normal/{name}")
    with pytest.raises(LearnedError):
        crowdad.fit(f"{bucket.url}/normal/*.mp4")
    long = write_video(tmp_path / "day.mp4", walkers(40), times_s=[180.0 * index for index in range(40)])
    (spec,) = expand([bucket.put(long, "day.mp4")])
    windows, sampled = learning_sources([spec], Part())
    assert sampled
    assert len(windows) == len(learning_sources([long], Part())[0])


def test_addresses_that_became_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritableError, match="only crowdad detect puts"):
        RunFolder(Path("s3://bucket/watch"))
    assert isinstance(RemoteRun.of("s3://bucket/a"), RemoteRun)
    assert RemoteRun.of(tmp_path) is None
    assert RemoteRun.of(None) is None


def test_the_footage_of_a_url_is_drawn_again(bucket: Bucket, model: Path, clip: Path, tmp_path: Path) -> None:
    url = bucket.put(clip, "clip.mp4")
    detect_with(url, plain(model), output=tmp_path / "run")
    assert crowdad.overlay(url, tmp_path / "run").stat().st_size > 0
    assert isinstance(expand([url])[0], RemoteFootage)
