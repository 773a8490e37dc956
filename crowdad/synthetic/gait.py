"""Poses of a human body: walking, running, standing, riding, sitting, as tables over a cycle.

A pose is float64 (len(JOINTS), 3): x forward, y left, z up, from the point on the ground below the body, in body
heights.  While a foot is on the ground it moves back exactly as fast as the body moves on, so feet do not slide.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = [
    "JOINTS",
    "RUN_STRIDE",
    "WALK_STRIDE",
    "glide_pose",
    "pedal_table",
    "run_table",
    "sit_pose",
    "stand_table",
    "walk_table",
]

Floats = npt.NDArray[np.float64]

JOINTS = (
    *("hip_l", "hip_r", "knee_l", "knee_r", "ankle_l", "ankle_r", "heel_l", "heel_r", "toe_l", "toe_r"),
    *("shoulder_l", "shoulder_r", "elbow_l", "elbow_r", "hand_l", "hand_r", "neck", "head"),
)
_AT = {name: row for row, name in enumerate(JOINTS)}

PHASES = 64
"""Poses in one cycle of a table."""

AMPLITUDES = np.array([0.0, 0.3, 0.6, 0.85, 1.1])
"""Step lengths of the walking table, 1 = the usual step."""

WALK_STRIDE = 0.8
"""Body heights that two usual walking steps cover."""

RUN_STRIDE = 1.45
"""Body heights that two running steps cover."""

_THIGH, _SHIN = 0.248, 0.245
_ANKLE_Z, _HEEL_X, _BALL_X, _TOE_X = 0.042, -0.035, 0.095, 0.118


def _bend(start: Floats, end: Floats, first: float, second: float, side: float) -> tuple[Floats, Floats]:
    """The joint between two bones of given length, and the end that can be reached.

    start, end: (3,).  side: +1 bends forward (knee), -1 backward (elbow).
    """
    span = end - start
    length = min(float(np.linalg.norm(span)), (first + second) * 0.999)
    length = max(length, abs(first - second) * 1.01 + 1e-6)
    along = span / (np.linalg.norm(span) + 1e-9)
    reach = (first**2 - second**2 + length**2) / (2 * length)
    rise = math.sqrt(max(first**2 - reach**2, 0.0))
    normal = np.array([-along[2], 0.0, along[0]])
    normal = normal / (np.linalg.norm(normal) + 1e-9)
    if normal[0] * side < 0:
        normal = -normal
    return start + along * reach + normal * rise, start + along * length


def _ramp(value: float, start: float, end: float) -> float:
    share = min(max((value - start) / (end - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _turn(point: Floats, about: Floats, angle: float) -> Floats:
    """Turn (x, z) about a centre; a positive angle lifts what lies ahead."""
    offset = point - about
    cos, sin = math.cos(angle), math.sin(angle)
    return about + np.array([offset[0] * cos - offset[1] * sin, offset[0] * sin + offset[1] * cos])


def _planted(u: float, stride: float, contact: float, stance: float, pitch: float) -> tuple[Floats, float]:
    """Ankle (x, z) and foot angle at share u of a leg's cycle, u < stance: rolls over heel, sole and ball."""
    ankle = np.array([contact - stride * u, _ANKLE_Z])
    if u < 0.2 * stance:
        angle = pitch * 0.32 * (1 - _ramp(u, 0, 0.2 * stance))
        return _turn(ankle, np.array([ankle[0] + _HEEL_X, 0.0]), angle), angle
    angle = -pitch * 0.85 * _ramp(u, 0.5 * stance, 1.08 * stance)
    return _turn(ankle, np.array([ankle[0] + _BALL_X, 0.0]), angle), angle


def _leg(u: float, stride: float, contact: float, stance: float, pitch: float, lift: float) -> tuple[Floats, float]:
    """Ankle (x, z) and foot angle anywhere in a leg's cycle; the swing joins the end of stance to its start."""
    u %= 1.0
    if u < stance:
        return _planted(u, stride, contact, stance, pitch)
    end, angle_end = _planted(stance - 1e-6, stride, contact, stance, pitch)
    before, _ = _planted(stance - 0.01, stride, contact, stance, pitch)
    start, angle_start = _planted(0.0, stride, contact, stance, pitch)
    after, _ = _planted(0.01, stride, contact, stance, pitch)
    share, span = (u - stance) / (1 - stance), 1 - stance
    h00, h10 = 2 * share**3 - 3 * share**2 + 1, share**3 - 2 * share**2 + share
    h01, h11 = 3 * share**2 - 2 * share**3, share**3 - share**2
    place = h00 * end + h10 * span * (end - before) * 100 + h01 * start + h11 * span * (after - start) * 100
    place[1] = max(place[1], _ANKLE_Z * 0.9) + lift * math.sin(math.pi * share) * (1.5 - share)
    return place, angle_end + (angle_start - angle_end) * _ramp(share, 0.1, 0.95)


def _set_leg(pose: Floats, side: str, ankle: Floats, angle: float, y: float) -> None:
    hip = pose[_AT[f"hip_{side}"]]
    knee, reached = _bend(hip, np.array([ankle[0], y, ankle[1]]), _THIGH, _SHIN, 1.0)
    pose[_AT[f"knee_{side}"]] = knee
    pose[_AT[f"ankle_{side}"]] = reached
    flat = reached[[0, 2]]
    for name, ahead in (("heel", _HEEL_X), ("toe", _TOE_X)):
        x, z = _turn(flat + np.array([ahead, 0.018 - _ANKLE_Z]), flat, angle)
        pose[_AT[f"{name}_{side}"]] = (x, y * (1.0 if name == "heel" else 1.25), max(z, 0.012))


def _set_arm(pose: Floats, side: str, swing: float, bend: float, out: float = 0.03) -> None:
    """Upper arm turned forward by `swing`, forearm bent further by `bend` (radians)."""
    sign = 1.0 if side == "l" else -1.0
    shoulder = pose[_AT[f"shoulder_{side}"]]
    elbow = shoulder + 0.168 * np.array([math.sin(swing), sign * out / 0.168, -math.cos(swing)])
    total = swing + bend
    pose[_AT[f"elbow_{side}"]] = elbow
    pose[_AT[f"hand_{side}"]] = elbow + 0.155 * np.array([math.sin(total), -sign * 0.04, -math.cos(total)])


def _set_trunk(pose: Floats, hip_z: float, lean: float, twist: float, x: float = 0.0, y: float = 0.0) -> None:
    """Hips at (x, y, hip_z); the trunk leans forward by `lean`, shoulders turn by `twist` radians, hips against it."""
    up = np.array([math.sin(lean), 0.0, math.cos(lean)])
    base = np.array([x, y, hip_z])
    for side, sign in (("l", 1.0), ("r", -1.0)):
        ahead = -0.018 * sign * min(max(6 * twist, -1.0), 1.0)
        pose[_AT[f"hip_{side}"]] = base + np.array([ahead, 0.05 * sign, 0.0])
        turned = np.array([-math.sin(twist) * sign, math.cos(twist) * sign, 0.0])
        pose[_AT[f"shoulder_{side}"]] = base + up * 0.288 + turned * 0.105
    pose[_AT["neck"]] = base + up * 0.325
    pose[_AT["head"]] = base + up * 0.325 + np.array([0.012 + 0.02 * lean, 0.0, 0.085])


def _smooth_cycle(values: Floats) -> Floats:
    window = np.hanning(15)
    padded = np.concatenate([values[-7:], values, values[:7]])
    return np.convolve(padded, window / window.sum(), mode="valid")


def _reachable_hip(legs: list[tuple[Floats, Floats]], base: float) -> Floats:
    """Height of the hips over the cycle, low enough for both feet to stay where they are."""
    reach = (_THIGH + _SHIN) * 0.995
    heights = []
    for pair in legs:
        tops = [ankle[1] + math.sqrt(max(reach**2 - ankle[0] ** 2, 0.01)) for ankle in pair]
        heights.append(min(base, *tops))
    return _smooth_cycle(np.array(heights)) - 0.004


def _walk_cycle(amplitude: float) -> Floats:
    stride, stance = WALK_STRIDE * amplitude, 0.6
    contact, pitch, lift = 0.27 * stride, 1.0 * amplitude, 0.03 * amplitude
    turns = np.arange(PHASES) / PHASES
    legs = [[_leg(u + shift, stride, contact, stance, pitch, lift) for shift in (0.0, 0.5)] for u in turns]
    hip_z = _reachable_hip([(left[0], right[0]) for left, right in legs], 0.525)
    table = np.zeros((PHASES, len(JOINTS), 3))
    for pose, u, (left, right), z in zip(table, turns, legs, hip_z, strict=True):
        wave = math.cos(2 * math.pi * u)
        _set_trunk(
            pose, z, 0.03 + 0.02 * amplitude, 0.12 * amplitude * wave, y=0.012 * amplitude * math.sin(2 * math.pi * u)
        )
        _set_leg(pose, "l", *left, 0.045)
        _set_leg(pose, "r", *right, -0.045)
        _set_arm(pose, "l", -0.48 * amplitude * wave, 0.16 + 0.2 * amplitude * (1 - wave))
        _set_arm(pose, "r", 0.48 * amplitude * wave, 0.16 + 0.2 * amplitude * (1 + wave))
    return table


@cache
def walk_table() -> Floats:
    """Walking by step length: float64 (len(AMPLITUDES), PHASES, J, 3); the left heel lands at phase 0."""
    return np.stack([_walk_cycle(float(amplitude)) for amplitude in AMPLITUDES])


@cache
def run_table() -> Floats:
    """Running: float64 (PHASES, J, 3), stance a third of the cycle, arms bent, knees and heels high."""
    stride, stance = RUN_STRIDE, 0.32
    turns = np.arange(PHASES) / PHASES
    table = np.zeros((PHASES, len(JOINTS), 3))
    for pose, u in zip(table, turns, strict=True):
        wave = math.cos(2 * math.pi * (u - 0.04))
        _set_trunk(pose, 0.5 - 0.014 * math.cos(4 * math.pi * (u - 0.16)), 0.16, 0.2 * wave)
        for side, shift, y in (("l", 0.0, 0.035), ("r", 0.5, -0.035)):
            ankle, angle = _leg(u + shift, stride, 0.19, stance, 1.0, 0.15)
            _set_leg(pose, side, ankle, angle, y)
        _set_arm(pose, "l", -0.15 - 0.75 * wave, 1.5)
        _set_arm(pose, "r", -0.15 + 0.75 * wave, 1.5)
    return table


@cache
def stand_table() -> Floats:
    """Standing and talking: float64 (PHASES, J, 3), one slow cycle of swaying and gestures."""
    table = np.zeros((PHASES, len(JOINTS), 3))
    flat = np.array([0.0, _ANKLE_Z])
    for pose, u in zip(table, np.arange(PHASES) / PHASES, strict=True):
        turn = 2 * math.pi * u
        _set_trunk(pose, 0.522, 0.02 + 0.012 * math.sin(turn), 0.05 * math.sin(turn + 1), y=0.012 * math.sin(turn))
        _set_leg(pose, "l", flat + np.array([0.02, 0.0]), 0.0, 0.06)
        _set_leg(pose, "r", flat - np.array([0.02, 0.0]), 0.0, -0.06)
        raised = max(0.0, math.sin(turn - 0.6)) ** 2
        _set_arm(pose, "l", 0.05 + 0.35 * raised, 0.2 + 1.1 * raised + 0.25 * raised * math.sin(5 * turn))
        _set_arm(pose, "r", 0.12 + 0.1 * math.sin(turn), 0.9)
    return table


@cache
def pedal_table() -> Floats:
    """Riding a bicycle: float64 (PHASES, J, 3) in body heights of a rider of 1.75 m."""
    table = np.zeros((PHASES, len(JOINTS), 3))
    crank, arm = np.array([0.03, 0.165]), 0.095
    for pose, u in zip(table, np.arange(PHASES) / PHASES, strict=True):
        _set_trunk(pose, 0.555, 0.55, 0.0, x=-0.1)
        for side, shift, y in (("l", 0.0, 0.06), ("r", 0.5, -0.06)):
            turn = -2 * math.pi * (u + shift)
            pedal = crank + arm * np.array([math.cos(turn), math.sin(turn)])
            _set_leg(pose, side, pedal + np.array([-0.05, 0.06]), -0.25, y)
            for name, ahead in (("heel", -0.05), ("toe", 0.1)):
                x, z = pose[_AT[f"ankle_{side}"]][[0, 2]]
                pose[_AT[f"{name}_{side}"]] = (x + ahead, y, z - 0.03 - 0.2 * ahead)
            _reach(pose, side, np.array([0.3, y * 2.4, 0.62]))
    return table


def _reach(pose: Floats, side: str, hand: Floats) -> None:
    """Arm to a given place of the hand."""
    shoulder = pose[_AT[f"shoulder_{side}"]]
    pose[_AT[f"elbow_{side}"]], pose[_AT[f"hand_{side}"]] = _bend(shoulder, hand, 0.17, 0.16, -1.0)


@cache
def glide_pose() -> Floats:
    """On a skateboard, side on, knees bent, arms out: float64 (J, 3), feet at 0.06 heights, rigid."""
    pose = np.zeros((len(JOINTS), 3))
    _set_trunk(pose, 0.53, 0.12, 1.15)
    pose[_AT["hip_l"]] = (-0.03, 0.02, 0.53)
    pose[_AT["hip_r"]] = (0.03, -0.02, 0.53)
    _set_leg(pose, "l", np.array([-0.14, _ANKLE_Z + 0.065]), 0.0, 0.02)
    _set_leg(pose, "r", np.array([0.14, _ANKLE_Z + 0.065]), 0.0, -0.02)
    _set_arm(pose, "l", -0.7, 0.25, 0.06)
    _set_arm(pose, "r", 0.55, 0.3, 0.06)
    return pose


@cache
def sit_pose() -> Floats:
    """Sitting on a seat 0.3 heights up, feet ahead, hands at the side: float64 (J, 3), rigid."""
    pose = np.zeros((len(JOINTS), 3))
    _set_trunk(pose, 0.33, -0.08, 0.0)
    for side, y in (("l", 0.05), ("r", -0.05)):
        pose[_AT[f"knee_{side}"]] = (0.24, y, 0.34)
        pose[_AT[f"ankle_{side}"]] = (0.29, y, 0.11)
        pose[_AT[f"heel_{side}"]] = (0.26, y, 0.085)
        pose[_AT[f"toe_{side}"]] = (0.39, y, 0.085)
        _reach(pose, side, np.array([0.1, y * 3.2, 0.4]))
    return pose
