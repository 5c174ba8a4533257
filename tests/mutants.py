"""Mutation testing: make small changes to the code, one at a time, and count those that no test notices.

mutmut changes the bodies of functions. It leaves out properties and everything at the level of classes and modules:
defaults, ranges, prices, tables. This script changes those with mutmut's own operators, each in a fork that imports the
changed module instead of the real one. It does the same for modules whose functions run while they are imported,
because mutmut's forks have already imported them.

A line in mutants.md excuses a change that survives and gives the reason why it is not observable. The exit code is 1
if fewer than 90 % of the other changes are killed in any group. Usage: `make mutants`, or with names of modules.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.configuration import config
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).with_name("mutants.md")
PROCESSES = 2
WANTED = 0.9
TIMEOUT_S = 120
"""Processor time, so that a busy machine kills no change."""
UNNOTICED = (None, 0, 5, 33)
"""mutmut's exit codes for a change that was not tried, survived, or is not covered by a test."""
PRELOADED = ("pytest", "_pytest.pytester", "hypothesis.strategies", "click.testing", "troposphere", "awacs.aws")

GROUPS = {
    "config": ("config.fields", "config.schema", "config.validation", "config.files", "config.prices"),
    "queueing": ("capacity.queueing",),
    "sizing": ("capacity.sizing", "capacity.functions", "capacity.usage_plan", "_format"),
    "quota": ("capacity.quota", "capacity.allocation", "account.update_order", "capacity.planning"),
    "template": ("template.writing", "template.layout"),
}
MODULES = tuple(module for modules in GROUPS.values() for module in modules)
RUN_ON_IMPORT = ("config.fields", "config.schema", "config.validation", "config.prices")
"""Modules whose functions run while they are imported; setup.cfg does not name them for mutmut."""

WRITTEN = "test_fixtures.py"
CONFIG = ("config/test_fields.py", "config/test_files.py")
TESTS = {
    **dict.fromkeys(GROUPS["config"], CONFIG),
    "config.fields": (*CONFIG, "config/test_settings_page.py"),
    "config.prices": ("config/test_fields.py", WRITTEN),
    "capacity.queueing": ("capacity/test_queueing.py",),
    "capacity.sizing": ("capacity/test_sizing.py", "capacity/test_quota.py"),
    "capacity.functions": ("capacity/test_functions.py", "capacity/test_sizing.py"),
    "capacity.usage_plan": ("capacity/test_sizing.py",),
    "_format": ("test_format.py", "capacity/test_sizing.py"),
    "capacity.quota": ("capacity/test_quota.py", "capacity/test_allocation.py"),
    "capacity.allocation": ("capacity/test_allocation.py",),
    "account.update_order": ("account/test_update_order.py",),
    "capacity.planning": ("capacity/test_planning.py",),
    "template.writing": ("template/test_writing.py", WRITTEN),
    "template.layout": ("template/test_writing.py",),
}
"""The tests that run for a change of each module."""


@dataclass(frozen=True)
class Mutant:
    """One change: its place, the lines before and after, and the text of the changed module if this script tries it."""

    module: str
    owner: str
    before: str
    after: str
    text: str = ""

    def __str__(self) -> str:
        return f"`{self.module}.{self.owner}`: `{self.before}` → `{self.after}`"


class Everything(MutationVisitor):
    """mutmut's operators, also inside decorated functions."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, cst.FunctionDef) and super()._skip_node_and_children(node)


def path_of(module: str) -> Path:
    return ROOT / "generator" / f"{module.replace('.', '/')}.py"


def stated(module: str) -> Iterator[Mutant]:
    """Yield the changes that mutmut leaves out; all changes of the module if its functions run while it is imported."""
    source = path_of(module).read_text()
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Everything(mutation_operators, get_ignored_lines(str(path_of(module)), source, wrapper, None))
    tree = wrapper.visit(visitor)
    for mutation in visitor.mutations:
        top = mutation.contained_by_top_level_function
        if module in RUN_ON_IMPORT or not isinstance(top, cst.FunctionDef) or top.decorators:
            changed = tree.deep_replace(mutation.original_node, mutation.mutated_node)
            yield compared(module, source, changed.code)  # type: ignore[union-attr, attr-defined]


def compared(module: str, source: str, changed: str) -> Mutant:
    before, after = source.splitlines(), changed.splitlines()
    opcodes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    _, start, end, from_, to = next(opcode for opcode in opcodes if opcode[0] != "equal")
    owner = owner_of(ast.parse(source), start + 1)
    return Mutant(module, owner, one_line(before[start:end]), one_line(after[from_:to]), changed)


def owner_of(tree: ast.Module | ast.ClassDef, line: int) -> str:
    for node in tree.body:
        if node.lineno <= line <= (node.end_lineno or 0):
            if isinstance(node, ast.ClassDef):
                return f"{node.name}.{owner_of(node, line)}"
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
            return str(getattr(target, "name", None) or getattr(target, "id", ""))
    return ""


def one_line(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)


class Instead:
    """Import one module from a changed text instead of its file."""

    def __init__(self, mutant: Mutant) -> None:
        self.name, self.path, self.text = f"generator.{mutant.module}", str(path_of(mutant.module)), mutant.text

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        loader = SourceFileLoader(name, self.path)
        loader.get_code = lambda fullname: compile(self.text, self.path, "exec")  # type: ignore[method-assign]
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def survives(mutant: Mutant) -> bool:
    """Return whether the tests pass with the change. Call it only in a process of its own."""
    import pytest

    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, TIMEOUT_S)
    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(10 * TIMEOUT_S)  # for a change that waits
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.meta_path.insert(0, Instead(mutant))  # type: ignore[arg-type]
    every_run = ["-x", "--assert=plain", *config().pytest_add_cli_args]
    with tempfile.TemporaryDirectory() as folder:
        every_run += [f"--basetemp={folder}/tests", *config().pytest_add_cli_args_test_selection[-2:]]
        try:
            return all(pytest.main([*every_run, f"tests/{name}"]) == 0 for name in TESTS[mutant.module])
        except BaseException:  # A change that breaks the run in any way is noticed.
            return False


def tried(mutants: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Yield each change and whether it survives, after checking that the unchanged modules pass their tests."""
    for name in PRELOADED:
        importlib.import_module(name)
    with multiprocessing.get_context("fork").Pool(PROCESSES, maxtasksperchild=1) as pool:
        unchanged = [Mutant(name, "", "", "", path_of(name).read_text()) for name in {one.module for one in mutants}]
        for mutant, passed in zip(unchanged, pool.imap(survives, unchanged), strict=True):
            if not passed:
                sys.exit(f"The tests of {mutant.module} fail without any change.")
        for number, pair in enumerate(zip(mutants, pool.imap(survives, mutants), strict=True), 1):
            if sys.stderr.isatty() or number % 50 == 0:
                print(f"\r{number} of {len(mutants)} changes outside functions", end="", file=sys.stderr)
            yield pair
    print(file=sys.stderr)


def called(modules: Iterable[str]) -> Iterator[tuple[Mutant, bool]]:
    """Yield the results of a mutmut run."""
    for module in modules:
        results = json.loads((ROOT / f"mutants/{path_of(module).relative_to(ROOT)}.meta").read_text())[
            "exit_code_by_key"
        ]
        for name, code in results.items():
            function, of_class = orig_function_and_class_names_from_key(name)
            survived = code in UNNOTICED
            lines = (
                get_diff_for_mutant(name, path=path_of(module).relative_to(ROOT)).splitlines()[2:] if survived else []
            )
            before, after = (one_line(line[1:] for line in lines if line[0] == sign) for sign in "-+")
            yield Mutant(module, f"{of_class}.{function}" if of_class else function, before, after), survived


def excused() -> set[str]:
    """Return the changes that mutants.md excuses, each in a line `- change: reason`."""
    return set(re.findall(r"^- (`[^`]+`: `[^`]*` → `[^`]*`): \S", RESULT.read_text(), re.M))


def report(results: list[tuple[Mutant, bool]], listed: set[str]) -> bool:
    """Print the figures and the survivors without excuse; return whether enough changes were killed."""
    counts = Counter((mutant.module, survived, str(mutant) in listed) for mutant, survived in results)
    print("| module | mutants | killed | excused | survived | share killed |\n|---|---|---|---|---|---|")
    rows = [row for group, of in GROUPS.items() for row in (*((name, (name,)) for name in of), (f"**{group}**", of))]
    good = True
    for name, members in (*rows, ("**all**", MODULES)):
        killed = sum(counts[module, False, known] for module in members for known in (True, False))
        known, unknown = (sum(counts[module, True, known] for module in members) for known in (True, False))
        if mutants := killed + known + unknown:
            share = killed / max(1, killed + unknown)
            good = good and (share >= WANTED or name in MODULES)
            print(f"| {name} | {mutants} | {killed} | {known} | {unknown} | {share:.1%} |")
    for mutant, survived in results:
        if survived and str(mutant) not in listed:
            print(f"- {mutant}: ")
    tried_modules = tuple({f"`{mutant.module}." for mutant, _ in results})
    for line in sorted(listed - {str(mutant) for mutant, survived in results if survived}):
        if line.startswith(tried_modules):
            print(f"mutants.md excuses a change that does not survive: {line}")
    return good


def main() -> int:
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    if unknown := set(sys.argv[1:]) - set(MODULES):
        sys.exit(f"{', '.join(sorted(unknown))}: unknown; the modules are {', '.join(MODULES)}")
    chosen = [module for module in MODULES if module in (sys.argv[1:] or MODULES)]
    results = list(tried([mutant for module in chosen for mutant in stated(module)]))
    if by_call := [module for module in chosen if module not in RUN_ON_IMPORT]:
        shutil.rmtree("mutants", ignore_errors=True)
        patterns = [f"generator.{module}.*" for module in by_call]
        subprocess.run([sys.executable, "-m", "mutmut", "run", "--max-children", str(PROCESSES), *patterns], check=True)
        results += called(by_call)
    return 0 if report(results, excused()) else 1


if __name__ == "__main__":
    sys.exit(main())
