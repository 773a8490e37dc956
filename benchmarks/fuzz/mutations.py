"""Ways to damage bytes: what bad disks, bad cables, cut downloads and people with intent do to a file."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = ["mutate_bytes", "mutate_json", "mutate_model"]

Rng = np.random.Generator
_HEAD = 2048
_HOSTILE_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    10**30,
    -(10**30),
    0.5,
    1e-300,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "\x00\n\x1b[31m",
    "../" * 20,
    "x" * 5000,
    [],
    [[]],
    [0, 0],
    {},
    {"surprise": 1},
)


def mutate_bytes(rng: Rng, blob: bytes, others: list[bytes]) -> tuple[bytes, str]:
    """One to three kinds of damage to `blob`, with their names; `others` are files to splice in."""
    names = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
        blob = damage(rng, blob, others)
        names.append(damage.__name__.strip("_"))
    return blob, "+".join(names)


def _place(rng: Rng, blob: bytes) -> int:
    """A place in the file: as often near its start or its end, where headers lie, as anywhere."""
    if not blob:
        return 0
    near = min(_HEAD, len(blob))
    where = rng.integers(4)
    if where == 0:
        return int(rng.integers(near))
    return len(blob) - 1 - int(rng.integers(near)) if where == 1 else int(rng.integers(len(blob)))


def _flip_bits(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    content = bytearray(blob)
    for _ in range(int(rng.integers(1, 40))):
        if content:
            content[_place(rng, blob)] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _flip_bytes(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    content = bytearray(blob)
    for _ in range(int(rng.integers(1, 60))):
        if content:
            content[_place(rng, blob)] = int(rng.integers(256))
    return bytes(content)


def _truncate(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    return blob[: int(rng.integers(len(blob) + 1))]


def _behead(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    return blob[int(rng.integers(min(len(blob), _HEAD) + 1)) :]


def _hostile_word(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    """A length or count field of the largest, smallest or an odd value, in either byte order."""
    for _ in range(int(rng.integers(1, 4))):
        at = _place(rng, blob)
        word = struct.pack(">I" if rng.random() < 0.5 else "<I", _HOSTILE_WORDS[int(rng.integers(len(_HOSTILE_WORDS)))])
        blob = blob[:at] + word + blob[at + 4 :]
    return blob


def _wipe(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    at, length = _place(rng, blob), int(rng.integers(1, 4096))
    filler = (b"\x00", b"\xff", rng.bytes(1))[int(rng.integers(3))]
    return blob[:at] + filler * len(blob[at : at + length]) + blob[at + length :]


def _drop_piece(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    at = _place(rng, blob)
    return blob[:at] + blob[at + int(rng.integers(1, 4096)) :]


def _repeat_piece(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    at, length = _place(rng, blob), int(rng.integers(1, 4096))
    return blob[: at + length] + blob[at : at + length] * int(rng.integers(1, 8)) + blob[at + length :]


def _insert_noise(rng: Rng, blob: bytes, _others: list[bytes]) -> bytes:
    at = _place(rng, blob)
    return blob[:at] + rng.bytes(int(rng.integers(1, 4096))) + blob[at:]


def _splice(rng: Rng, blob: bytes, others: list[bytes]) -> bytes:
    """The head of this file and the tail of another."""
    other = others[int(rng.integers(len(others)))]
    return blob[: _place(rng, blob)] + other[_place(rng, other) :]


def _append(rng: Rng, blob: bytes, others: list[bytes]) -> bytes:
    return blob + others[int(rng.integers(len(others)))]


_DAMAGES: tuple[Callable[[Rng, bytes, list[bytes]], bytes], ...] = (
    _flip_bits,
    _flip_bytes,
    _truncate,
    _behead,
    _hostile_word,
    _hostile_word,
    _wipe,
    _drop_piece,
    _repeat_piece,
    _insert_noise,
    _splice,
    _append,
)


def mutate_json(rng: Rng, tree: Any) -> tuple[Any, str]:
    """The tree with one to three values replaced by hostile ones, or left out; and which."""
    names = []
    for _ in range(int(rng.integers(1, 4))):
        path = list(_paths(tree))[int(rng.integers(len(list(_paths(tree)))))]
        value = _HOSTILE_VALUES[int(rng.integers(len(_HOSTILE_VALUES)))]
        drop = rng.random() < 0.1
        tree = _replaced(tree, path, value, drop)
        names.append(f"{'.'.join(map(str, path))} {'dropped' if drop else f'= {value!r:.20}'}")
        if not isinstance(tree, dict | list) or not tree:
            break
    return tree, "; ".join(names)


def _paths(tree: Any, prefix: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    """The way to every value in the tree, inner and outer ones."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*prefix, key)
        yield from _paths(value, (*prefix, key))


def _replaced(tree: Any, path: tuple[Any, ...], value: Any, drop: bool) -> Any:
    key, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if rest:
        copy[key] = _replaced(copy[key], tuple(rest), value, drop)
    elif drop:
        del copy[key]
    else:
        copy[key] = value
    return copy


def mutate_model(rng: Rng, blob: bytes) -> tuple[bytes, str]:
    """A scene model whose own header, or whose table of arrays, lies; the file around it is whole."""
    length = int.from_bytes(blob[:8], "little")
    table = json.loads(blob[8 : 8 + length])
    if rng.random() < 0.8:
        head = json.loads(table["__metadata__"]["crowdad-scene"])
        head.pop("digest", None)  # with it every change is refused by the same check
        head, what = mutate_json(rng, head)
        table["__metadata__"]["crowdad-scene"] = json.dumps(head)
    else:
        table, what = mutate_json(rng, table)
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + blob[8 + length :], what
