"""Usage errors print what to type next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator.cli.main import COMMANDS

Run = Callable[..., Result]
START = "go to the folder of your project, or start one: generator init DIR"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["templat"], "No such command 'templat'. Did you mean 'template'?"),
        (["sise", "prod"], "No such command 'sise'. Did you mean 'size'?"),
        (["xyzzy"], f"No such command 'xyzzy'. The commands are {', '.join(COMMANDS)}."),
        (["--versoin"], "--version"),
        (["check", "--fromat", "json"], "--format"),
        *(
            ([command], "Missing argument 'ENV'. The environments are dev, prod, staging.")
            for command in ("size", "preflight", "simulate", "local")
        ),
        (["diff", "prod"], "name both sides, such as main:prod prod, or a branch with --base"),
        (["size", "prd"], "environments/prd.toml: no such environment file; did you mean prod?"),
        (["size", "x"], "environments/x.toml: no such environment file; the environments are dev, prod, staging"),
    ],
)
def test_an_error_in_a_project_names_the_next_command(generator: Run, arguments: list[str], message: str) -> None:
    result = generator(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("arguments", [["simulate", "dev"], ["local", "dev"], ["diff", "dev", "prod"]])
def test_a_missing_template_names_the_command_that_writes_it(generator: Run, arguments: list[str]) -> None:
    Path("templates_out/dev.json").unlink()
    result = generator(*arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("; run: generator template dev")


@pytest.mark.parametrize(
    "arguments",
    [
        ["template"],
        ["template", "dev"],
        ["check"],
        ["size"],
        *(["size", "dev"], ["preflight", "dev"], ["simulate", "dev"], ["local", "dev"], ["diff", "dev", "prod"]),
    ],
)
def test_every_command_outside_a_project_explains_how_to_start_one(
    generator: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    result = generator(*arguments)
    assert result.exit_code == 2
    assert START in result.stderr
    assert not any(Path().iterdir())


def test_check_outside_a_project_names_a_file_to_check(
    generator: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert generator("check").stderr == (
        f"environments/: no environment file here; name a file, such as: generator check template.yaml; or {START}\n"
    )
