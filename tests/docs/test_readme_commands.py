"""Run every command in the README as written and compare its output."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from standardwebhooks import Webhook

from generator import scaffold as new_project
from generator.cli.main import main
from tests.conftest import FIXTURES, ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.S | re.M)
INLINE = re.findall(r"`((?:generator|make|aws|git|pip|cfn-lint) [^`\n|]+)`", README)
BIN = Path(sys.executable).parent

AWS_OPTIONS = {"query", "output", "region", "profile"}
"""Options of every AWS command. Source: AWS CLI Command Reference, "Global options"."""

AWS_DEPLOY = {"stack-name", "template-file", "capabilities"}
"""Options of `aws cloudformation deploy`, which is not an operation of the API."""


def transcripts() -> Iterator[tuple[str, str]]:
    """Yield each command after a dollar sign with the output below it."""
    for language, text in BLOCKS:
        if not language and text.startswith("$ "):
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command, _, printed = part.partition("\n")
                yield command, printed


def plain() -> Iterator[str]:
    """Yield each command in a block without output, with continued lines joined."""
    for language, text in BLOCKS:
        if not language and not text.startswith("$ "):
            joined = re.sub(r"\\\n\s*", "", text)
            starts = re.split(r"^(?=(?:aws|make|generator|cd|eval|cfn-lint) )", joined, flags=re.M)
            yield from (start.strip() for start in starts if start.strip())


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a git repository with the fixture project, this repository's Makefile and one commit."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    peers = tmp_path / "benchmarks/peers"
    peers.mkdir(parents=True)
    shutil.copy(ROOT / "benchmarks/peers/requirements.txt", peers)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True)
    return tmp_path


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as typed, with the current virtual environment instead of a new one."""
    command = re.sub(
        r"^make ", f"make -o .venv/base -o .venv/local -o .venv/test BIN={shlex.quote(str(BIN))} ", command
    )
    here = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=here, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_readme_has_commands_to_run() -> None:
    assert len(list(transcripts())) >= 8
    assert len(list(plain())) >= 12
    assert len(INLINE) >= 10


@pytest.mark.slow
def test_the_output_in_the_readme_is_the_real_output(clone: Path) -> None:
    """Run them in the order of the README, with the one edit that it asks for."""
    (clone / "stack.yaml").write_text(STACK)
    edit = "Write `webhooks_per_hour = 25000` in\n`environments/staging.toml`"
    assert edit in README
    for command, printed in transcripts():
        if command == "make template":
            path = clone / "environments/staging.toml"
            path.write_text(path.read_text().replace("webhooks_per_hour = 5000", "webhooks_per_hour = 25000"))
        if command == "generator --help":
            continue  # Its width is that of the terminal; tests/docs/test_readme.py compares it.
        real = shell(command, clone).stdout
        expected, cut, _ = printed.partition("\n...\n")
        found, wanted = " ".join(real.split()), " ".join(expected.split())
        assert found.startswith(wanted) if cut else found == wanted, (command, real)


CODE = 'Code: {ZipFile: "def handler(event, context): pass"}, Handler: index.handler, Runtime: python3.13'
STACK = f"""Resources:
  A:
    Type: AWS::Lambda::Function
    Properties: {{{CODE}, Role: "arn:aws:iam::123456789012:role/a", ReservedConcurrentExecutions: 100}}
  B:
    Type: AWS::Lambda::Function
    Properties: {{{CODE}, Role: "arn:aws:iam::123456789012:role/b", ReservedConcurrentExecutions: 105}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [one for one in plain() if not re.match(r"aws |make |cd ", one)])
def test_commands_without_output_work(clone: Path, command: str) -> None:
    (clone / "stack.yaml").write_text(STACK.replace("105", "95"))
    done = shell(command, clone)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", sorted({one for one in [*plain(), *INLINE] if one.startswith("make ")}))
def test_make_targets_exist(clone: Path, command: str) -> None:
    done = shell(f"{command} --dry-run", clone)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", sorted({one for one in INLINE if re.match(r"generator [a-z]+\b", one)}))
def test_options_in_the_text_exist(command: str) -> None:
    """Drop optional parts and placeholders, then parse the command without running it."""
    name, *arguments = shlex.split(re.sub(r"\[.*?\]|\.\.\.", "", command.removeprefix("generator ")))
    context = main.make_context("generator", [name])
    found = main.get_command(context, name)
    assert found
    options = {text for parameter in found.params for text in [*parameter.opts, *parameter.secondary_opts]}
    assert {one for one in arguments if one.startswith("--")} <= options | {"--help"}


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


AWS = sorted({call for one in [*plain(), *INLINE] if "aws " in one for call in aws_calls(one)})


@pytest.mark.parametrize("call", AWS)
def test_aws_commands_and_options_exist(call: str) -> None:
    _, service, operation, *arguments = shlex.split(call)
    options = {one.removeprefix("--") for one in arguments if one.startswith("--")} - AWS_OPTIONS
    if (service, operation) == ("cloudformation", "deploy"):
        assert options == AWS_DEPLOY
        return
    model = aws_operations(service)[operation]
    members = model.input_shape.members if model.input_shape else {}
    assert options <= {xform_name(member, "-") for member in members}
    required = (
        {xform_name(member, "-") for member in model.input_shape.required_members} if model.input_shape else set()
    )
    assert not arguments or required <= options


def test_a_receiver_accepts_the_signed_webhook() -> None:
    (snippet,) = [text for language, text in BLOCKS if language == "python" and "Webhook(" in text]
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


def test_the_sizing_snippet_works(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (snippet,) = [text for language, text in BLOCKS if language == "python" and "Webhook(" not in text]
    monkeypatch.chdir(clone)
    exec(snippet, {})
    assert capsys.readouterr().out == "20 True\n"


def test_the_workflow_runs_the_commands_that_the_readme_names() -> None:
    text = new_project.files()[".github/workflows/templates.yml"].replace('"$BASE:prod"', "origin/main:prod")
    section = README.split("## In a pull request")[1].split("\n## ")[0]
    commands = [
        command for command in re.findall(r"`(generator [^`]*)`", section.replace("\n", " ")) if "init" not in command
    ]
    assert len(commands) == 2
    assert all(command in text for command in commands)
    assert (ROOT / "generator/skeleton/dot_github/workflows/templates.yml").is_file()


def test_the_overview_picture_shows_the_figures_of_prod() -> None:
    from generator.capacity import sizing
    from generator.config import files

    (environment,) = files.load_named(["prod"], folder=FIXTURES / "environments")
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
