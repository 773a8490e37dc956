"""What is installed: floors without known holes, and one locked set that the checks run with."""

from __future__ import annotations

import ast
import re
import sys
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


IMPORTED_AS = {"cv2": "opencv-python-headless", "PIL": "pillow", "sklearn": "scikit-learn", "paho": "paho-mqtt"}
"""Libraries that are imported by another name than they are installed by."""


def imported(tree: ast.AST) -> set[str]:
    """First names of all absolute imports but those for type checkers, wherever they stand."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found |= imported(ast.Module(node.orelse, []))
        else:
            found |= imported(node)
    return found


NEVER_ASKED_FOR = {"crowdad/outputs/tables.py: pandas"}
"""Used where it happens to be there: a table for pandas is for those who have it, and one line tells the others."""


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


def test_every_library_that_is_imported_is_asked_for() -> None:
    users = [text for name, extra in PROJECT["optional-dependencies"].items() if name != "dev" for text in extra]
    asked = {canonical(Requirement(text).name) for text in (*PROJECT["dependencies"], *users)}
    unasked = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "crowdad").rglob("*.py")
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))) - sys.stdlib_module_names - {"crowdad"}
        if canonical(IMPORTED_AS.get(name, name)) not in asked
    }
    assert unasked == NEVER_ASKED_FOR


def test_the_search_for_imports_finds_all_that_run() -> None:
    code = "import a.b\nif TYPE_CHECKING:\n    import c\nelse:\n    import d\ndef f():\n    from e.g import h\n"
    assert imported(ast.parse(code + "from . import i")) == {"a", "d", "e"}


def test_everything_that_is_asked_for_is_pinned_within_its_floor() -> None:
    pinned = pins()
    for asked in ASKED:
        assert pinned[canonical(asked.name)] in asked.specifier, asked


def test_the_locked_set_is_what_make_test_installs() -> None:
    assert "--constraint $(PINNED) --editable '.[dev]'" in (ROOT / "Makefile").read_text(encoding="utf-8")
