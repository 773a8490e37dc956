"""What names tell of footage, wherever it lies."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ["MASK_SUFFIX", "VIDEO_SUFFIXES", "is_video"]

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".264", ".265", ".asf", ".avi", ".dav", ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".ivf", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})
# fmt: on
"""Names by which a folder's videos are found; a file given by its own name may be called anything."""

MASK_SUFFIX = "_gt"
"""Ends the name of a folder of masks; what stands before is the name of the footage they belong to."""


def is_video(path: PurePath) -> bool:
    """Whether the name is that of a video that a folder or a glob stands for."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
