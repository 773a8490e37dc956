"""The region of interest as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from crowdad.errors import ConfigError
from crowdad.sources import open_source, read_mask


def picture(path: Path, values: np.ndarray) -> Path:
    cv2.imwrite(str(path), values)
    return path


def test_white_is_scored(tmp_path: Path) -> None:
    values = np.zeros((48, 64), np.uint8)
    values[:24] = 255
    mask = read_mask(picture(tmp_path / "mask.png", values), (48, 64))
    assert mask.shape == (48, 64)
    assert mask[:24].all()
    assert not mask[24:].any()


def test_a_mask_of_another_size_is_resized(tmp_path: Path) -> None:
    values = np.zeros((24, 32), np.uint8)
    values[:, :16] = 200
    mask = read_mask(picture(tmp_path / "small.png", values), (48, 64))
    assert mask[:, :32].all()
    assert not mask[:, 32:].any()


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ConfigError, match="not a picture"):
        read_mask(tmp_path / "text.png", (48, 64))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mask(tmp_path / "missing.png", (48, 64))
    with pytest.raises(ConfigError, match=r"64x64 .*64x48"):
        read_mask(picture(tmp_path / "square.png", np.full((64, 64), 255, np.uint8)), (48, 64))
    with pytest.raises(ConfigError, match="black"):
        read_mask(picture(tmp_path / "black.png", np.zeros((48, 64), np.uint8)), (48, 64))


@pytest.mark.parametrize(
    ("part", "expected", "fps"),
    [({}, 24, 10.0), ({"stride": 5}, 5, 2.0), ({"start_s": 1.0}, 14, 10.0), ({"start_s": 0.5, "end_s": 1.5}, 10, 10.0)],
)
def test_sources_know_how_many_frames_will_come(
    part: dict[str, float], expected: int, fps: float, tiny_video: Path, tiny_folder: Path
) -> None:
    for path in (tiny_video, tiny_folder):
        source = open_source(path, **part)  # type: ignore[arg-type]
        assert source.expected_frames == expected == len(list(source.frames()))
        assert source.fps == fps
