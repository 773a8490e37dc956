"""What a person sees at a terminal before anything else."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest


def shown_at_a_terminal(*arguments: str) -> str:
    """All that `crowdad ARGUMENTS` writes to a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with subprocess.Popen([sys.executable, "-m", "crowdad", *arguments], stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how a terminal ends on Linux
            pass
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("verb", [("detect",), ("fit", "-o", "scene.safetensors")])
def test_a_long_command_says_at_once_that_it_starts(verb: tuple[str, ...], tmp_path: Path) -> None:
    shown = shown_at_a_terminal(*verb, str(tmp_path / "nothing.mp4"))
    assert shown.startswith("\rstarting ...")
    assert "nothing.mp4" in shown.partition("starting")[2]


def test_quiet_is_quiet(tmp_path: Path) -> None:
    assert "starting" not in shown_at_a_terminal("detect", "-q", str(tmp_path / "nothing.mp4"))
