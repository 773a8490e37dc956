"""People: build, clothes, hair, bags; drawn from a random generator."""

from __future__ import annotations

import numpy as np

from crowdad.synthetic.camera import PERSON_HEIGHT_M
from crowdad.synthetic.model import Assembly, Ball, Colour, Model

__all__ = ["add_person", "person"]

_TOPS: tuple[Colour, ...] = (
    (74, 52, 38), (60, 60, 64), (52, 74, 122), (196, 200, 206), (150, 172, 190), (44, 44, 120), (92, 82, 46),
    (122, 110, 60), (70, 96, 82), (58, 120, 176), (150, 120, 84), (110, 92, 140), (88, 60, 84), (222, 222, 220),
    (40, 40, 44), (120, 128, 132),
)  # fmt: skip
_BOTTOMS: tuple[Colour, ...] = (
    (92, 66, 46), (48, 46, 46), (120, 92, 66), (70, 66, 62), (96, 128, 150), (52, 70, 78), (64, 52, 44),
    (128, 138, 146),
)  # fmt: skip
_SKINS: tuple[Colour, ...] = ((150, 176, 218), (128, 158, 206), (96, 128, 180), (66, 92, 140), (48, 66, 100))
_HAIRS: tuple[Colour, ...] = ((32, 34, 38), (36, 50, 70), (56, 84, 116), (96, 140, 172), (130, 132, 136), (28, 38, 52))
_SHOES: tuple[Colour, ...] = ((36, 36, 38), (60, 70, 90), (200, 204, 206), (50, 44, 44))


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 9.0) -> Colour:
    base = np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.9, 1.1) + rng.normal(0, spread, 3)
    blue, green, red = np.clip(base, 18, 235)
    return (float(blue), float(green), float(red))


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(max(value * factor, 0.0), 250.0) for value in colour)
    return (blue, green, red)


def _at(joint: str, radius: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Ball:
    return (joint, (x, y, z), radius)


def _between(first: str, second: str, share: float, radius: float, y: float = 0.0) -> Ball:
    return ({first: 1 - share, second: share}, (0.0, y, 0.0), radius)


def _add_legs(body: Assembly, build: float, trousers: Colour, skin: Colour, shoe: Colour, *, shorts: bool) -> None:
    for side in "lr":
        hip, knee, ankle = f"hip_{side}", f"knee_{side}", f"ankle_{side}"
        body.add(trousers, _at(hip, 0.058 * build, z=-0.01), _at(knee, 0.037 * build), casts=True, sheen=True)
        shin = skin if shorts else _shade(trousers, 0.95)
        width = 0.85 if shorts else 1.0
        body.add(shin, _at(knee, 0.036 * build * width), _at(ankle, 0.026 * width), casts=True, sheen=True)
        body.add(shoe, _at(f"heel_{side}", 0.021), _at(f"toe_{side}", 0.017), bias_m=0.01)


def _add_arms(body: Assembly, build: float, sleeve: Colour, skin: Colour, *, bare: bool) -> None:
    for side in "lr":
        shoulder, elbow, hand = f"shoulder_{side}", f"elbow_{side}", f"hand_{side}"
        body.add(sleeve, _at(shoulder, 0.036 * build), _at(elbow, 0.027 * build), bias_m=0.01, sheen=True)
        body.add(skin if bare else sleeve, _at(elbow, 0.026), _at(hand, 0.02), bias_m=0.012, casts=True)
        body.add(skin, _at(hand, 0.021), bias_m=0.013)


def _add_trunk(body: Assembly, build: float, top: Colour, trousers: Colour) -> None:
    body.add(trousers, *(_at(f"hip_{side}", 0.064 * build, z=0.012) for side in "lr"), bias_m=0.004)
    chest = [_at(f"shoulder_{side}", 0.046 * build, z=-0.018) for side in "lr"]
    belly = [_between(f"hip_{side}", f"shoulder_{side}", 0.2, 0.062 * build) for side in "lr"]
    body.add(top, *chest, *belly, bias_m=0.005, casts=True, sheen=True)


def _add_stripes(body: Assembly, build: float, colour: Colour, shares: tuple[float, ...]) -> None:
    for share in shares:
        left = _between("hip_l", "shoulder_l", share, 0.014, 0.05 * build * (1 - share) + 0.018)
        right = _between("hip_r", "shoulder_r", share, 0.014, -0.05 * build * (1 - share) - 0.018)
        depth = [
            ({"hip_l": (1 - share) / 2, "hip_r": (1 - share) / 2, "shoulder_l": share / 2, "shoulder_r": share / 2},
             (x * build, 0.0, 0.0), 0.014)
            for x in (-0.042, 0.042)
        ]  # fmt: skip
        body.add(colour, left, right, *depth, bias_m=0.02)


def _add_head(body: Assembly, skin: Colour, hair: Colour, *, long_hair: bool, hat: bool) -> None:
    body.add(skin, _at("neck", 0.028), _at("head", 0.03, z=-0.03), bias_m=0.004)
    body.add(skin, _at("head", 0.05, x=0.012, z=0.022), _at("head", 0.04, x=0.016, z=-0.018), casts=True, sheen=True)
    body.add(hair, _at("head", 0.054, x=-0.016, z=0.028), _at("head", 0.036, x=-0.03, z=-0.012), bias_m=-0.002)
    body.add(hair, _at("head", 0.03, x=0.026, z=0.05), _at("head", 0.04, x=-0.02, z=0.052), bias_m=0.05)
    if long_hair:
        body.add(hair, _at("head", 0.05, x=-0.02, z=0.02), _at("neck", 0.05, x=-0.035, z=-0.02), bias_m=-0.001)
    if hat:
        body.add(_shade(hair, 1.6), _at("head", 0.052, z=0.056), _at("head", 0.02, x=0.06, z=0.045), bias_m=0.055)


def _add_bag(body: Assembly, kind: str, colour: Colour) -> None:
    if kind == "backpack":
        balls = [_between(f"hip_{side}", f"shoulder_{side}", share, 0.04) for side in "lr" for share in (0.35, 0.85)]
        body.add(
            colour, *[(a, (-0.085, -0.045 if o[1] > 0 else o[1], 0.0), r) for a, o, r in balls], casts=True, sheen=True
        )
    elif kind == "shoulder":
        body.add(colour, _at("hip_r", 0.035, x=-0.03, y=-0.075), _at("hip_r", 0.035, x=0.05, y=-0.075), sheen=True)
    elif kind == "hand":
        body.add(colour, _at("hand_l", 0.035, z=-0.06), _at("hand_l", 0.03, x=0.04, z=-0.1), casts=True)


def _add_skirt(body: Assembly, colour: Colour, share: float, build: float) -> None:
    """A skirt or the tail of a coat down to `share` of the thigh."""
    waist = [_at(f"hip_{side}", 0.066 * build, z=0.01) for side in "lr"]
    hem = [_between(f"hip_{side}", f"knee_{side}", share, 0.06 * build) for side in "lr"]
    body.add(colour, *waist, *hem, bias_m=0.006, casts=True, sheen=True)


def add_person(body: Assembly, rng: np.random.Generator, *, plain: bool = False) -> Assembly:
    """Hang a clothed person on the joints.  plain: without skirt, coat or bag, for riders."""
    build = float(np.clip(rng.normal(1.0, 0.09), 0.82, 1.3))
    skin, hair, shoe = _pick(rng, _SKINS, 4), _pick(rng, _HAIRS, 4), _pick(rng, _SHOES)
    top, trousers = _pick(rng, _TOPS), _pick(rng, _BOTTOMS)
    style, bag, bare, pattern = rng.random(), rng.random(), rng.random() < 0.4, rng.random()
    coat, skirt, shorts = style < 0.16, 0.16 <= style < 0.3, 0.3 <= style < 0.42
    _add_legs(body, build, trousers, skin, shoe, shorts=shorts or skirt)
    _add_trunk(body, build, top, trousers)
    _add_arms(body, build, top, skin, bare=bare and not coat)
    if not plain and (coat or skirt):
        _add_skirt(body, top if coat else trousers, 0.85 if coat else 0.9, build)
    if pattern < 0.2:
        _add_stripes(body, build, _shade(top, 1.5 if sum(top) < 330 else 0.6), (0.25, 0.45, 0.65, 0.85))
    elif pattern < 0.35:
        _add_stripes(body, build, _pick(rng, _TOPS), (0.62, 0.72))
    _add_head(body, skin, hair, long_hair=rng.random() < 0.4, hat=rng.random() < 0.12)
    if not plain and bag < 0.45:
        _add_bag(body, "backpack" if bag < 0.2 else "shoulder" if bag < 0.35 else "hand", _pick(rng, _TOPS))
    return body


def person(rng: np.random.Generator) -> Model:
    """A random person, 1.6 to 1.9 m tall."""
    height = float(np.clip(rng.normal(PERSON_HEIGHT_M, 0.07), 1.6, 1.9))
    return add_person(Assembly(height), rng).build()
