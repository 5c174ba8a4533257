"""What the shell offers on Tab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generator.cli import COMMANDS
from tests.conftest import ENVIRONMENTS, ROOT

README = (ROOT / "README.md").read_text()
MAIN = "import sys; from generator.cli import main; sys.argv[0] = 'generator'; main(prog_name='generator')"


def ask(shell: str, **words: str) -> list[str]:
    """What the completion script gets for its question."""
    env = {**os.environ, "_GENERATOR_COMPLETE": f"{shell}_complete", **words}
    done = subprocess.run([sys.executable, "-c", MAIN], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def offered(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    return ask("bash", COMP_WORDS=" ".join(["generator", *words]), COMP_CWORD=str(len(words)))


def test_commands_are_offered(project: Path) -> None:
    assert offered("") == [f"plain,{command}" for command in COMMANDS]
    assert sorted(offered("si")) == ["plain,simulate", "plain,size"]


@pytest.mark.parametrize("command", ["template", "size", "preflight", "simulate", "local"])
def test_environments_are_offered(project: Path, command: str) -> None:
    assert offered(command, "") == [f"plain,{name}" for name in ENVIRONMENTS]
    assert offered(command, "p") == ["plain,prod"]


@pytest.mark.parametrize("words", [("check", "s"), ("diff", "s"), ("diff", "prod", "s")])
def test_environments_and_files_are_offered_where_both_will_do(project: Path, words: tuple[str, ...]) -> None:
    assert offered(*words) == ["plain,staging", "file,s"]


def test_nothing_is_offered_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "".join(offered("size", "")) == ""


def test_zsh_and_fish_are_offered_the_same(project: Path) -> None:
    assert ask("zsh", COMP_WORDS="generator size p", COMP_CWORD="2") == ["plain", "prod", "_"]
    assert "prod" in " ".join(ask("fish", COMP_WORDS="generator size p", COMP_CWORD="p"))


def test_an_answer_imports_nothing_heavy(project: Path) -> None:
    code = MAIN.replace("main(prog", "import atexit; atexit.register(lambda: print(*sys.modules)); main(prog")
    env = {**os.environ, "_GENERATOR_COMPLETE": "bash_complete", "COMP_WORDS": "generator size ", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert not {"troposphere", "awacs", "cfnlint", "boto3", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_of_the_readme_are_taken_by_their_shells(shell: str) -> None:
    assert f"{shell}_source" in README
    env = {**os.environ, "_GENERATOR_COMPLETE": f"{shell}_source"}
    done = subprocess.run([sys.executable, "-c", MAIN], env=env, capture_output=True, text=True, check=True)
    assert f"_GENERATOR_COMPLETE={shell}_complete" in done.stdout
    if there := shutil.which(shell):
        subprocess.run([there, "-n"], input=done.stdout, text=True, check=True, capture_output=True)
