"""People's size on a frame of the footage: outlines to compare with the people who are there."""

from __future__ import annotations

import os

import cv2
import numpy as np
import numpy.typing as npt

from crowdad.outputs.lettering import draw_text, drawable, text_size
from crowdad.outputs.people import People, outline

__all__ = ["write_people_picture"]

Picture = npt.NDArray[np.uint8]

_LEAST_WIDTH_PX = 640
_TEXT_PX, _PAD_PX = 15, 10
_DARK, _LIGHT = (51, 43, 43), (255, 255, 255)
_FRACTION_BITS = 4  # of a pixel, that corners are drawn to


def write_people_picture(path: str | os.PathLike[str], frame: Picture, people: People, title: str) -> None:
    """Write the frame, uint8 (H, W, 3) BGR, with outlines of people, and below it `title` and their size, as PNG.

    Small frames are enlarged to 640 pixels.  Raises OSError.
    """
    zoom = max(1.0, _LEAST_WIDTH_PX / frame.shape[1])
    picture = np.ascontiguousarray(
        cv2.resize(frame, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )
    for place in people.places:
        corners = np.rint(outline(place) * zoom * 2**_FRACTION_BITS).astype(np.int32)
        for colour, width in ((_DARK, 4), (_LIGHT, 2)):  # light with a dark seam, which reads on any ground
            cv2.polylines(picture, [corners], True, colour, width, cv2.LINE_AA, _FRACTION_BITS)
    _, encoded = cv2.imencode(".png", np.concatenate([picture, _caption(title, people.text, picture.shape[1])]))
    with open(path, "wb") as file:
        file.write(encoded.tobytes())


def _caption(title: str, size: str, width: int) -> Picture:
    """White lines of text (h, width, 3) for below the picture."""
    lines = [*_wrapped(title, width), *_wrapped(f"People's size, as the outlines have it: {size}", width)]
    pitch = _TEXT_PX + _PAD_PX // 2
    strip = np.full((2 * _PAD_PX + pitch * len(lines), width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        draw_text(strip, line, (_PAD_PX, _PAD_PX + number * pitch), _TEXT_PX, _DARK)
    return strip


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in drawable(text).split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and text_size(longer, _TEXT_PX)[0] > width - 2 * _PAD_PX:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
