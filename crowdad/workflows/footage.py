"""From what a person gives (paths, globs, numpy frames) to the sources to read."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, TypedDict, TypeVar

from crowdad.errors import ConfigError
from crowdad.sources import MAX_PIXELS, Footage, RemoteFootage, Source, expand, named, open_source
from crowdad.workflows.progress import Progress, in_bytes, silent

__all__ = [
    "Part",
    "PartKeywords",
    "check_device",
    "check_device_name",
    "check_keywords",
    "chosen_options",
    "expand_specs",
    "learning_sources",
    "one_spec",
    "split_keywords",
]

LEARN_AT_MOST_S = 3600.0
"""Longer footage is learned from in windows spread evenly over it."""

WINDOW_S = 60.0


Options = TypeVar("Options")


@dataclass(frozen=True)
class Part:
    """What to read of the footage: start_s <= time < end_s, every `stride`-th frame; fps for what has no times.

    max_pixels: footage with larger pictures is refused.  rgb: numpy frames are red, green, blue.
    """

    start_s: float | None = None
    end_s: float | None = None
    stride: int = 1
    fps: float | None = None
    max_pixels: int = MAX_PIXELS
    rgb: bool = False

    def open(self, footage: Footage, progress: Progress = silent) -> Source:
        """The source, fetched where it lies elsewhere, its first frame already decoded.

        Raises SourceError, StorageError, ConfigError.
        """
        return open_source(
            footage,
            fps=self.fps,
            start_s=self.start_s,
            end_s=self.end_s,
            stride=self.stride,
            max_pixels=self.max_pixels,
            rgb=self.rgb,
            on_bytes=in_bytes(progress, "fetching"),
        )


class PartKeywords(TypedDict, total=False):
    """The fields of `Part`, as keywords."""

    start_s: float | None
    end_s: float | None
    stride: int
    fps: float | None
    max_pixels: int
    rgb: bool


def chosen_options(kind: type[Options], given: Options | None) -> Options:
    """The record of options that a verb was given, or the defaults.  Raises ConfigError for anything else."""
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise ConfigError(f"options is {given!r:.80}; a {kind.__name__} is needed, or keywords such as model=...")
    return given


def check_keywords(keywords: Mapping[str, Any], known: type) -> None:
    """Raise TypeError, as Python does, for a keyword that the TypedDict `known` does not have."""
    names: frozenset[str] = known.__optional_keys__  # type: ignore[attr-defined]
    for name in keywords:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise TypeError(f"unknown keyword argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def split_keywords(keywords: Mapping[str, Any], known: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords of a verb, all of the TypedDict `known`: those of `Part`, and the others."""
    check_keywords(keywords, known)
    parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, value in keywords.items():
        parts[name not in Part.__dataclass_fields__][name] = value
    return parts


def expand_specs(specs: Footage) -> list[Any]:
    """Each piece of footage that `specs` means: paths, folders and globs are expanded, numpy frames are one piece.

    specs: one of these or a list of them.  Raises SourceNotFoundError, UnreadableSourceError.
    """
    if isinstance(specs, str | PathLike):
        return list(expand([specs]))
    kinds = str | PathLike | RemoteFootage | Source
    if isinstance(specs, list | tuple) and specs and all(isinstance(s, kinds) for s in specs):
        return [found for spec in specs for found in ([spec] if isinstance(spec, Source) else expand([spec]))]
    return [specs]


def one_spec(spec: Footage) -> Any:
    """The single piece of footage that `spec` means.  Raises ConfigError where it is several."""
    found = expand_specs(spec)
    if len(found) != 1:
        raise ConfigError(f"{spec}: is {len(found)} videos; give one at a time here")
    return found[0]


def learning_sources(specs: Sequence[Any], part: Part) -> tuple[list[Source], bool]:
    """Sources to learn from, and whether they are samples: past an hour in all, 60 s windows spread over it."""
    sources = [part.open(spec) for spec in specs]
    counts = [source.expected_frames for source in sources]
    known = [count / source.fps for source, count in zip(sources, counts, strict=True) if count is not None]
    total_s = sum(known)
    if len(known) < len(sources) or total_s <= LEARN_AT_MOST_S:
        return sources, False
    windows: list[Source] = []
    for spec, source, length_s in zip(specs, sources, known, strict=True):
        count = max(1, math.floor(LEARN_AT_MOST_S / WINDOW_S * length_s / total_s))
        if count * WINDOW_S >= length_s or named(spec) is None:
            windows.append(source)
        else:
            windows.extend(_window(spec, part, length_s, place / count) for place in range(count))
    return windows, True


def _window(spec: Any, part: Part, length_s: float, place: float) -> Source:
    start_s = (part.start_s or 0.0) + place * length_s
    return replace(part, start_s=start_s, end_s=start_s + WINDOW_S).open(spec)


def check_device_name(device: str) -> None:
    """Raise ConfigError for anything but "auto", "cpu" or "cuda"."""
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device {device!r} is unknown; choose auto, cpu or cuda")


def check_device(device: str) -> str:
    """ "cpu" or "cuda" for "auto", "cpu" or "cuda".  Raises ConfigError where there is no such device."""
    # The networks are so small that a thread waits more often than it works; where it waits spinning, another program
    # on the same cores slows a training down tenfold.  Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    check_device_name(device)
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was asked for, but no CUDA device is there; use --device cpu or auto")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
