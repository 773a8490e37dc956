"""Bodies that walk: bones keep their length, feet stay where they stand."""

import numpy as np
import pytest

from crowdad.synthetic.agents import KINDS, Agent, pose_of
from crowdad.synthetic.gait import JOINTS


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
