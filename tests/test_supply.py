"""What is installed: floors without known holes, and one locked set that the checks run with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
ASKED = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS) if not text.startswith("crowdad")]

SAFE = {
    "jinja2": "3.1.6",  # CVE-2025-27516
    "opencv-python-headless": "4.12",  # CVE-2025-53644
    "pillow": "12.1.1",  # CVE-2026-25990
    "requests": "2.32.4",  # CVE-2024-47081
    "tqdm": "4.66.3",  # CVE-2024-34062
    "torch": "2.6",  # CVE-2025-32434
    "urllib3": "2.6.3",  # CVE-2026-21441
    "starlette": "0.49.1",  # CVE-2025-62727
    "h11": "0.16",  # CVE-2025-43859
    "ray": "2.52",  # CVE-2025-62593
    "aiohttp": "3.13.3",  # CVE-2025-69223
}
"""First releases in which these are mended."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonical(name): Version(version) for name, version in pairs}


def test_floors_are_releases_without_known_holes() -> None:
    for name, safe in SAFE.items():
        floors = [spec.version for asked in ASKED if canonical(asked.name) == name for spec in asked.specifier]
        assert floors, name
        assert all(Version(floor) >= Version(safe) for floor in floors), name


def test_everything_that_is_asked_for_is_pinned_within_its_floor() -> None:
    pinned = pins()
    for asked in ASKED:
        assert pinned[canonical(asked.name)] in asked.specifier, asked


def test_the_locked_set_is_what_make_test_installs() -> None:
    assert "--constraint $(PINNED) --editable '.[dev]'" in (ROOT / "Makefile").read_text(encoding="utf-8")
