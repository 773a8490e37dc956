"""What tells one set of arrays from another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["digest_of"]


def digest_of(arrays: Mapping[str, npt.NDArray[Any]], text: str = "") -> str:
    """SHA-256 of a text and of arrays under their names, whatever their order: hexadecimal."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
