"""People's size as a picture: outlines on a frame in which people are to be seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from crowdad.workflows.footage import Part
from crowdad.workflows.measuring import picture_people
from tests.conftest import write_folder
from tests.tiny_scene import scale_of


@pytest.mark.parametrize(("damaged", "shown"), [(False, 210), (True, 60)])
def test_outlines_are_drawn_where_most_is_to_be_seen_or_on_what_can_be_read(
    damaged: bool, shown: int, tmp_path: Path
) -> None:
    pictures = [np.full((96, 128), 60, np.uint8) for _ in range(18)]
    pictures[13][:20, :20] = 120
    pictures[15][:48] = 210
    folder = write_folder(tmp_path / "pictures", pictures)
    for path in sorted(folder.iterdir())[6:] if damaged else ():
        path.write_bytes(b"cut off")
    drawn = cv2.imread(str(picture_people(str(folder), Part(fps=10), scale_of(), tmp_path / "people.png")))
    assert drawn is not None
    assert drawn.shape[1] == 640
    assert (drawn[0, 0] == shown).all()
    assert (drawn[:480] == 255).any(), "outlines"
