"""The shape of the code, kept: one direction, no cycle, nothing too long."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each floor may import from itself and from those above it in this list, never from one below.
LAYERS = (
    (
        "generator.errors",
        "generator.aws",
        "generator._extras",
        "generator._memory",
        "generator._runtime",
        "generator._format",
    ),
    ("generator.config", "generator.template"),
    ("generator.simulation", "generator.capacity"),
    ("generator.stack", "generator.scaffold"),
    ("generator.plans",),
    ("generator.account", "generator.local", "generator.checks.reservations", "generator.checks.rules"),
    ("generator.report", "generator.outputs"),
    ("generator.diff", "generator.checks"),
    ("generator.cli", "generator.__main__"),
)

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "generator").rglob("*.py")
}
SHIPPED = {name for name in MODULES if name.startswith("generator.stack.handlers")}


def layer(module: str) -> int:
    for number, names in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return number
    raise AssertionError(f"{module} has no place in the list of layers")


def imports(path: Path) -> set[str]:
    """The modules of this project that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name.split(".")[0] == "generator" and name != "generator"}


GRAPH = {name: imports(path) for name, path in MODULES.items() if name != "generator" and name not in SHIPPED}


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_data_flows_one_way(module: str) -> None:
    for other in GRAPH[module]:
        assert layer(other) <= layer(module), f"{module} imports {other}, which comes after it"


def test_there_is_no_cycle() -> None:
    TopologicalSorter(GRAPH).prepare()


@pytest.mark.parametrize("module", sorted(SHIPPED))
def test_handlers_import_nothing_of_the_generator(module: str) -> None:
    assert imports(MODULES[module]) == set()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_have_at_most_500_lines_and_functions_50(module: str) -> None:
    source = MODULES[module].read_text()
    assert len(source.splitlines()) <= 500
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{module}.{node.name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - SHIPPED - {"generator.cli", "generator.stack"}))
def test_modules_and_public_names_say_what_they_are(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text())
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{module}.{node.name}"


def test_tests_do_not_patch_what_they_test() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert "mock.patch" not in path.read_text(), path


def test_the_simulator_knows_no_formula() -> None:
    """It is worth something only while it is independent of what it tries."""
    simulation = {name: found for name, found in GRAPH.items() if name.startswith("generator.simulation")}
    assert simulation
    for name, found in simulation.items():
        assert not found & {"generator.capacity.queueing", "generator.capacity.sizing"}, name
