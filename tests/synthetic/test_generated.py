import math
import os
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from crowdad.errors import ConfigError, DataError, DatasetNotFoundError, OutputNotWritableError
from crowdad.synthetic import (
    IN_SCOPE,
    OUT_OF_SCOPE,
    SCENES,
    Camera,
    GeneratedClip,
    SceneConfig,
    Stream,
    load_truth,
    scene_config,
    write_clip,
)
from crowdad.synthetic.agents import KINDS, Agent, pose_of
from crowdad.synthetic.gait import JOINTS


@pytest.fixture(scope="module")
def small_scene() -> SceneConfig:
    """A quick scene: 160x240, a few people, one anomaly."""
    camera = Camera((160, 240), 7.0, 32.0, 280.0)
    return SceneConfig("small", camera, 10.0, 6.0, 6, 0, (Stream(0, 20), Stream(180, 20)), ("runner",), 0.4)


class TestCamera:
    def test_straight_down_view_scales_by_focal_length_over_height(self):
        camera = Camera((101, 201), 10.0, 90.0, 200.0)
        xy, depth = camera.project([1.0, 2.0, 0.0])
        np.testing.assert_allclose(xy, (100 + 20.0, 50 - 40.0), atol=1e-6)
        assert depth == pytest.approx(10.0)
        velocity = camera.image_velocity([0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
        np.testing.assert_allclose(velocity, (20.0, 0.0), atol=1e-6)

    def test_ground_is_the_inverse_of_project(self):
        camera = scene_config("demo").camera
        pixels = np.array([[0.0, 0.0], [320.0, 180.0], [639.0, 359.0]])
        place = camera.ground(pixels, level_m=0.8)
        xy, _ = camera.project(np.concatenate([place, np.full((3, 1), 0.8)], axis=1))
        np.testing.assert_allclose(xy, pixels, atol=1e-6)

    def test_height_and_speed_of_a_person_by_hand(self):
        # 45 degrees down from 10 m: the optical axis meets the ground 10 m ahead, 10 sqrt(2) m away.
        camera = Camera((201, 201), 10.0, 45.0, 100 * math.sqrt(2))
        # There a short upright stick is seen at 45 degrees, so a metre shows as 10 px / sqrt(2).
        assert camera.person_height_px(100, 100, height_m=0.001) == pytest.approx(0.01 / math.sqrt(2), rel=1e-3)
        np.testing.assert_allclose(camera.image_velocity([0, 10, 0], [1, 0, 0]), (10, 0), atol=1e-4)
        np.testing.assert_allclose(camera.image_velocity([0, 10, 0], [0, 1, 0]), (0, -10 / math.sqrt(2)), atol=1e-4)

    def test_the_same_person_has_the_same_height_by_feet_and_by_middle(self):
        camera = scene_config("steep").camera
        place = np.array([3.0, 40.0])
        feet, _ = camera.project([*place, 0.0])
        middle, _ = camera.project([*place, 0.86])
        by_middle = camera.person_height_px(*middle, at=0.5)
        assert camera.person_height_px(*feet) == pytest.approx(float(by_middle))

    def test_a_horizon_in_the_picture_is_refused(self):
        with pytest.raises(ConfigError, match="tilt"):
            Camera((360, 640), 5.0, 10.0, 600.0)

    @pytest.mark.parametrize(
        ("name", "small_px", "tall_px"),
        [("demo", 30, 70), ("plaza720", 50, 120), ("steep", 12, 52), ("top", 19, 23), ("ped2like", 24, 33)],
    )
    def test_scenes_have_the_sizes_they_promise(self, name, small_px, tall_px):
        camera = scene_config(name).camera
        heights = camera.person_height_px(camera.size_hw[1] / 2, np.arange(camera.size_hw[0]))
        assert small_px <= heights.min() <= heights.max() <= tall_px


class TestBodies:
    @pytest.mark.parametrize("speed", [0.9, 1.35, 1.7])
    def test_one_foot_always_stays_where_it_stands(self, speed):
        step_s = 0.005
        way = np.array([[0.0, 0.0], [50.0, 0.0]])
        agent = Agent(0, "walker", KINDS["walker"].build(np.random.default_rng(0)), way, speed).start(0.0)
        feet = [JOINTS.index(name) for name in ("heel_l", "toe_l", "heel_r", "toe_r")]
        places = []
        for _ in range(400):
            agent.advance(step_s)
            pose = pose_of("walker", agent.state[3], agent.state[5]) * agent.model.scale_m
            places.append(pose[feet, 0] + agent.state[0])
        slowest = np.abs(np.diff(places, axis=0) / step_s).min(axis=1)
        assert slowest.mean() < 0.05
        assert slowest.max() < 0.15

    @pytest.mark.parametrize("kind", ["walker", "runner", "stander", "bicycle", "skater", "wheelchair"])
    def test_bones_keep_their_length(self, kind):
        poses = np.array([pose_of(kind, phase, 1.35) for phase in np.linspace(0, 1, 33)])
        for joint, length in (("hip", 0.248), ("ankle", 0.245)):
            if kind == "wheelchair":
                continue
            bone = poses[:, JOINTS.index("knee_l")] - poses[:, JOINTS.index(f"{joint}_l")]
            np.testing.assert_allclose(np.linalg.norm(bone, axis=1), length, rtol=0.06)
        assert poses[:, JOINTS.index("head"), 2].min() > 0.6
        assert poses[..., 2].min() > 0

    def test_every_kind_can_be_built_and_placed(self):
        for kind in KINDS.values():
            model = kind.build(np.random.default_rng(3))
            world = model.place(pose_of("stander", 0.0, 0.0), np.array([1.0, 2.0]), 0.3, 0.5)
            assert world.shape == (len(model.radii_m), 3)
            assert len(model.colours) == len(model.starts) - 1 == len(model.sheen)


class TestCrowd:
    def test_one_seed_is_one_crowd_at_every_frame_rate(self, small_scene):
        slow = list(GeneratedClip(small_scene, 5, fps=5).positions())
        fast = list(GeneratedClip(small_scene, 5, fps=50).positions())
        for index, people in enumerate(slow):
            assert people == fast[10 * index]

    def test_speeds_are_those_of_walkers(self):
        clip = GeneratedClip("top", 1, fps=5, duration_s=30, normal_only=True)
        speeds = [person.speed_m_s for people in clip.positions() for person in people if person.kind == "walker"]
        assert np.median(speeds) == pytest.approx(1.35, abs=0.12)
        assert np.percentile(speeds, 99) < 2.0

    def test_nobody_jumps_and_nobody_appears_in_the_picture(self):
        clip = GeneratedClip("demo", 2, fps=20, duration_s=20)
        height, width = clip.size_hw
        before: dict[int, tuple[float, float]] = {}
        for index, people in enumerate(clip.positions()):
            for person in people:
                xy, _ = clip.camera.project([person.x_m, person.y_m, 0.9])
                if person.track_id in before:
                    moved = math.dist(before[person.track_id], (person.x_m, person.y_m))
                    assert moved < 6.0 / clip.fps
                elif index:
                    assert not (0 <= xy[0] < width and 0 <= xy[1] < height)
            before = {person.track_id: (person.x_m, person.y_m) for person in people}

    def test_people_rarely_walk_through_each_other(self):
        clip = GeneratedClip("demo", 0, fps=5, duration_s=40, normal_only=True)
        close = [
            np.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < 0.3
            for people in clip.positions()
            for row, a in enumerate(people)
            for b in people[:row]
        ]
        assert np.mean(close) < 0.002


class TestClip:
    def test_every_pass_gives_the_same_frames(self, small_scene):
        clip = GeneratedClip(small_scene, 3)
        first, truths = zip(*clip, strict=True)
        assert len(first) == clip.n_frames == len(clip) == 60
        assert first[0].shape == (160, 240, 3)
        assert first[0].dtype == np.uint8
        for picture, alone in zip(first, GeneratedClip(small_scene, 3).frames(), strict=True):
            np.testing.assert_array_equal(picture, alone)
        for truth, undrawn in zip(truths, clip.truths(), strict=True):
            np.testing.assert_array_equal(truth.mask, undrawn.mask)
            assert truth.boxes_xyxy == undrawn.boxes_xyxy

    def test_seeds_share_the_place_and_differ_in_people(self, small_scene):
        still = replace(small_scene, people=0, noise=0.0, drift=0.0, anomalies=())
        empty = [next(iter(GeneratedClip(still, seed).frames())) for seed in (0, 1)]
        np.testing.assert_array_equal(*empty)
        crowded = [next(iter(GeneratedClip(replace(small_scene, noise=0.0), seed).frames())) for seed in (0, 1)]
        assert (np.abs(crowded[0].astype(int) - crowded[1]) > 20).any()

    def test_truth_agrees_with_itself_and_the_picture(self, small_scene):
        calm = replace(small_scene, noise=0.0, drift=0.0)
        labels = []
        for picture, truth in GeneratedClip(calm, 4):
            assert truth.label == truth.mask.any() == ("runner" in truth.kinds)
            assert len(truth.kinds) == len(truth.boxes_xyxy) == len(truth.track_ids)
            for x0, y0, x1, y1 in truth.boxes_xyxy:
                assert 0 <= x0 < x1 <= 240
                assert 0 <= y0 < y1 <= 160
                assert not truth.mask[:, : int(x0)].any()
                assert not truth.mask[int(y1) :].any()
            if truth.label:
                ring = cv2.dilate(truth.mask.astype(np.uint8), np.ones((9, 9))) > truth.mask
                assert np.abs(picture[truth.mask].std(axis=0)).max() > picture[ring].std() * 0.3
            labels.append(truth.label)
        assert 0.15 < np.mean(labels) < 0.75
        assert not labels[0]

    def test_the_mask_is_where_the_anomaly_was_drawn(self, small_scene):
        calm = replace(small_scene, noise=0.0, drift=0.0, people=0, anomalies=("cart",))
        empty = next(iter(GeneratedClip(replace(calm, anomalies=()), 0).frames())).astype(int)
        for picture, truth in GeneratedClip(calm, 0):
            if truth.label and truth.mask.sum() > 200:
                changed = np.abs(picture - empty).max(axis=2) > 12
                assert (changed & truth.mask).sum() > 0.85 * truth.mask.sum()

    def test_normal_only_has_no_anomaly(self):
        clip = GeneratedClip("demo", 0, normal_only=True, fps=5)
        assert not any(truth.label or truth.out_of_scope or truth.kinds for truth in clip.truths())

    def test_the_demo_shows_every_kind_about_a_quarter_of_the_time(self):
        truths = list(GeneratedClip("demo", 0, fps=5).truths())
        assert {kind for truth in truths for kind in truth.kinds} == {*IN_SCOPE, *OUT_OF_SCOPE}
        assert 0.2 <= np.mean([truth.label for truth in truths]) <= 0.35
        assert np.mean([truth.out_of_scope and not truth.label for truth in truths]) < 0.4

    @pytest.mark.parametrize("name", list(SCENES))
    def test_every_scene_draws(self, name):
        picture, truth = next(iter(GeneratedClip(name, 1)))
        assert picture.shape == (*truth.mask.shape, 3)
        assert 60 < picture.mean() < 200

    def test_shake_and_compression_change_the_picture_only_a_little(self, small_scene):
        rough = replace(small_scene, shake_px=0.7, jpeg_quality=60)
        plain = next(iter(GeneratedClip(small_scene, 0).frames())).astype(int)
        shaken = next(iter(GeneratedClip(rough, 0).frames())).astype(int)
        assert 0.3 < np.abs(plain - shaken).mean() < 12

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [({"fps": 60.0}, "5 to 50"), ({"anomalies": ("dragon",)}, "dragon"), ({"anomaly_share": 0.0}, "share")],
    )
    def test_wrong_settings_are_refused(self, small_scene, wrong, says):
        with pytest.raises(ConfigError, match=says):
            replace(small_scene, **wrong)

    def test_unknown_scene_names_the_known_ones(self):
        with pytest.raises(ConfigError, match="plaza720"):
            GeneratedClip("beach")


def test_optical_flow_of_walkers_is_their_projected_speed():
    camera = Camera((300, 480), 7.0, 32.0, 700.0)
    scene = SceneConfig("near", camera, 25.0, 3.0, 5, 0, (Stream(0, 25), Stream(180, 25)), (), noise=1.0)
    clip = GeneratedClip(scene, 1)
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before, ratios = None, []
    for picture, people in zip(clip.frames(), clip.positions(), strict=True):
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        for person in people if before is not None else ():
            torso = np.array([person.x_m, person.y_m, 0.66 * person.height_m])
            x, y = np.rint(camera.project(torso)[0]).astype(int)
            if person.speed_m_s > 0.8 and 20 < x < 460 and 20 < y < 280:
                heading = person.heading_rad
                velocity = person.speed_m_s * np.array([math.cos(heading), math.sin(heading), 0.0])
                truth = camera.image_velocity(torso, velocity) / clip.fps
                flow = flow_of.calc(before, grey, None)[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 2)
                ratios.append(np.median(flow, axis=0) @ truth / (truth @ truth))
        before = grey
    assert len(ratios) > 40
    assert np.median(ratios) == pytest.approx(1.0, abs=0.15)


def _differencing_auc(clip: GeneratedClip) -> tuple[float, float]:
    """Frame AUC of the mean, and of the coarse grid's maximum, of absolute frame differences."""
    before, means, tops, labels = None, [], [], []
    for picture, truth in clip:
        if before is not None and (truth.label or not truth.out_of_scope):
            change = cv2.absdiff(picture, before).mean(axis=2)
            cells = change[: len(change) // 20 * 20].reshape(len(change) // 20, 20, -1, 20).mean(axis=(1, 3))
            means.append(change.mean())
            tops.append(cells.max())
            labels.append(truth.label)
        before = picture
    return roc_auc_score(labels, means), roc_auc_score(labels, tops)


def test_differencing_frames_does_not_solve_the_demo():
    assert max(_differencing_auc(GeneratedClip("demo", 0, fps=10))) < 0.80


@pytest.mark.slow
def test_differencing_frames_does_not_solve_the_demo_at_full_rate():
    assert max(_differencing_auc(GeneratedClip("demo", 0))) < 0.80


class TestFiles:
    @pytest.mark.skipif(
        not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="needs two processors to choose",
    )
    def test_one_seed_gives_one_video_on_one_processor_and_on_two(self, small_scene, tmp_path):
        allowed = os.sched_getaffinity(0)
        clip = GeneratedClip(small_scene, duration_s=4)
        write_clip(clip, tmp_path / "many.mp4")
        os.sched_setaffinity(0, {min(allowed)})
        try:
            write_clip(clip, tmp_path / "one.mp4")
        finally:
            os.sched_setaffinity(0, allowed)
        assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()

    def test_written_clip_can_be_read_with_its_truth(self, small_scene, tmp_path):
        clip = GeneratedClip(small_scene, 3, duration_s=4)
        path = tmp_path / "new" / "clip.mp4"
        assert write_clip(clip, path) == tmp_path / "new" / "clip.truth.json"
        with av.open(str(path)) as video:
            stream = video.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert stream.average_rate == 10
            pictures = [frame.to_ndarray(format="bgr24") for frame in video.decode(stream)]
        assert len(pictures) == 40
        assert np.abs(pictures[5].astype(int) - list(clip.frames())[5]).mean() < 8
        truth, drawn = load_truth(path), list(clip.truths())
        np.testing.assert_array_equal(truth.labels, [frame.label for frame in drawn])
        np.testing.assert_array_equal(truth.of_kind("runner"), [frame.label for frame in drawn])
        assert truth.boxes_xyxy == tuple(frame.boxes_xyxy for frame in drawn)
        assert (truth.fps, truth.size_hw) == (10.0, (160, 240))
        assert truth.provenance["seed"] == 3
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["clip.mp4", "clip.truth.json"]

    def test_missing_and_foreign_truth_are_named(self, tmp_path):
        with pytest.raises(DatasetNotFoundError, match="not there"):
            load_truth(tmp_path / "clip.mp4")
        (tmp_path / "clip.truth.json").write_text('{"format": "something else"}')
        with pytest.raises(DataError, match="not the truth"):
            load_truth(tmp_path / "clip.mp4")

    def test_a_place_that_cannot_be_written_is_named(self, small_scene, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputNotWritableError, match="cannot be written"):
            write_clip(GeneratedClip(small_scene, duration_s=1), tmp_path / "file" / "clip.mp4")
