"""The rule that no test may be skipped unseen, tried on small test files of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


def run_pytest(folder: Path, body: str, *, no_skips: bool) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: slow\n    gpu: gpu\n")
    (folder / "test_it.py").write_text(f"import pytest\n{body}\n")
    (folder / "test_other.py").write_text("def test_other():\n    pass\n")
    environment = {key: value for key, value in os.environ.items() if key != "CROWDAD_NO_SKIPS"}
    if no_skips:
        environment["CROWDAD_NO_SKIPS"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


SKIPPED = {
    "by a mark": "@pytest.mark.skip(reason='no data here')\ndef test_a():\n    pass",
    "from inside": "def test_a():\n    pytest.skip('no data here')",
    "as a file": "pytest.skip('no data here', allow_module_level=True)",
}


@pytest.mark.parametrize("how", SKIPPED)
def test_a_skip_fails_the_run_and_is_named(how: str, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SKIPPED[how], no_skips=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "CROWDAD_NO_SKIPS is set, but a test was skipped: test_it.py" in done.stdout
    assert "no data here" in done.stdout


def test_a_skip_is_nothing_special_without_the_rule(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SKIPPED["by a mark"], no_skips=False)
    assert done.returncode == 0
    assert "CROWDAD_NO_SKIPS" not in done.stdout


@pytest.mark.parametrize("marker", ["slow", "gpu"])
def test_slow_and_gpu_tests_may_be_skipped(marker: str, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, f"@pytest.mark.{marker}\n{SKIPPED['by a mark']}", no_skips=True)
    assert done.returncode == 0


def test_expected_failures_are_no_skips(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "@pytest.mark.xfail\ndef test_a():\n    assert False", no_skips=True)
    assert done.returncode == 0
