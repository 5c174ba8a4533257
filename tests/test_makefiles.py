"""The common parts of this repository's Makefile and a new project's are the same."""

from __future__ import annotations

import re
import subprocess

import pytest

from generator import scaffold
from tests.conftest import ROOT

OURS = (ROOT / "Makefile").read_text()
# A new project can also use a generator that is installed elsewhere. Then it has nothing to set up.
NEW = scaffold.files()["Makefile"].replace("$(GENERATOR)", "$(BIN)/generator").replace("$(SETUP)", ".venv/base")


def rules(text: str) -> dict[str, str]:
    """The prerequisites and the recipe of each target."""
    return dict(re.findall(r"^([\w./-]+):(?!=)(.*\n(?:\t.*\n)*)", text, re.M))


def variables(text: str) -> dict[str, str]:
    """The value of each variable, and its kind of assignment."""
    return dict(re.findall(r"^(\.?\w+) (\??:?= ?.*)$", text, re.M))


@pytest.mark.parametrize("target", ["template", "size", "check", "simulate"])
def test_targets_that_both_makefiles_have_do_the_same(target: str) -> None:
    assert rules(NEW)[target] == rules(OURS)[target]


def test_a_new_project_adds_only_targets_to_inspect_and_to_clean_up() -> None:
    own = {name for name, rule in rules(NEW).items() if rules(OURS).get(name) != rule}
    assert own == {".PHONY", "help", "clean", ".venv/ready"}


def test_variables_that_both_makefiles_have_are_equal() -> None:
    ours, new = variables(OURS), variables(NEW)
    assert {name: new[name] for name in ours.keys() & new.keys()} == {name: ours[name] for name in ours.keys() & new}
    assert ours.keys() & new.keys() >= {"PYTHON", "BIN", "ENV", "OVERRIDES", "ONE", ".DEFAULT_GOAL"}


def test_both_makefiles_set_up_an_environment_from_the_same_python() -> None:
    ours, new = (text.splitlines()[1:3] for text in (rules(OURS)[".venv/base"], rules(NEW)[".venv/ready"]))
    assert ours == new
    assert "sys.version_info" in ours[0]
    assert "-m venv" in ours[1]


@pytest.mark.parametrize(("target", "extra"), [("local", "local"), ("lint", "test")])
def test_a_target_installs_what_it_needs_and_no_more(target: str, extra: str) -> None:
    command = ["make", "--dry-run", "--always-make", "--old-file=.venv/base", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"--editable '\.\[(.*)\]'", done.stdout) == [extra]
