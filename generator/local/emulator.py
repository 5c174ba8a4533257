"""The AWS emulator (ministack) as a process of this machine: started on 127.0.0.1, stopped with all it started."""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from generator import _runtime
from generator.errors import EmulatorFailure, Fault

HOST = "127.0.0.1"
START_TIMEOUT_S = 30


class Emulator:
    """A running emulator, and clients for it. It takes any credentials and enforces no IAM."""

    def __init__(self, port: int, region: str) -> None:
        self.url = f"http://{HOST}:{port}"
        self.region = region

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator, never of AWS."""
        import boto3

        session = boto3.session.Session("local", "local")
        return session.client(service, endpoint_url=self.url, region_name=self.region)


@contextmanager
def running(region: str, port: int | None = None) -> Iterator[Emulator]:
    """Starts the emulator on the port, or on a free one, and stops it and its workers at the end.

    Raises EmulatorFailure if the extra is not installed, the port is taken or the emulator does not start, and for
    whatever it then refuses or does not answer.
    """
    if not _installed():
        fault = Fault("generator local", "the emulator is not installed", f"run: {_runtime.install_command('local')}")
        raise EmulatorFailure([fault])
    port = _free_port() if port is None else _unused(port)
    with _ending_in_order(), tempfile.TemporaryDirectory(prefix="generator-local-") as folder:
        log = Path(folder) / "emulator.log"
        process = _start(port, region, folder, log)
        try:
            emulator = Emulator(port, region)
            _wait(process, emulator, log)
            with _refusals_told():
                yield emulator
        finally:
            _stop(process)


def _installed() -> bool:
    try:
        return importlib.util.find_spec("ministack") is not None
    except ModuleNotFoundError:
        return False


def _start(port: int, region: str, folder: str, log: Path) -> subprocess.Popen[bytes]:
    """In a process group of its own, so that a Ctrl-C meant for us does not stop it before we have finished."""
    environ = {
        **os.environ,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        # Listeners on every address: one from the start where cryptography is installed, one for a file server.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": region,
        # It writes what runs the functions in the locale's encoding, with characters that not every one has.
        "PYTHONUTF8": "1",
        "TMPDIR": folder,
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes], emulator: Emulator, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{emulator.url}/_ministack/health", timeout=1):  # noqa: S310 - our own URL
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
    fault = Fault("generator local", f"the emulator did not start: {last}", "see whether `python -m ministack` starts")
    raise EmulatorFailure([fault])


@contextmanager
def _refusals_told() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        fault = Fault("the template", f"the emulator does not take it ({_first_line(error)})", "run: generator check")
        raise EmulatorFailure([fault]) from error
    except (BotoCoreError, urllib.error.URLError, http.client.HTTPException, ConnectionResetError) as error:
        fault = Fault("the emulator", f"it does not answer ({_first_line(error)})", "run the command again")
        raise EmulatorFailure([fault]) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the emulator to stop, then makes sure of its whole group: Lambda workers are processes too.

    Whoever asks again meanwhile gets what is left killed at once.
    """
    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):  # what does not stop in time is killed below
            process.wait(timeout=5)
    finally:
        with suppress(ProcessLookupError):  # nobody is left of the group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Has a request to end, or a terminal that is closed, unwind what runs here: the emulator's session gets neither.

    What is ignored stays so, as `nohup` wants it.
    """
    usual = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for one in usual:
        signal.signal(one, _exit)
    try:
        yield
    finally:
        for one in usual:
            signal.signal(one, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    """Exits with the code that shells give to a command that the signal ended."""
    sys.exit(128 + number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _unused(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            fault = Fault(
                f"--port {port}", f"cannot be used ({error.strerror})", "choose another, or none for a free one"
            )
            raise EmulatorFailure([fault]) from None
    return port
