"""What every runtime shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crowdad.scene.digests import digest_of
from crowdad.scene.streams import Motion, Runtime

__all__ = ["CHUNK", "Runtime", "fingerprint", "in_chunks"]

Array = npt.NDArray[np.float32]

CHUNK = 64
"""Tubes scored at once: what lies between two layers then stays in the processor's cache."""

_GRAPH_VERSION = 2  # goes up when an exported graph of the same scene changes


def in_chunks(run: Callable[[Array], Array], features: Array) -> Array:
    """`run` on `CHUNK` tubes at a time, always as many: a kernel is prepared for every shape that comes along.

    features: float32 (N, C, T, rows, columns), N >= 1.  Returns float32 (N,) or (N, D), as `run` does.
    """
    missing = -len(features) % CHUNK
    padded = np.concatenate([features, np.repeat(features[-1:], missing, axis=0)]) if missing else features
    parts = [run(padded[first : first + CHUNK]) for first in range(0, len(padded), CHUNK)]
    return np.concatenate(parts)[: len(features)]


def fingerprint(motion: Motion) -> str:
    """SHA-256 of all that a graph of it holds, hexadecimal: another one means another graph."""
    settings = motion.settings
    encoder = settings.encoder
    told = (_GRAPH_VERSION, encoder.kind, encoder.code_norm, encoder.temporal_kernel, settings.tubes.steps)
    arrays = {**motion.weights, "mean": motion.mean, "spread": motion.spread, "centres": motion.centres}
    return digest_of(arrays, repr(told))
