"""Run every command in the documentation as written and compare its output."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import click
import pytest
from botocore import xform_name
from click.testing import CliRunner
from standardwebhooks import Webhook

from generator import scaffold as new_project
from generator.account import replay
from generator.cli.main import main
from generator.config import fields
from generator.config.schema import Environment
from generator.config.senders import WebhookSource
from tests import lint_once
from tests.account.live import deployed
from tests.conftest import FIXTURES, ROOT, environment_of, git
from tests.docs.pages import ALL_PAGES, NOT_RUN, PAGES, RUN, Edit, Transcript, blocks, inline, name_of, plain, steps
from tests.shell import Shell

BIN = Path(sys.executable).parent
PLAIN = sorted({command for page in PAGES for command in plain(page)})
INLINE = sorted({command for page in ALL_PAGES for command in inline(page)})

AWS_OPTIONS = {"query", "output", "region", "profile"}
"""Options of every AWS command. Source: AWS CLI Command Reference, "Global options"."""

AWS_DEPLOY = {"stack-name", "template-file", "capabilities"}
"""Options of `aws cloudformation deploy`, which is not an operation of the API."""

NEEDS_ACCOUNT = ("alerts", "calibrate", "preflight", "replay")
"""Commands that call AWS. The tests parse them without running them."""

OVER = "ReservedConcurrentExecutions: 105"
"""The line of tests/docs/files/stack.yaml that puts it over the quota."""


def pages_with_transcripts() -> dict[str, list[Transcript | Edit]]:
    """Return the steps of each page. A transcript that a page repeats from another one is not run again."""
    made: dict[str, list[Transcript | Edit]] = {}
    seen: set[Transcript | Edit] = set()
    for page in sorted(PAGES, key=lambda page: "tutorial" not in page.name):
        found = list(steps(page))
        new = [step for step in found if isinstance(step, Transcript) and step not in seen]
        seen.update(found)
        if new:
            made[name_of(page)] = [step for step in found if isinstance(step, Edit) or step in new]
    return made


STEPS = pages_with_transcripts()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a git repository with the fixture project, this repository's Makefile and one commit."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "tests/docs/files", tmp_path, dirs_exist_ok=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    peers = tmp_path / "benchmarks/peers"
    peers.mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks/peers/requirements.txt", peers)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        git(*arguments, folder=tmp_path)
    return tmp_path


def run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Run the command as typed, with the generator in this process. Return exit code and output."""
    lint_once.install(monkeypatch)
    if re.fullmatch(r"generator [^$|>]*", command):
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(main, shlex.split(command)[1:], prog_name="generator", terminal_width=80)
        return result.exit_code, result.stdout, result.stderr
    with tempfile.TemporaryDirectory() as temporary:
        shell = Shell(Path(temporary) / "bin")
        # With the current virtual environment instead of a new one.
        ready = f"make -o .venv/base -o .venv/local -o .venv/test BIN={shlex.quote(str(shell.folder))} "
        command = re.sub(r"^make ", ready, command)
        monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        done = shell.run(["bash", "-c", command], folder)
    return done.returncode, done.stdout, done.stderr


def apply(edit: Edit, folder: Path) -> None:
    """Change the setting in the environment file, where it must have another value so far."""
    path, key = folder / edit.path, edit.setting.partition(" ")[0]
    text, count = re.subn(rf"^{key} = .*$", edit.setting, path.read_text(), flags=re.M)
    assert (count, text != path.read_text()) == (1, True), edit
    path.write_text(text)


def test_the_pages_have_commands_to_run() -> None:
    assert {"README.md", "docs/tutorial.md"} <= {name_of(page) for page in PAGES if any(steps(page))}
    assert any(isinstance(step, Edit) for step in STEPS["docs/tutorial.md"])
    assert len(PLAIN) >= 12
    assert len(INLINE) >= 10


def test_every_command_is_run_or_needs_another_tool() -> None:
    assert [one for one in PLAIN if one.split()[0] not in (*RUN, *NOT_RUN)] == []


@pytest.mark.slow
@pytest.mark.usefixtures("no_region")
@pytest.mark.parametrize("page", STEPS)
def test_the_output_on_the_page_is_the_real_output(clone: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands in the order of the page, with the edits that it asks for."""
    for step in STEPS[page]:
        if isinstance(step, Edit):
            apply(step, clone)
            continue
        _, output, errors = run(step.command, clone, monkeypatch)
        real = output or errors
        expected, cut, _ = step.printed.partition("\n...\n")
        found, wanted = " ".join(real.split()), " ".join(expected.split())
        assert found.startswith(wanted) if cut else found == wanted, (step.command, real)


def calls_aws(command: str) -> bool:
    program, *words = command.split()
    return program == "generator" and (words[0] in NEEDS_ACCOUNT or "--live" in words)


def works_on_a_stack(command: str) -> bool:
    return command.startswith(("generator alerts ", "generator replay "))


OFFLINE = [one for one in PLAIN if one.split()[0] in ("generator", "cfn-lint", "eval") and not calls_aws(one)]


@pytest.mark.parametrize("command", [one for one in PLAIN if calls_aws(one)])
def test_commands_that_need_an_account_are_parsed(command: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, parsed = shlex.split(command)[1:], click.Context(main)
    found: click.Command | None = main
    while found:
        parsed = found.make_context(found.name, words, parent=parsed)
        rest = [*vars(parsed).get("_protected_args", ()), *parsed.args]
        _, found, words = found.resolve_command(parsed, rest) if isinstance(found, click.Group) else (None, None, rest)
    assert words == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(works_on_a_stack, plain(page)))], ids=name_of)
def test_commands_on_a_deployed_stack_work(clone: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run them in the order of the page, because one adds the alert that the next one shows."""
    monkeypatch.setattr(replay, "WAIT_S", 0)
    with deployed():
        for command in filter(works_on_a_stack, plain(page)):
            code, output, errors = run(command, clone, monkeypatch)
            assert code == 0, output + errors


@pytest.mark.slow
@pytest.mark.parametrize("command", OFFLINE)
def test_commands_without_output_work(clone: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = (clone / "stack.yaml").read_text()
    (clone / "stack.yaml").write_text(stack.replace(OVER, OVER.replace("105", "95")))
    code, output, errors = run(command, clone, monkeypatch)
    assert code == 0, output + errors


def test_make_targets_and_their_variables_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for command in [one for one in [*PLAIN, *INLINE] if one.startswith("make ")]:
        for word in shlex.split(command)[1:]:
            name, is_variable, _ = word.partition("=")
            assert f"$({name})" in makefile or f"or $({name})," in makefile if is_variable else name in targets, command


def test_every_make_target_on_the_pages_is_run(clone: Path) -> None:
    targets = {one.split()[1] for one in [*PLAIN, *INLINE] if one.startswith("make ")}
    ready = [word for name in ("base", "bench", "local", "mutants", "test") for word in ("-o", f".venv/{name}")]
    command = ["make", "--dry-run", *ready, *sorted(targets)]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", [one for one in INLINE if re.match(r"generator [a-z]+\b", one)])
def test_options_in_the_text_exist(command: str) -> None:
    """Drop optional parts and placeholders, then parse the command without running it."""
    name, *arguments = shlex.split(re.sub(r"\[.*?\]|\.\.\.", "", command.removeprefix("generator ")))
    context = main.make_context("generator", [name])
    found = main.get_command(context, name)
    assert found
    commands = [found, *(found.commands.values() if isinstance(found, click.Group) else ())]
    parameters = [parameter for command in commands for parameter in command.params]
    options = {text for parameter in parameters for text in [*parameter.opts, *parameter.secondary_opts]}
    assert {one for one in arguments if one.startswith("--")} <= options | {"--help"}


@pytest.mark.parametrize("page", [page for page in ALL_PAGES if "toml" in dict(blocks(page))], ids=name_of)
def test_settings_in_blocks_exist(page: Path) -> None:
    known = set(fields.keys(Environment))
    for text in [text for language, text in blocks(page) if language == "toml"]:
        for section, values in tomllib.loads(text).items():
            if section == "sources":
                assert {key for one in values for key in one} <= set(fields.keys(WebhookSource))
            if isinstance(values, dict) and section != "tags":
                assert {f"{section}.{key}" for key in values if not isinstance(values[key], dict)} <= known


@functools.cache
def aws_operations(service: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def aws_calls(text: str) -> Iterator[str]:
    """Yield each AWS CLI command, inner ones first."""
    while inner := re.search(r"\$\((aws [^()]*)\)", text):
        yield inner[1]
        text = text.replace(inner[0], "X")
    if text.startswith("aws "):
        yield text


AWS = sorted({call for one in [*PLAIN, *INLINE] if "aws " in one for call in aws_calls(one)})


@pytest.mark.parametrize("call", AWS)
def test_aws_commands_and_options_exist(call: str) -> None:
    _, service, operation, *arguments = shlex.split(call)
    options = {one.removeprefix("--") for one in arguments if one.startswith("--")} - AWS_OPTIONS
    if (service, operation) == ("cloudformation", "deploy"):
        assert options | {"capabilities"} >= AWS_DEPLOY
        assert options <= AWS_DEPLOY
        return
    model = aws_operations(service)[operation]
    members = model.input_shape.members if model.input_shape else {}
    assert options <= {xform_name(member, "-") for member in members}
    required = (
        {xform_name(member, "-") for member in model.input_shape.required_members} if model.input_shape else set()
    )
    assert not arguments or required <= options


def test_a_receiver_accepts_the_signed_webhook() -> None:
    (snippet,) = [text for page in PAGES for language, text in blocks(page) if "Webhook(" in text and language]
    secret, seen = "whsec_" + "QUFB" * 11, []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((Webhook(secret).verify(body, dict(self.headers.items())), self.headers["x-api-key"]))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/webhooks"
        exec(snippet, {"URL": url, "API_KEY": "key", "SECRET": secret})
    ((body, key),) = seen
    assert (body["symbol"], key) == ("BTC-USD", "key")


def test_the_workflow_runs_the_commands_that_its_page_names() -> None:
    text = new_project.files()[".github/workflows/templates.yml"].replace('"$BASE"', "origin/main")
    commands = [one for one in inline(ROOT / "docs/how-to/use-in-ci.md") if re.match("generator (check|diff --)", one)]
    assert len(commands) == 2
    assert all(command in text for command in commands)
    assert (ROOT / "generator/skeleton/dot_github/workflows/templates.yml").is_file()


def test_the_overview_picture_shows_the_figures_of_prod() -> None:
    from generator.capacity import sizing

    environment = environment_of("prod")
    found = sizing.size(environment)
    picture = (ROOT / "docs/overview.svg").read_text()
    figures = [function.reserved_concurrency for function in found.functions]
    account = environment.account
    reservable = account.concurrency_limit - account.unreserved_floor - account.reserved_elsewhere
    assert re.findall(r">(\d+)</text>", picture) == [str(figure) for figure in (20, 10, 5, 2)]
    assert figures == [20, 10, 5, 2]
    assert f"{' + '.join(map(str, figures))} = {found.total_reserved} reserved" in picture
    assert f"{reservable - found.total_reserved} left" in picture
    assert f"of the {reservable} that" in picture
