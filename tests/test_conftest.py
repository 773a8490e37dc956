"""The rule that no test may be skipped unseen, tried on small test files of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


def run_pytest(folder: Path, tests: dict[str, str], *, no_skips: bool) -> subprocess.CompletedProcess[str]:
    """Run small test files.  tests: what stands in them, by their names."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: slow\n    gpu: gpu\n")
    for name, body in {**tests, "test_other.py": "def test_other():\n    pass"}.items():
        (folder / name).write_text(f"import pytest\n{body}\n")
    ours = ("CROWDAD_NO_SKIPS", "PYTEST_ADDOPTS")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    if no_skips:
        environment["CROWDAD_NO_SKIPS"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


SKIPPED = {
    "test_by_a_mark.py": "@pytest.mark.skip(reason='no data here')\ndef test_a():\n    pass",
    "test_from_inside.py": "def test_a():\n    pytest.skip('no ship there')",
    "test_as_a_file.py": "pytest.skip('no wind at all', allow_module_level=True)",
}


def test_skips_of_every_kind_fail_the_run_and_are_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SKIPPED, no_skips=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    named = [line for line in done.stdout.splitlines() if "CROWDAD_NO_SKIPS is set, but a test was skipped" in line]
    assert len(named) == len(SKIPPED)
    for file, reason in zip(SKIPPED, ("no data here", "no ship there", "no wind at all"), strict=True):
        assert [file in line and reason in line for line in named].count(True) == 1, named


def test_a_skip_is_nothing_special_without_the_rule(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SKIPPED, no_skips=False)
    assert done.returncode == 0
    assert "CROWDAD_NO_SKIPS" not in done.stdout


def test_slow_and_gpu_tests_may_be_skipped_and_expected_failures_are_no_skips(tmp_path: Path) -> None:
    skipped = SKIPPED["test_by_a_mark.py"]
    tests = {f"test_{marker}.py": f"@pytest.mark.{marker}\n{skipped}" for marker in ("slow", "gpu")}
    tests["test_expected.py"] = "@pytest.mark.xfail\ndef test_a():\n    assert False"
    done = run_pytest(tmp_path, tests, no_skips=True)
    assert done.returncode == 0, done.stdout
    assert "2 skipped, 1 xfailed" in done.stdout
