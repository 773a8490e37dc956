"""Generated clips: one seed is one clip, and its truth is where its picture is."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from crowdad.errors import ConfigError
from crowdad.synthetic import (
    IN_SCOPE,
    OUT_OF_SCOPE,
    SCENES,
    Camera,
    GeneratedClip,
    SceneConfig,
    Stream,
)


class Differenced:
    """A clip's truths without masks, and the absolute differences between its frames: mean, coarse grid's maximum."""

    def __init__(self, clip: GeneratedClip) -> None:
        before, self.truths, self.changes = None, [], []
        for picture, truth in clip:
            if before is not None:
                change = cv2.absdiff(picture, before).mean(axis=2)
                cells = change[: len(change) // 20 * 20].reshape(len(change) // 20, 20, -1, 20).mean(axis=(1, 3))
                self.changes.append((change.mean(), cells.max()))
            self.truths.append(replace(truth, mask=truth.mask[:0]))
            before = picture

    def aucs(self) -> list[float]:
        """Frame AUC of either difference; frames that show only what is out of scope are left out."""
        counted = [
            (change, truth.label)
            for change, truth in zip(self.changes, self.truths[1:], strict=True)
            if truth.label or not truth.out_of_scope
        ]
        changes, labels = zip(*counted, strict=True)
        return [roc_auc_score(labels, one) for one in zip(*changes, strict=True)]


@pytest.fixture(scope="module")
def differenced_demo() -> Differenced:
    return Differenced(GeneratedClip("demo", 0, fps=5))


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

    def test_the_demo_shows_every_kind_about_a_quarter_of_the_time(self, differenced_demo):
        truths = differenced_demo.truths
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


def test_differencing_frames_does_not_solve_the_demo(differenced_demo):
    assert max(differenced_demo.aucs()) < 0.80


@pytest.mark.slow
def test_differencing_frames_does_not_solve_the_demo_at_full_rate():
    assert max(Differenced(GeneratedClip("demo", 0)).aucs()) < 0.80
