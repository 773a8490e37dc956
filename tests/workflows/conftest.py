"""One whole run for all tests of what is done with it."""

from __future__ import annotations

from pathlib import Path

import pytest

import crowdad
from tests.conftest import TinyCamera


@pytest.fixture(scope="session")
def finished(tiny_camera: TinyCamera, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one whole run.  Shared: read it, don't change it."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    crowdad.detect(tiny_camera.unusual, model=tiny_camera.model, output=folder)
    return folder
