"""Imports point down only, in no circle, and heavy libraries are loaded only where design says so.

Read from the source with `ast`, so that the rules hold for modules that are never run here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TIERS = (
    ("crowdad", "__main__", "benchmarks"),
    ("cli",),
    ("synthetic",),
    ("evaluation",),
    ("workflows",),
    ("page",),
    ("outputs",),
    ("detection",),
    ("scene",),
    ("tubes",),
    ("sources",),
    ("config", "records"),
    ("files",),
    ("errors", "_version"),
    ("wording",),
)
"""From top to bottom.  "crowdad" is the package's own `__init__`, the front door that names what users import."""

HEAVY_ROOMS = {
    "torch": ("scene.encoders", "scene.fitting", "evaluation", "benchmarks"),
    "cv2": ("sources", "tubes", "scene", "outputs", "page", "evaluation", "synthetic", "benchmarks"),
    "av": ("sources", "tubes", "scene", "outputs", "evaluation", "synthetic", "benchmarks"),
    "sklearn": ("scene", "evaluation", "benchmarks"),
}
"""Where a heavy library may be imported when a module is loaded; elsewhere functions import it."""

WEIGHTLESS = {
    "cli": ("torch", "torchvision", "cv2", "av", "sklearn"),
    "scene.model": ("torch", "torchvision", "sklearn"),
    "detection": ("torch", "torchvision", "sklearn"),
    "workflows": ("torch", "torchvision", "sklearn"),
}
"""Loading the room must not load these, however far down: `--help` is instant, scoring runs without torch."""


@dataclass(frozen=True)
class Import:
    """One import statement.

    when_loaded: it runs as soon as the module is imported.  for_types: it stands under `if TYPE_CHECKING`, never runs.
    """

    target: str
    when_loaded: bool
    for_types: bool
    place: str


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module_name(path): path for top in ("crowdad", "benchmarks") for path in sorted((ROOT / top).rglob("*.py"))}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] != "crowdad" or len(parts) == 1 else parts[1]


def _tier(module: str) -> int:
    return next((number for number, rooms in enumerate(TIERS) if _room(module) in rooms), -1)


def _is_in(module: str, rooms: tuple[str, ...]) -> bool:
    inside = module.removeprefix("crowdad.")
    return any(inside == room or inside.startswith(f"{room}.") for room in rooms)


Found = tuple[ast.Import | ast.ImportFrom, bool, bool]


def _statements(tree: ast.AST, in_function: bool = False, for_types: bool = False) -> Iterator[Found]:
    """Each import statement, whether it stands in a function, whether it is there for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, in_function, for_types
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _statements(ast.Module(node.body, []), in_function, True)
            yield from _statements(ast.Module(node.orelse, []), in_function, for_types)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _statements(node, in_function or function, for_types)


def _targets(module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    # `from crowdad import metrics` means the module; `from crowdad.evaluation.metrics import auc` a name inside it.
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]


def _imports(module: str) -> list[Import]:
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return [
        Import(target, not in_function and not for_types, for_types, f"{path.relative_to(ROOT)}:{node.lineno}")
        for node, in_function, for_types in _statements(tree)
        for target in _targets(module, node)
    ]


IMPORTS = {module: _imports(module) for module in MODULES}


def _ours(module: str) -> list[Import]:
    return [imported for imported in IMPORTS[module] if imported.target.split(".")[0] in ("crowdad", "benchmarks")]


def _all_loaded_by(room: str) -> dict[str, str]:
    """Each library and module that is loaded with `room`, and the place that imports it."""
    places: dict[str, str] = {}
    queue = [module for module in MODULES if _is_in(module, (room,))]
    while queue:
        for imported in IMPORTS.get(queue.pop(), []):
            if imported.when_loaded and imported.target not in places:
                places[imported.target] = imported.place
                queue.append(imported.target)
    return places


def test_every_module_has_a_tier() -> None:
    assert [module for module in MODULES if _tier(module) < 0] == []


def test_imports_point_down() -> None:
    upward = [
        f"{imported.place}: {module} must not import {imported.target}"
        for module in MODULES
        for imported in _ours(module)
        if _room(imported.target) != _room(module) and _tier(imported.target) <= _tier(module)
    ]
    assert upward == []


def test_no_circle() -> None:
    graph = {
        module: {
            imported.target for imported in _ours(module) if imported.target != module and imported.target in MODULES
        }
        for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("circle of imports: " + " -> ".join(error.args[1]))


def test_heavy_libraries_stay_in_their_rooms() -> None:
    astray = [
        f"{imported.place}: {imported.target} belongs into functions here"
        for module in MODULES
        for imported in IMPORTS[module]
        if imported.when_loaded and (library := imported.target.split(".")[0]) in HEAVY_ROOMS
        if not _is_in(module, HEAVY_ROOMS[library])
    ]
    assert astray == []


@pytest.mark.parametrize("room", WEIGHTLESS)
def test_light_rooms_load_nothing_heavy(room: str) -> None:
    loaded = _all_loaded_by(room)
    assert loaded
    heavy = [f"{place}: {target}" for target, place in loaded.items() if target.split(".")[0] in WEIGHTLESS[room]]
    assert heavy == []


def test_benchmarks_use_the_public_api() -> None:
    private = []
    for module in (module for module in MODULES if module.startswith("benchmarks")):
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crowdad"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                private += [f"{module}:{node.lineno}: {name}" for name in names if name.startswith("_")]
    assert private == []


def test_the_reader_sees_what_runs_when() -> None:
    tree = ast.parse(
        "import a\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "def f():\n    import d\nclass K:\n    import e\ntry:\n    import g\nexcept ImportError:\n    pass\n"
    )
    seen = {
        node.names[0].name: (in_function, for_types)
        for node, in_function, for_types in _statements(tree)
        if isinstance(node, ast.Import)
    }
    assert seen == {
        "a": (False, False),
        "b": (False, True),
        "c": (False, False),
        "d": (True, False),
        "e": (False, False),
        "g": (False, False),
    }


def test_relative_imports_and_members_are_resolved() -> None:
    (sibling,) = ast.parse("from . import _base").body
    (member,) = ast.parse("from crowdad.sources import file, open_source").body
    assert isinstance(sibling, ast.ImportFrom)
    assert isinstance(member, ast.ImportFrom)
    assert _targets("crowdad.sources.file", sibling) == ["crowdad.sources._base"]
    assert _targets("crowdad.sources", sibling) == ["crowdad.sources._base"]
    assert _targets("crowdad.sources.file", member) == ["crowdad.sources.file", "crowdad.sources"]
