"""The emulator as a process: its listeners, its end, and the errors when it cannot be used."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator import _runtime
from generator.errors import EmulatorFailure
from generator.local import emulator
from tests.conftest import FIXTURES
from tests.processes import listening, started_with

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to list open sockets")
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); from generator.cli.main import main; main()"
)


@LINUX
def test_the_emulator_listens_only_on_localhost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator of AWS IoT would listen on every address, because cryptography is installed here."""
    assert importlib.util.find_spec("cryptography")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("IOT_MTLS_PORT", str(probe.getsockname()[1]))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with emulator.running("us-east-1"):
        assert listening(started_with(str(tmp_path))) == {"127.0.0.1"}


def kill(processes: list[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)


@pytest.mark.slow
@LINUX
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(signal.SIGINT, 0, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="terminate"),
        pytest.param(signal.SIGHUP, 129, id="terminal closed"),
    ],
)
def test_all_started_processes_end_with_the_command(
    request: pytest.FixtureRequest, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-u", "-c", COMMAND, "local", "dev"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=FIXTURES, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        request.addfinalizer(lambda: kill(started_with(str(tmp_path))))
        shown = b""
        for line in process.stdout:
            shown += line
            if b"Ctrl-C" in line:
                break
        assert b"curl -i http://127.0.0.1:" in shown
        assert b"x-api-key: " in shown
        assert len(started_with(str(tmp_path))) > 1
        process.send_signal(sent)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert started_with(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_a_clear_error(generator: Callable[..., Result]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = generator("local", "dev", "--port", str(port))
    assert result.exit_code == 2
    fault = f"--port {port}: cannot be used (Address already in use)"
    assert f"{fault}; choose another port, or omit --port to use any free one" in result.stderr


def test_a_missing_extra_is_a_clear_error() -> None:
    code = (
        "import sys\n"
        "sys.modules['ministack'] = None  # as if it were not installed\n"
        "from generator.cli.main import main\n"
        "main(['local', 'dev'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=FIXTURES, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    fault = f"the emulator is not installed; run: {_runtime.install_command('local')}"
    assert done.stderr == f"generator local: {fault}\n"


def test_a_missing_template_is_reported_with_the_command_to_generate_it(generator: Callable[..., Result]) -> None:
    os.unlink("templates_out/dev.json")
    result = generator("local", "dev")
    assert result.exit_code == 2
    assert result.stderr == "templates_out/dev.json: no such file; run: generator template dev\n"


UNKNOWN = '{"Resources": {"A": {"Type": "AWS::Nope::Nope"}}}'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{", "templates_out/dev.json: neither JSON nor YAML (", id="cut off"),
        pytest.param("", "templates_out/dev.json: not a template: it has no Res", id="empty"),
        pytest.param("[]", "templates_out/dev.json: not a template: it has no Res", id="a list"),
        pytest.param(
            '{"Resources": {"A": 1}}', "templates_out/dev.json: not a template: it has no Res", id="bad resource"
        ),
        pytest.param('{"Resources": {}}', "the template: has no ProcessWebhookLogGroup, ", id="foreign template"),
        pytest.param(UNKNOWN, "the template: the emulator rejected it (An error occurred", id="unknown type"),
    ],
)
def test_an_unusable_template_is_reported_in_one_line(
    generator: Callable[..., Result], text: str, expected: str
) -> None:
    Path("templates_out/dev.json").write_text(text)
    result = generator("local", "dev", "--demo")
    faults = [line for line in result.stderr.splitlines() if not line.endswith(" ...")]
    assert (result.exit_code, len(faults)) == (2, 1)
    assert faults[0].startswith(expected)
    assert "; " in faults[0]


@LINUX
def test_a_killed_emulator_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def ask_one_that_was_killed() -> None:
        with emulator.running("us-east-1") as running:
            kill(started_with(str(tmp_path)))
            urllib.request.urlopen(running.url)

    with pytest.raises(EmulatorFailure, match="does not answer"):
        ask_one_that_was_killed()
