"""A scene for all watches, and the system's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_scene import model_of


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene that finds what moves unusual: its weights and centres are random."""
    return model_of().save(tmp_path_factory.mktemp("model") / "scene.safetensors")


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the system's clock by so many seconds."""
    unix_s, by_s = time.time, 0.0

    def set_it(seconds: float) -> None:
        nonlocal by_s
        by_s += seconds

    monkeypatch.setattr(time, "time", lambda: unix_s() + by_s)
    return set_it
