"""A run's page for all tests of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import write_video
from tests.outputs.report.assets.seen import (
    grey_frames,
)
from tests.outputs.report.made_up import SHORT


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of ten seconds, its video beside it.  Shared: read it, don't change it."""
    folder = tmp_path_factory.mktemp("page")
    write_video(folder / "footage.mp4", grey_frames(), g="20")
    return SHORT.write(folder, '<script>alert("1")&.mp4')
