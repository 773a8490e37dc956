"""Footage seen by other cameras: what each variant does to pictures, and that the ground truth does the same."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import map_coordinates

from crowdad.evaluation.datasets.clips import Clip
from crowdad.evaluation.datasets.ground_truth import MaskArray
from crowdad.evaluation.datasets.variants import VARIANTS, vary
from tests.conftest import write_folder

COUNT = 12
SIZE_HW = (96, 144)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A textured square that crosses blotchy ground by 2 px a frame, anomalous from the fourth frame on."""
    folder = tmp_path_factory.mktemp("clip") / "Test001"
    rng = np.random.default_rng(3)
    ground = cv2.GaussianBlur(rng.uniform(0, 255, SIZE_HW).astype(np.float32), (0, 0), 3) * 2 - 150
    square = cv2.GaussianBlur(rng.uniform(0, 255, (24, 24)).astype(np.float32), (0, 0), 1.5) + 40
    frames, masks = [], np.zeros((COUNT, *SIZE_HW), np.uint8)
    for index in range(COUNT):
        picture = ground.copy()
        x = 20 + 2 * index
        picture[40:64, x : x + 24] = square
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        masks[index, 40:64, x : x + 24] = index >= 3
    write_folder(folder, frames)
    np.save(folder.with_name("masks.npy"), masks)
    paths = tuple(sorted(folder.glob("*.png")))
    return Clip("Test001", folder, MaskArray(folder.with_name("masks.npy"), COUNT), 10.0, paths)


def pictures(clip: Clip, variant: str) -> npt.NDArray[np.int64]:
    return np.stack([frame.luma for frame in vary(clip, variant).source.frames()]).astype(int)


@pytest.mark.parametrize("variant", VARIANTS)
def test_ground_truth_follows_the_variant(variant: str, clip: Clip) -> None:
    native, varied = vary(clip), vary(clip, variant)
    frames = list(varied.source.frames())
    assert native.masks is not None
    assert varied.masks is not None
    assert len(frames) == len(varied.labels) == len(varied.masks)
    assert varied.masks.shape[1:] == frames[0].luma.shape == varied.source.info.size_hw
    assert varied.source.info.size_hw == {"double": (192, 288), "half": (48, 72)}.get(variant, SIZE_HW)
    assert varied.source.fps == {"every2": 5, "20fps": 20}.get(variant, 10)
    assert (varied.masks.any(axis=(1, 2)) == varied.labels).all()
    lasting_s = len(varied.labels) / varied.source.fps
    assert lasting_s == pytest.approx(COUNT / 10, abs=0.051), "as long as before"
    share = varied.masks.mean() / native.masks.mean()
    assert (0.3 if variant == "warp" else 0.85) < share < 1.1, "as much is anomalous, less where it was squeezed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_reading_is_the_same(variant: str, clip: Clip) -> None:
    source = vary(clip, variant).source
    first, second = ([frame.luma for frame in source.frames()] for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_nothing_is_anomalous_in_a_training_clip(clip: Clip) -> None:
    varied = vary(replace(clip, truth=None), "20fps")
    assert varied.masks is None
    assert not varied.labels.any()
    assert len(varied.labels) == 2 * COUNT - 1


def test_the_warp_squeezes_the_top_to_its_middle_third(clip: Clip) -> None:
    before, after = pictures(clip, "native")[0], pictures(clip, "warp")[0]
    assert after[1, :46].max() == 0  # black outside
    assert after[1, 98:].max() == 0
    # Inside, worked out by hand: the width at v of the height is (1 + 2v) / 3, and v shows what was at 3v / (1 + 2v).
    height, width = before.shape
    rows, columns = np.mgrid[8:92, 52:92]
    share = rows / height
    seen_from = 3 * share / (1 + 2 * share) * height, width / 2 + (columns - width / 2) * 3 / (1 + 2 * share)
    expected = map_coordinates(before.astype(float), seen_from, order=1)
    assert np.abs(after[8:92, 52:92] - expected).max() < 4


def test_frames_in_between_show_what_moves_half_way(clip: Clip) -> None:
    native, doubled = pictures(clip, "native"), pictures(clip, "20fps")
    assert (doubled[::2] == native).all(), "the frames there were stay as they are"
    inner = np.s_[46:58, 20 + 2 * 5 + 8 : 20 + 2 * 5 + 18]
    moved = np.roll(native[5], 1, axis=1)[inner]  # 2 px a frame: 1 px half-way
    between = doubled[11][inner]
    mixed = (native[5] + native[6])[inner] / 2
    assert np.abs(between - moved).mean() < 2
    assert np.abs(between - moved).mean() < np.abs(mixed - moved).mean() / 2, "no mere cross-fade"


def test_a_frame_in_between_has_the_truth_of_the_one_before(clip: Clip) -> None:
    assert vary(clip, "20fps").labels.tolist() == np.repeat(clip.labels(), 2)[:-1].tolist()


def test_jpeg_is_of_quality_30(clip: Clip) -> None:
    native, packed = pictures(clip, "native"), pictures(clip, "jpeg30")
    _, encoded = cv2.imencode(".jpg", native[4].astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 30])
    assert (cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) == packed[4]).all()
    assert 0.5 < np.abs(packed - native).mean() < 10


def test_noise_has_its_strength_and_is_new_in_every_frame(clip: Clip) -> None:
    native, noisy = pictures(clip, "native"), pictures(clip, "noise")
    noise = (noisy - native)[:, :, :].astype(float)
    grey = (native > 40) & (native < 215)  # away from the ends, where nothing is cut off
    assert noise[grey].std() == pytest.approx(8, rel=0.05)
    assert abs(noise[grey].mean()) < 0.2
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_the_shake_is_smooth_and_the_mask_goes_along(clip: Clip) -> None:
    native, shaken = vary(clip), vary(clip, "shake")
    assert native.masks is not None
    assert shaken.masks is not None
    offsets = []
    for before, after in zip(native.masks[3:], shaken.masks[3:], strict=True):
        offsets.append([b.mean() - a.mean() for a, b in zip(np.nonzero(before), np.nonzero(after), strict=True)])
    offsets_px = np.array(offsets)
    assert np.abs(offsets_px).max() <= 2.5
    assert np.ptp(offsets_px, axis=0).max() > 0.5, "it does shake"
    assert np.abs(np.diff(offsets_px, axis=0)).max() < 1.6
    # The picture moved as its mask did: the square's edge stands out of the ground where the mask says.
    frames = pictures(clip, "shake")
    dy, dx = np.round(offsets_px[4]).astype(int)
    expected = np.roll(pictures(clip, "native")[7], (dy, dx), (0, 1))
    assert np.abs(frames[7] - expected)[8:-8, 8:-8].mean() < 12


def test_brightness_drifts_slowly_by_15_percent(clip: Clip) -> None:
    native, drifting = pictures(clip, "native"), pictures(clip, "drift")
    unclipped = (native > 20) & (native < 200)
    gain = [(d[u] / n[u]).mean() for d, n, u in zip(drifting, native, unclipped, strict=True)]
    assert 0.84 < min(gain) < max(gain) < 1.16
    steps = np.abs(np.diff(gain))
    assert steps.max() < 0.006, "0.15 * 2 pi / 200 frames at most"
    assert np.ptp(gain) > 0.002
