"""What a glob means on a disk: each folder once, however links lead back to it."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterator

__all__ = ["matching"]

_ANY_DEPTH = "**"


def matching(pattern: str) -> list[str]:
    """The paths that a glob matches; `**` goes down any depth.

    Where it matches nothing, parts that are names of folders are taken as they stand: `cam[1]/*.mkv` in `cam[1]`.
    """
    found = list(_matches(pattern))
    if found:
        return found
    literal = _literal(pattern)
    return [] if literal == pattern else list(_matches(literal))


def _matches(pattern: str) -> Iterator[str]:
    """As `glob.glob` with `recursive`, which goes round in circles where links do."""
    parts = pattern.split(os.sep)
    if _ANY_DEPTH not in parts:
        yield from glob.iglob(pattern)
        return
    place = parts.index(_ANY_DEPTH)
    before, after = os.sep.join(parts[:place]), os.sep.join(parts[place + 1 :])
    roots = glob.glob(before or os.sep) if place else [os.curdir]
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for folder in _folders(root, seen):
            shown = os.path.relpath(folder) if not place else folder
            if after:
                yield from _matches(os.path.join(glob.escape(shown) if shown != os.curdir else "", after))
            else:
                yield shown
                yield from glob.iglob(os.path.join(glob.escape(shown), "*"))


def _folders(root: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The folder and those below it, hidden ones left out, each under one name: its own before that of a link."""
    waiting, links = deque([root]), deque[str]()
    while waiting or links:
        folder = (waiting or links).popleft()
        try:
            known = os.stat(folder)
            if (known.st_dev, known.st_ino) in seen:
                continue
            with os.scandir(folder) as entries:
                inner = sorted(entries, key=lambda entry: entry.name)
        except OSError:  # no folder, gone, or not permitted
            continue
        seen.add((known.st_dev, known.st_ino))
        yield folder
        for entry in inner:
            if not entry.name.startswith(".") and entry.is_dir():
                (links if entry.is_symlink() else waiting).append(entry.path)


def _literal(pattern: str) -> str:
    """The pattern, with each part that is the name of something taken as it stands."""
    parts: list[str] = []
    base = os.sep if pattern.startswith(os.sep) else ""
    for part in pattern.split(os.sep):
        there = part and glob.has_magic(part) and os.path.lexists(os.path.join(base, part))
        base = os.path.join(base, part)
        parts.append(glob.escape(part) if there else part)
    return os.sep.join(parts)
