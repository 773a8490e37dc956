"""A data set's clips seen by another camera: other sizes and frame rates, a steep perspective, a poorer picture."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from crowdad.evaluation.datasets.clips import Clip
from crowdad.sources import ArraySource, Source

__all__ = ["VARIANTS", "Variant", "VariedClip", "vary"]

Luma = npt.NDArray[np.uint8]
_JPEG_QUALITY = 30
_NOISE_SIGMA = 8.0  # grey values
_SHAKE_PX = 2.0
_SHAKE_SIGMA_S = 0.3  # a hand or a mast in the wind: it turns round about once a second
_DRIFT_SHARE = 0.15
_DRIFT_PERIOD_S = 20.0  # most clips are shorter: each sees a part of it, and each begins elsewhere


@dataclass(frozen=True, eq=False)
class VariedClip:
    """A clip as a variant shows it.  Its ground truth is read when asked for, masks anew each time: they are large."""

    clip: Clip
    change: _Change
    source: Source

    @property
    def name(self) -> str:
        return self.clip.name

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """bool (T,).  Raises DataError where nobody labelled the clip."""
        return self.clip.labels()[self.change.truth_from()]

    @property
    def kinds(self) -> dict[str, npt.NDArray[np.bool_]]:
        """By kind of anomaly, where kinds are known, bool (T,): whether it is seen.  Raises DataError as `labels`."""
        shown = self.change.truth_from()
        return {kind: seen[shown] for kind, seen in self.clip.kind_labels().items()}

    @property
    def has_masks(self) -> bool:
        return self.clip.has_masks

    @property
    def masks(self) -> npt.NDArray[np.bool_] | None:
        """bool (T, H, W), or None where only frames are labelled.  Raises DataError."""
        masks = self.clip.masks()
        return None if masks is None else self.change.masks(masks)


def vary(clip: Clip, variant: str = "native") -> VariedClip:
    """The clip as `variant` shows it, the same at every reading.  Raises SourceError where it cannot be read."""
    source = clip.open()
    fps = source.fps
    change = VARIANTS[variant].change(len(clip), fps, zlib.crc32(clip.name.encode()))
    if variant != "native":
        source = ArraySource(_reader(clip, change), fps * change.rate, clip.name)
    return VariedClip(clip, change, source)


def _reader(clip: Clip, change: _Change) -> Callable[[], Iterator[Luma]]:
    def frames() -> Iterator[Luma]:
        return change.footage(frame.luma for frame in clip.open(change.stride).frames())

    return frames


class _Change:
    """What a variant does to one clip; the clip as it is.  A variant overrides what differs.

    count: frames of the clip.  fps: frames a second of it.  seed: of the clip's random choices.
    stride: of the frames that are read.  rate: frames a second over the original's.
    """

    stride = 1
    rate = 1.0

    def __init__(self, count: int, fps: float, seed: int) -> None:
        self.count = count
        self.fps = fps
        self.seed = seed

    def footage(self, frames: Iterator[Luma]) -> Iterator[Luma]:
        """The variant's frames from the original's, every `stride`-th of them."""
        for number, frame in enumerate(frames):
            yield self.picture(frame, number)

    def truth_from(self) -> npt.NDArray[np.int64]:
        """For each frame of the variant the number of the original frame whose truth it takes."""
        return np.arange(0, self.count, self.stride)

    def picture(self, luma: Luma, number: int) -> Luma:
        """One frame, uint8 (H, W); number: its place in the footage, from 0."""
        return luma

    def masks(self, masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The variant's masks, bool (T', H', W'), from the original's, bool (T, H, W)."""
        shown = self.truth_from()
        if type(self).mask is _Change.mask:
            return masks[shown]
        moved = (self.mask(masks[number].astype(np.uint8) * 255, int(number)) for number in shown)
        return np.stack([mask >= 128 for mask in moved])

    def mask(self, mask: Luma, number: int) -> Luma:
        """The mask, 0 or 255, of one frame; anomalous is what is at least 128 afterwards."""
        return mask


class _EverySecond(_Change):
    stride = 2
    rate = 0.5


class _Resized(_Change):
    def __init__(self, zoom: float, count: int, fps: float, seed: int) -> None:
        super().__init__(count, fps, seed)
        self._zoom = zoom

    def picture(self, luma: Luma, number: int) -> Luma:
        return self._resized(luma, cv2.INTER_CUBIC)

    def mask(self, mask: Luma, number: int) -> Luma:
        return self._resized(mask, cv2.INTER_NEAREST)

    def _resized(self, picture: Luma, enlarging: int) -> Luma:
        size = (round(picture.shape[1] * self._zoom), round(picture.shape[0] * self._zoom))
        how = enlarging if self._zoom > 1 else cv2.INTER_AREA
        return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


class _Warped(_Change):
    def picture(self, luma: Luma, number: int) -> Luma:
        height, width = luma.shape
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        squeezed = np.array([(width / 3, 0), (2 * width / 3, 0), (width, height), (0, height)], np.float32)
        shift = cv2.getPerspectiveTransform(corners, squeezed)
        # Black outside: border pixels repeated outwards would move with whoever walks there.
        return np.asarray(cv2.warpPerspective(luma, shift, (width, height), flags=cv2.INTER_LINEAR), np.uint8)

    def mask(self, mask: Luma, number: int) -> Luma:
        return self.picture(mask, number)


class _InBetween(_Change):
    """Twice the frames.  Truth of a frame in between is that of the frame before it: half a step, about a pixel."""

    rate = 2.0

    def footage(self, frames: Iterator[Luma]) -> Iterator[Luma]:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        earlier: Luma | None = None
        for frame in frames:
            if earlier is not None:
                yield _half_way(flow, earlier, frame)
            yield frame
            earlier = frame

    def truth_from(self) -> npt.NDArray[np.int64]:
        return np.arange(2 * self.count - 1) // 2


def _half_way(flow: cv2.DISOpticalFlow, earlier: Luma, later: Luma) -> Luma:
    """The picture in the middle of two: both moved towards it by half of the flow to the other, and averaged."""
    height, width = earlier.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = []
    for picture, other in ((earlier, later), (later, earlier)):
        towards = np.asarray(flow.calc(picture, other, None), np.float32)  # type: ignore[call-overload]
        x, y = columns - towards[..., 0] / 2, rows - towards[..., 1] / 2
        # Cubic, since a linear reading between pixels is blurred and every second frame would look so.
        moved.append(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
    return np.asarray(cv2.addWeighted(moved[0], 0.5, moved[1], 0.5, 0), np.uint8)


class _Compressed(_Change):
    def picture(self, luma: Luma, number: int) -> Luma:
        _, encoded = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


class _Noisy(_Change):
    def picture(self, luma: Luma, number: int) -> Luma:
        noise = np.random.default_rng((self.seed, number)).normal(0, _NOISE_SIGMA, luma.shape)
        return np.clip(np.rint(luma + noise), 0, 255).astype(np.uint8)


class _Shaken(_Change):
    def __init__(self, count: int, fps: float, seed: int) -> None:
        super().__init__(count, fps, seed)
        steps = np.random.default_rng(seed).normal(size=(count, 2))
        path = gaussian_filter1d(steps, _SHAKE_SIGMA_S * fps, axis=0)
        self.path_xy = path * (_SHAKE_PX / np.maximum(np.abs(path).max(axis=0), 1e-9))

    def picture(self, luma: Luma, number: int) -> Luma:
        return self._moved(luma, number, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)

    def mask(self, mask: Luma, number: int) -> Luma:
        return self._moved(mask, number, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)

    def _moved(self, picture: Luma, number: int, how: int, border: int) -> Luma:
        x, y = self.path_xy[number]
        shift = np.array([[1, 0, x], [0, 1, y]], np.float64)
        size = (picture.shape[1], picture.shape[0])
        return np.asarray(cv2.warpAffine(picture, shift, size, flags=how, borderMode=border), np.uint8)


class _Drifting(_Change):
    def picture(self, luma: Luma, number: int) -> Luma:
        begins = np.random.default_rng(self.seed).uniform()
        phase = 2 * np.pi * (begins + number / (self.fps * _DRIFT_PERIOD_S))
        return np.clip(np.rint(luma * (1 + _DRIFT_SHARE * np.sin(phase))), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Variant:
    """what: it does to the footage; ground truth follows by the same rule.  change: makes that of one clip."""

    what: str
    change: Callable[[int, float, int], _Change]


VARIANTS: dict[str, Variant] = {
    "native": Variant("as published", _Change),
    "double": Variant("pictures twice as wide and high", partial(_Resized, 2.0)),
    "half": Variant("pictures half as wide and high", partial(_Resized, 0.5)),
    "every2": Variant("every second frame", _EverySecond),
    "20fps": Variant(
        "twice the frames: between two of them the mean of both, each moved half-way along dense (DIS) flow", _InBetween
    ),
    "warp": Variant("the top edge squeezed to its middle third (3:1 perspective)", _Warped),
    "jpeg30": Variant("every frame through JPEG at quality 30", _Compressed),
    "noise": Variant("Gaussian noise of 8 grey values, drawn anew for every frame", _Noisy),
    "shake": Variant("the picture wanders smoothly by up to 2 pixels in both directions", _Shaken),
    "drift": Variant("brightness swells and fades by 15 % in 20 seconds", _Drifting),
}
"""Every variant by the name that the command line takes."""
