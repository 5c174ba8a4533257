"""Shell completion of commands, options, environments and files."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from generator.cli.main import COMMANDS, main
from tests.conftest import ENVIRONMENTS, ROOT

PAGE = (ROOT / "docs/reference/commands.md").read_text()
MAIN = "import sys; from generator.cli.main import main; sys.argv[0] = 'generator'; main(prog_name='generator')"


def ask(shell: str, **words: str) -> list[str]:
    """Return the lines that the completion script receives."""
    env = {**os.environ, "_GENERATOR_COMPLETE": f"{shell}_complete", **words}
    done = subprocess.run([sys.executable, "-c", MAIN], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def offered(*words: str) -> list[str]:
    """Return the completions that bash receives for the last word."""
    return ask("bash", COMP_WORDS=" ".join(["generator", *words]), COMP_CWORD=str(len(words)))


@pytest.mark.slow
def test_tab_completes_commands(project: Path) -> None:
    assert offered("") == [f"plain,{command}" for command in COMMANDS]
    assert sorted(offered("si")) == ["plain,simulate", "plain,size"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["template", "size", "preflight", "simulate", "local"])
def test_tab_completes_environments(project: Path, command: str) -> None:
    assert offered(command, "") == [f"plain,{name}" for name in ENVIRONMENTS]
    assert offered(command, "p") == ["plain,prod"]


def script(shell: str) -> str:
    """Return the completion script that the page asks the shell to load."""
    env = {**os.environ, "_GENERATOR_COMPLETE": f"{shell}_source"}
    return subprocess.run([sys.executable, "-c", MAIN], env=env, capture_output=True, text=True, check=True).stdout


def completed(folder: Path, *words: str) -> list[str]:
    """Return the completions that bash itself produces for the last word."""
    command = folder / "generator"
    command.write_text(f"#!{sys.executable}\n{MAIN}\n")
    command.chmod(0o755)
    typed = " ".join(shlex.quote(word) for word in ("generator", *words))
    ask = f'COMP_WORDS=({typed}) COMP_CWORD={len(words)}; _generator_completion "$PWD/generator"'
    text = f'compopt() {{ echo compopt "$@" >&2; }}\n{script("bash")}\n{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True, cwd=folder)
    return [*done.stdout.split(), *done.stderr.splitlines()]


@pytest.mark.slow
def test_bash_completes_an_environment(project: Path) -> None:
    assert completed(project, "size", "p") == ["prod"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [("check", "s"), ("diff", "s"), ("diff", "prod", "s")], ids=" ".join)
def test_bash_completes_environments_and_otherwise_files(project: Path, words: tuple[str, ...]) -> None:
    """With the option "default", bash completes files if it receives no other completion."""
    assert completed(project, *words) == ["staging", "compopt -o default"]
    assert completed(project, *words[:-1], "x") == ["compopt -o default"]


def test_tab_completes_nothing_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "".join(offered("size", "")) == ""


@pytest.mark.slow
def test_zsh_and_fish_complete_environments_too(project: Path) -> None:
    assert ask("zsh", COMP_WORDS="generator size p", COMP_CWORD="2") == ["plain", "prod", "_"]
    assert "prod" in " ".join(ask("fish", COMP_WORDS="generator size p", COMP_CWORD="p"))


def test_completion_imports_nothing_heavy(project: Path) -> None:
    code = MAIN.replace("main(prog", "import atexit; atexit.register(lambda: print(*sys.modules)); main(prog")
    env = {**os.environ, "_GENERATOR_COMPLETE": "bash_complete", "COMP_WORDS": "generator size ", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert not {"troposphere", "awacs", "cfnlint", "boto3", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_accepts_the_script_on_the_page(shell: str) -> None:
    assert f"{shell}_source" in PAGE
    assert f"_GENERATOR_COMPLETE={shell}_complete" in script(shell)
    if there := shutil.which(shell):
        subprocess.run([there, "-n"], input=script(shell), text=True, check=True, capture_output=True)


def test_tab_completes_the_keys_of_settings() -> None:
    complete = ShellComplete(main, {}, "generator", "_GENERATOR_COMPLETE")
    found = [one.value for one in complete.get_completions(["size", "prod", "--set"], "traffic.max")]
    assert found == ["traffic.max_price_age_s=", "traffic.max_notification_age_s="]
