"""Output contains escape sequences only on a terminal that supports them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from generator.cli.main import COMMANDS, main
from tests import lint_once

RUNS = (
    ["--help"],
    ["templat"],
    ["init", "new"],
    ["template"],
    ["size", "prod"],
    ["size", "prd"],
    ["size"],
    ["explore", "nowhere"],
    ["check", "large.json"],
    ["rules"],
    ["schema"],
    ["diff", "dev", "prod"],
    ["preflight", "dev", "--endpoint-url", "http://127.0.0.1:9"],
    ["simulate", "dev", "--hours", "0.1", "--replications", "4"],
    ["local", "nowhere"],
    ["alerts", "nowhere", "list"],
    ["replay", "nowhere"],
    ["calibrate", "nowhere"],
    ["schema"],
    ["adopt", "dev", "KmsKey=1"],
)
LARGE = '{"Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 2000}}}}'


def test_every_command_is_covered_here() -> None:
    assert {arguments[0] for arguments in RUNS} >= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_output_to_a_file_has_no_escape_sequences(
    project: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Run it in this process, whose output goes to files. click's own runner would remove escape sequences."""
    lint_once.install(monkeypatch)
    (project / "large.json").write_text(LARGE)
    with pytest.raises(SystemExit):
        main(arguments, prog_name="generator")
    output, errors = capfdbinary.readouterr()
    assert output + errors
    assert b"\x1b" not in output + errors
    assert b"\r" not in output + errors


def on_a_terminal(arguments: list[str], **variables: str) -> bytes:
    """Return the bytes that the command sends to a terminal."""
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm", **variables},
    )
    os.close(theirs)
    sent = b""
    try:
        while more := os.read(ours, 65_536):
            sent += more
    except OSError:
        pass  # Linux raises this when the other end is closed.
    finally:
        os.close(ours)
        process.wait()
    return sent


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["size", "prd"], ["check", "large.json"]], ids=" ".join)
def test_no_color_turns_escape_sequences_off(project: Path, arguments: list[str]) -> None:
    (project / "large.json").write_text(LARGE)
    sent = on_a_terminal(arguments, NO_COLOR="1")
    assert sent
    assert b"\x1b" not in sent


@pytest.mark.slow
def test_the_progress_bar_appears_only_on_a_terminal(project: Path) -> None:
    arguments = ["simulate", "dev", "--hours", "0.1", "--replications", "4"]
    assert b"\x1b[?25l" in on_a_terminal(arguments)
    assert b"\x1b" not in on_a_terminal(arguments, TERM="dumb")
