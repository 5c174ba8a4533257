"""The shape of the code: imports in one direction, no cycle, short functions, docstrings on public names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = (
    ("errors", "aws", "_runtime", "_format"),
    ("config", "template"),
    ("capacity", "simulation"),
    ("stack", "scaffold"),
    ("plans",),
    ("account", "local", "report"),
    ("checks",),
    ("diff",),
    ("cli",),
)
"""Each package and top-level module imports only from the floors above it in this list."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "generator").rglob("*.py")
}
SHIPPED = {name for name in MODULES if name.startswith("generator.stack.handlers")}


def top(module: str) -> str:
    """Return the package or top-level module that a module is part of. `python -m generator` is the command line."""
    name = module.split(".")[1]
    return "cli" if name == "__main__" else name


def floor(module: str) -> int:
    for number, names in enumerate(FLOORS):
        if top(module) in names:
            return number
    raise AssertionError(f"{module}: not in FLOORS; add its package there")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield all statements of a body and of what is nested in it, which are a tenth of the nodes."""
    for statement in body:
        yield statement
        for inner in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from statements(getattr(statement, inner, ()))


@cache
def imports(path: Path) -> set[str]:
    """The modules of this project that a module imports, wherever in it."""
    found: set[str] = set()
    for node in statements(parsed(path).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name.split(".")[0] == "generator" and name != "generator"}


LAYERED = sorted(set(MODULES) - SHIPPED - {"generator"})


def graph() -> dict[str, set[str]]:
    """What each module imports."""
    return {name: imports(MODULES[name]) for name in LAYERED}


@pytest.mark.parametrize("module", LAYERED)
def test_a_package_imports_only_from_the_floors_below(module: str) -> None:
    for other in imports(MODULES[module]):
        assert top(other) == top(module) or floor(other) < floor(module), f"{module} imports {other}"


def test_there_are_at_most_nine_floors() -> None:
    assert len(FLOORS) <= 9


def test_there_are_at_most_eleven_packages() -> None:
    assert len({path.parent for path in (ROOT / "generator").glob("*/*.py")}) <= 11


def test_there_are_at_most_eight_modules_beside_the_packages() -> None:
    assert len(list((ROOT / "generator").glob("*.py"))) <= 8


def test_no_module_imports_itself_through_others() -> None:
    TopologicalSorter(graph()).prepare()


@pytest.mark.parametrize("module", sorted(SHIPPED))
def test_handlers_import_only_other_parts_of_their_own_code(module: str) -> None:
    assert imports(MODULES[module]) <= {name for name in SHIPPED if ".webhook_" in module}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_functions_have_at_most_50_lines(module: str) -> None:
    for node in statements(parsed(MODULES[module]).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{module}.{node.name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - SHIPPED - {"generator.cli", "generator.stack"}))
def test_modules_and_public_names_have_a_docstring(module: str) -> None:
    tree = parsed(MODULES[module])
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{module}.{node.name}"


def test_tests_use_no_mock_patch() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "mock.patch" not in path.read_text(), path


def test_the_simulation_imports_nothing_of_the_sizing() -> None:
    """The simulation checks the sizing, so it may not depend on it."""
    simulation = {name: found for name, found in graph().items() if name.startswith("generator.simulation")}
    assert simulation
    for name, found in simulation.items():
        assert "capacity" not in map(top, found), name
