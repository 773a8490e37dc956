"""What every data set of footage is: clips of one or more cameras, normal ones to learn from and labelled ones to test.

A new data set is one file that finds its clips and one line in `catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crowdad.errors import DataError
from crowdad.evaluation.datasets.ground_truth import GroundTruth
from crowdad.sources import Source, open_source

__all__ = ["Clip", "Dataset", "KindSpan"]


@dataclass(frozen=True)
class KindSpan:
    """Frames in which one kind of anomaly is seen, counted from 0, the last one included."""

    kind: str
    first_frame: int
    last_frame: int


@dataclass(frozen=True)
class Clip:
    """One clip: its footage, and what is known of it.

    footage: a video file, or the folder of its frames.
    truth: None for a training clip: normal throughout, as the data set promises.
    fps: frames a second of a folder, as published or assumed; None for a video file, whose container says.
    frame_paths: a folder's pictures, one a frame, in order; empty for a video file.
    camera: clips of one camera show one place, and one scene is fitted for all of them.
    kinds: what is unusual in a test clip; empty where nobody said.
    """

    name: str
    footage: Path
    truth: GroundTruth | None = None
    fps: float | None = None
    frame_paths: tuple[Path, ...] = ()
    camera: str = "1"
    kinds: tuple[KindSpan, ...] = ()

    def open(self, stride: int = 1) -> Source:
        """The footage, every `stride`-th frame of it.  Raises SourceError where it cannot be read."""
        return open_source(self.footage, fps=self.fps, stride=stride)

    def __len__(self) -> int:
        """Frames: a folder's pictures, else as many as are labelled, else what the video's container claims.

        Raises DataError where nothing says, SourceError for a video that cannot be read.
        """
        if self.frame_paths:
            return len(self.frame_paths)
        if self.truth is not None:
            return len(self._labels)
        claimed = self.open().expected_frames
        if claimed is None:
            raise DataError(f"{self.footage}: does not say how many frames it holds; write it anew as .mp4")
        return claimed

    def labels(self) -> npt.NDArray[np.bool_]:
        """bool (n_frames,), True where the frame holds an anomaly.  Raises DataError where nobody labelled it."""
        return np.zeros(len(self), np.bool_) if self.truth is None else self._fitting(self._labels).copy()

    def kind_labels(self) -> Mapping[str, npt.NDArray[np.bool_]]:
        """By kind, bool (n_frames,): whether it is seen in an anomalous frame.  Raises DataError as `labels` does."""
        found: dict[str, npt.NDArray[np.bool_]] = {}
        for span in self.kinds:
            seen = found.setdefault(span.kind, np.zeros(len(self), np.bool_))
            seen[span.first_frame : span.last_frame + 1] = True
        return {kind: seen & self.labels() for kind, seen in found.items()}

    @property
    def has_masks(self) -> bool:
        """Whether `masks` gives any; told without reading them."""
        return self.truth is not None and self.truth.has_masks

    def masks(self) -> npt.NDArray[np.bool_] | None:
        """bool (n_frames, H, W), True where the pixel is anomalous; None where only frames are labelled.

        Read anew at each call: those of one clip may take a gigabyte.
        Raises DataError where they are damaged or of another length or size than the footage.
        """
        masks = None if self.truth is None else self.truth.masks()
        if masks is None:
            return None
        size_hw = self.open().info.size_hw
        if masks.shape[1:] != size_hw:
            raise DataError(
                f"{self.name}: masks of {masks.shape[1:]} for pictures of {size_hw}; one size (height, width) is "
                "needed, get the data set again"
            )
        return self._fitting(masks)

    @cached_property
    def _labels(self) -> npt.NDArray[np.bool_]:
        # Kept, since most data sets have no labels but those that follow from large masks.
        assert self.truth is not None
        return self.truth.labels()

    def _fitting(self, truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        if len(truth) != len(self):
            raise DataError(f"{self.name}: ground truth of {len(truth)} frames for {len(self)}; one each is needed")
        return truth


@dataclass(frozen=True)
class Dataset:
    """name: a key of the catalogue.  folder: where it was found.  train: normal clips.  test: with ground truth."""

    name: str
    folder: Path
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras of the test clips, in their order."""
        return tuple(dict.fromkeys(clip.camera for clip in self.test))

    def of_camera(self, camera: str) -> Dataset:
        """The clips of one camera."""
        train, test = (tuple(clip for clip in part if clip.camera == camera) for part in (self.train, self.test))
        return replace(self, train=train, test=test)
