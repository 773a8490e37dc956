"""People's size in a scene, told to a person: how tall, how sure, and what to do about it."""

from __future__ import annotations

from crowdad.outputs.people import People
from crowdad.tubes.scale import SceneScale

__all__ = ["certainty_of", "doubts_of", "people_of", "size_lines"]

_SHOWN_AT = (0.25, 0.5, 0.75)
"""Where a far, a middle and a near person are drawn: share of the picture's width."""


def certainty_of(scale: SceneScale) -> str:
    """ "sure", "unsure (why)" or "given"."""
    return f"{scale.certainty} ({scale.why})" if scale.why else scale.certainty


def people_of(scale: SceneScale) -> People:
    """What is shown of people's size: some of them in the rows where people walk, and one line."""
    height, width = scale.size_hw
    first, last = scale.rows
    ends = [round(float(scale.person_px(width / 2, row))) for row in scale.rows]
    size = f"{ends[0]} px" if ends[0] == ends[1] else f"{min(ends)} px far to {max(ends)} px near"
    places = []
    for share in _SHOWN_AT:
        x, y = share * width, first + (share - _SHOWN_AT[0]) / (_SHOWN_AT[-1] - _SHOWN_AT[0]) * (last - first)
        tall = float(scale.person_px(x, y))
        y = min(max(y, tall / 2), max(tall / 2, height - tall / 2))  # whole people
        places.append((x, y, float(scale.person_px(x, y))))
    return People(f"{size}: {certainty_of(scale)}", sorted(places, key=lambda place: place[2]))


def size_lines(scale: SceneScale) -> list[str]:
    """People's height, far and near, and their walking speed, each with how far it can be relied on."""
    width = scale.size_hw[1]
    far, near = sorted((round(float(scale.person_px(width / 2, row))), round(row)) for row in scale.rows)
    size = (
        f"{far[0]} px" if far[0] == near[0] else f"{far[0]} px far (row {far[1]}) to {near[0]} px near (row {near[1]})"
    )
    figures = f", from {scale.figures} figures" if scale.figures else ""
    assumed = "" if scale.figures else " (assumed)"
    over = "1 frame" if scale.gap == 1 else f"{scale.gap} frames"
    return [
        f"people       {size}{figures}: {certainty_of(scale)}",
        f"walking      {scale.walk * scale.fps:.2f} person heights a second{assumed}; flow over {over}",
    ]


def doubts_of(scale: SceneScale) -> list[str]:
    """What a person should know of people's size before believing a result, at most one line."""
    if scale.certainty == "given":
        if not scale.why:
            return []
        return [f"people's size is taken as given, but the footage contradicts it, more than twofold: {scale.why}"]
    if scale.figures == 0:
        return ["no person's height could be measured when the scene was fitted; give it with --person-height"]
    if scale.certainty == "unsure" and scale.why:
        return [f"people's size is unsure ({scale.why}); compare its outlines, and give it with --person-height"]
    return []
