"""One small scene for all hostile footage, and the program run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crowdad.cli import main
from tests.tiny_scene import model_of


@dataclass(frozen=True)
class Ended:
    """How the program ended: exit code, lines on the error stream, what it printed."""

    code: int
    errors: list[str]
    shown: str


Program = Callable[..., Ended]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of 128x96 at 10 frames a second whose window is 6 frames.  Shared: read it, don't change it."""
    return model_of().save(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def crowdad_program(capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        code = leaving.value.code
        told = capsys.readouterr()
        return Ended(code if isinstance(code, int) else int(code is not None), told.err.splitlines(), told.out)

    return run
