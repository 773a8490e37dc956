"""One file holds a scene, bit for bit; anything else in its place is one clear line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from threadpoolctl import threadpool_info, threadpool_limits

from crowdad.errors import CrowdadError, ModelError, ModelFormatError, ModelVersionError, OutputNotWritableError
from crowdad.records import Event
from crowdad.scene.model import FORMAT_VERSION, SceneModel, _digest
from tests.tiny_scene import PERSON_PX, SIZE_HW, model_of, moved_otherwise, scale_of, settings_of

ARRAYS = ("centres", "shares", "mean", "spread", "tube_normality", "thumbnails")
FILED = [f"motion.{name}" for name in ARRAYS]


def tubes_like(count: int = 7, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 0.5, (count, 3, 5, 5, 3)).astype(np.float32)


@pytest.fixture
def saved(tmp_path):
    return model_of().save(tmp_path / "gate.safetensors")


def refused(path, error: type[CrowdadError], *told: str) -> None:
    with pytest.raises(error) as caught:
        SceneModel.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    for part in told:
        assert part in message


def rewritten(path, *, metadata=None, arrays=None, drop=()):
    """The model file with some of its content replaced."""
    with safe_open(str(path), framework="numpy") as file:
        head = json.loads(file.metadata()["crowdad-scene"])
        content = {name: file.get_tensor(name) for name in file.keys() if name not in drop}  # noqa: SIM118
    head = {name: text for name, text in {**head, **(metadata or {})}.items() if name not in drop}
    content |= arrays or {}
    head["digest"] = _digest(head, content)
    save_file(content, str(path), {"crowdad-scene": json.dumps(head)})
    return path


def test_a_saved_scene_comes_back_bit_for_bit(tmp_path, saved):
    scene, again = model_of(), SceneModel.load(saved)
    for name in ARRAYS:
        there, here = getattr(again.motion, name), getattr(scene.motion, name)
        assert there.dtype == here.dtype
        assert np.array_equal(there, here)
    assert scene.motion.weights.keys() == again.motion.weights.keys()
    assert all(np.array_equal(scene.motion.weights[name], again.motion.weights[name]) for name in scene.motion.weights)
    for name in ("settings", "scale", "calibration", "provenance"):
        assert getattr(scene, name) == getattr(again, name)
    assert np.array_equal(scene.motion.normality(tubes_like()), again.motion.normality(tubes_like()))
    again.save(tmp_path / "twice.safetensors")
    assert SceneModel.sha256(saved) == SceneModel.sha256(tmp_path / "twice.safetensors")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("code_norm", ["l2", "none", "batch", "layer"])
def test_every_code_norm_scores_cosines_also_after_a_round_trip(tmp_path, code_norm):
    scene = model_of(settings=settings_of(f"encoder.code_norm={code_norm}"))
    codes = scene.motion.codes(tubes_like())
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-5)
    again = SceneModel.load(scene.save(tmp_path / "scene"))
    assert np.array_equal(again.motion.codes(tubes_like()), codes)
    assert again.motion.normality(tubes_like()) == pytest.approx((codes @ scene.motion.centres.T).max(axis=1), abs=1e-6)


def test_features_are_standardised_before_they_are_encoded():
    scene = model_of()
    moved = moved_otherwise(scene, mean=scene.motion.mean + 2, spread=scene.motion.spread * 3)
    np.testing.assert_allclose(moved.motion.codes(tubes_like() * 3 + 2), scene.motion.codes(tubes_like()), atol=1e-5)


def test_no_tubes_have_no_scores():
    assert model_of().motion.normality(tubes_like(0)).shape == (0,)
    assert model_of().motion.codes(tubes_like(0)).shape == (0, model_of().motion.centres.shape[1])


def test_a_model_can_be_written_into_a_folder_that_does_not_exist_yet(tmp_path):
    path = model_of().save(tmp_path / "new" / "deep" / "gate.safetensors")
    assert SceneModel.load(path).provenance == {"how": "one-class", "frames": 7}


def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "file" / "gate.safetensors", tmp_path):
        with pytest.raises(OutputNotWritableError, match="cannot be written"):
            model_of().save(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_missing_file_and_a_folder_say_how_to_make_one(tmp_path):
    refused(tmp_path / "none.safetensors", ModelError, "no such model file", "crowdad.fit")
    refused(tmp_path, ModelError, "no such model file")


@pytest.mark.parametrize("content", [b"", b"\x00" * 4, b"hello, this is text\n" * 50, b"\xff" * 4096])
def test_a_foreign_file_is_one_line(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    refused(path, ModelFormatError, "crowdad.fit")


def test_a_safetensors_file_of_somebody_else_is_one_line(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, str(path))
    refused(path, ModelFormatError, "no crowdad scene model")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_a_truncated_file_is_one_line(saved, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole))])
    refused(saved, ModelFormatError)


def test_motions_are_kept_where_there_are_any(tmp_path):
    motions = np.random.default_rng(1).integers(0, 255, (4, 5, 5, 3), dtype=np.uint8)
    kept = SceneModel.load(moved_otherwise(model_of(), motions=motions).save(tmp_path / "new"))
    assert np.array_equal(kept.motion.motions, motions)
    assert SceneModel.load(model_of().save(tmp_path / "old")).motion.motions is None


def test_the_map_of_motion_is_kept_where_there_is_one(tmp_path):
    activity = np.linspace(0, 2, 12, dtype=np.float16).reshape(3, 4)
    kept = SceneModel.load(replace(model_of(), activity=activity).save(tmp_path / "new"))
    assert kept.activity.dtype == np.float16
    assert np.array_equal(kept.activity, activity)
    assert SceneModel.load(model_of().save(tmp_path / "old")).activity is None


def test_an_array_that_nothing_is_known_of_is_one_line(saved):
    refused(rewritten(saved, arrays={"later": np.zeros(3, np.float32)}), ModelFormatError, "later")


@pytest.mark.parametrize("streams", [["motion", "tomorrow"], [], ["tomorrow"], "motion", None])
def test_streams_that_are_not_known_are_one_line(saved, streams):
    refused(rewritten(saved, metadata={"streams": streams}), ModelFormatError, "streams")


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, FORMAT_VERSION - 1, 0, "", "next", None])
def test_another_version_is_one_line(saved, version):
    refused(rewritten(saved, metadata={"format_version": version}), ModelVersionError, "fit the scene again")


@pytest.mark.parametrize("missing", [*FILED, "streams", "settings", "scale", "calibration", "provenance"])
def test_a_missing_part_is_named(saved, missing):
    refused(rewritten(saved, drop=(missing,)), ModelFormatError, missing.rpartition(".")[2])


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("motion.centres", np.zeros((4, 5), np.float32)),
        ("motion.centres", np.zeros(9, np.float32)),
        ("motion.centres", np.zeros((0, 9), np.float32)),
        ("motion.shares", np.ones(3, np.float32)),
        ("motion.mean", np.zeros((3, 1, 4, 1), np.float32)),
        ("motion.spread", np.float32(1)),
        ("motion.tube_normality", np.zeros(100, np.float32)),
        ("motion.thumbnails", np.zeros((2, 36, 24), np.uint8)),
        ("motion.centres", np.full((4, 9), np.nan, np.float32)),
        ("motion.centres", np.full((4, 9), 0.5, np.float32)),
        ("motion.centres", np.eye(4, 9)),
        ("motion.spread", np.zeros((3, 1, 5, 1), np.float32)),
        ("motion.mean", np.zeros((2, 1, 5, 1), np.float32)),
        ("motion.thumbnails", np.zeros(4, np.uint8)),
        ("motion.motions", np.zeros((2, 5, 5, 3), np.uint8)),
        ("motion.motions", np.zeros((4, 5, 5, 3), np.float32)),
        ("activity", np.zeros((3, 4), np.float32)),
        ("activity", np.zeros(3, np.float16)),
        ("activity", np.full((3, 4), np.inf, np.float16)),
        ("activity", np.full((3, 4), -1, np.float16)),
    ],
)
def test_wrong_shapes_and_numbers_are_named(saved, name, array):
    told = name.rpartition(".")[2] if array.size else "centres"
    refused(rewritten(saved, arrays={name: np.asarray(array)}), ModelFormatError, told)


def test_weights_that_do_not_fit_the_settings_are_one_line(saved):
    refused(
        rewritten(saved, arrays={"motion.encoder.trunk.0.bias": np.full(32, np.inf, np.float32)}),
        ModelFormatError,
        "nan or inf",
    )
    settings = settings_of("encoder.temporal_kernel=5")
    refused(
        rewritten(saved, metadata={"settings": settings.model_dump(mode="json")}),
        ModelFormatError,
        r"weight trunk.0.weight is (32, 3, 3, 3, 3), (32, 3, 5, 3, 3) is needed",
    )


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("settings", {"tubes": {"steps": 0}}),
        ("settings", "text"),
        ("scale", {"size_hw": [96, 128]}),
        ("scale", [1]),
        ("calibration", {"level": 1, "surprise": 2}),
        ("calibration", None),
        ("calibration", {**model_of().calibration.as_dict(), "scale": 0}),
        ("calibration", {**model_of().calibration.as_dict(), "peaks_per_hour": [[]]}),
        ("settings", {"heatmap": {"cell": 1e-300}}),
        ("settings", {"motion": {"local_sigma": 2**31}}),
        ("scale", {**scale_of().as_dict(), "fps": "fast"}),
        ("scale", {**scale_of().as_dict(), "gap": 0}),
        ("scale", {**scale_of().as_dict(), "walk": 1e-300}),
        ("scale", {**scale_of().as_dict(), "person": [1e300, 0, 0]}),
        ("scale", {**scale_of().as_dict(), "rows": 0}),
        ("scale", {**scale_of().as_dict(), "surprise": 1}),
        ("provenance", {"how": "by magic"}),
        ("provenance", {"how": "one-class", "sources": [1]}),
        ("provenance", "text"),
    ],
)
def test_a_damaged_header_is_one_line(saved, part, content):
    refused(rewritten(saved, metadata={part: content}), ModelFormatError)


def test_a_header_that_is_nested_too_deep_is_one_line(tmp_path):
    path = tmp_path / "deep.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, str(path), {"crowdad-scene": "[" * 200_000})
    refused(path, ModelFormatError)


def test_the_first_fault_of_a_header_is_named(saved):
    forged = {**scale_of().as_dict(), "rows": [1]}
    refused(rewritten(saved, metadata={"scale": forged}), ModelFormatError, "SceneScale: rows.1: field required")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_one_flipped_bit_is_told(saved, share):
    whole = bytearray(saved.read_bytes())
    whole[int(share * len(whole))] ^= 4
    saved.write_bytes(whole)
    refused(saved, ModelFormatError)


@pytest.mark.parametrize("header", ["{", "[1]", "3", ""])
def test_a_header_that_is_no_object_is_one_line(saved, header):
    save_file({"centres": np.zeros((4, 9), np.float32)}, str(saved), {"crowdad-scene": header})
    refused(saved, ModelFormatError)


def test_fitted_to_scales_heights_rows_walk_and_gap():
    scene = model_of(scale_of(gap=2, person=(PERSON_PX, 0.01, 0.2)))
    double = scene.fitted_to((2 * SIZE_HW[0], 2 * SIZE_HW[1]), fps=25.0).scale
    assert double.size_hw == (192, 256)
    assert double.person == (2 * PERSON_PX, 0.01, 0.2)
    assert double.rows == (0.0, 190.0)
    assert double.walk == pytest.approx(scene.scale.walk * 10 / 25)
    assert double.gap == 5
    assert double.fps == 25.0
    for x, y in ((10.0, 20.0), (100.0, 90.0)):
        assert double.person_px(2 * x, 2 * y) == pytest.approx(2 * scene.scale.person_px(x, y))
    assert scene.fitted_to(SIZE_HW, fps=2.5).scale.gap == 1
    back = scene.fitted_to((192, 256), 20.0).fitted_to(SIZE_HW, 10.0)
    assert back.scale == scene.scale


@pytest.mark.parametrize("fps", [0.2, 1.0, 2.0])
def test_a_rate_too_low_to_follow_people_is_refused(fps):
    """Who walks 0.75 of their height a second moves on by more than a third of it below 2.25 pictures a second."""
    with pytest.raises(ModelError, match=rf"{fps:g} .*2\.2"):
        model_of().fitted_to(SIZE_HW, fps)


def test_fitted_to_keeps_what_was_learnt_and_refuses_another_shape():
    scene = model_of()
    other = scene.fitted_to((48, 64), 10.0)
    assert np.array_equal(other.motion.normality(tubes_like()), scene.motion.normality(tubes_like()))
    assert scene.fitted_to((97, 128), 10.0).scale.size_hw == (97, 128)
    with pytest.raises(ModelError, match=r"128x96 .*96x96"):
        scene.fitted_to((96, 96), 10.0)


def test_a_model_which_shows_people_is_for_its_owner_alone(tmp_path):
    assert model_of().save(tmp_path / "m.safetensors").stat().st_mode & 0o777 == 0o600


def test_scoring_keeps_to_one_thread_and_gives_the_others_back(monkeypatch: pytest.MonkeyPatch):
    """Threads that wait for their next product spin, and take the time that finding the next tubes needs."""
    scene = model_of()
    features = np.random.default_rng(0).normal(size=(40, *scene.motion.mean.shape[:1], 5, 5, 3)).astype(np.float32)
    seen: list[set[int]] = []

    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    def noting(codes, centres):
        seen.append({*threads(), torch.get_num_threads()})
        return np.ones(len(codes), np.float32)

    monkeypatch.setattr("crowdad.scene.normality.normality", noting)
    with threadpool_limits(2, user_api="blas"):
        before = threads(), torch.get_num_threads()
        scene.motion.normality(features)
        assert seen == [{1}]
        assert (threads(), torch.get_num_threads()) == before


def test_events_of_wanted_kinds_are_named_and_numbered_without_gaps():
    box = (40.0, 20.0, 60.0, 60.0)
    fast, slow = (90.0, 0.0), (30.0, 0.0)  # 3 times as fast as people walk, and as fast
    events = [
        Event(number, 1.0, 2.0, 10, 19, 1.5, 15, 0.8, box, velocity_px_s=velocity)
        for number, velocity in enumerate((slow, fast, slow, fast), start=1)
    ]
    kinds = ["moves unusually", "fast", "moves unusually", "fast"]
    assert [(event.event_id, event.kind) for event in model_of().named(events)] == list(enumerate(kinds, start=1))
    for setting in ('events.kinds=["fast"]', 'events.not_kinds=["moves unusually"]'):
        named = model_of(settings=settings_of(setting)).named(events)
        assert [(event.event_id, event.kind) for event in named] == [(1, "fast"), (2, "fast")]
        assert "3.0 times as fast" in named[0].sentence
    assert model_of(settings=settings_of('events.kinds=["glides"]')).named(events) == []
