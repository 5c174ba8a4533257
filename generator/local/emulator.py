"""Start the AWS emulator (ministack) on 127.0.0.1, and stop it together with every process that it started."""

from __future__ import annotations

import http.client
import importlib.util
import os
import secrets
import signal
import site
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from generator import _runtime
from generator.errors import EmulatorFailure, Fault

HOST = "127.0.0.1"
START_TIMEOUT_S = 30
FOLDER_PREFIX = "generator-local-"
"""The prefix of a run's temporary folder."""


class Emulator:
    """A running emulator. It accepts any credentials and does not enforce IAM, but only answers below its URL.

    The path of the URL is a secret of this run, so that no web page and no other user can use the emulator.
    """

    def __init__(self, port: int, region: str, folder: Path) -> None:
        self.port, self.region, self.folder = port, region, folder
        self.log = folder / "emulator.log"
        self.url = f"http://{HOST}:{port}/{secrets.token_urlsafe(24)}"
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service of the emulator, never of AWS. A new one reads files for 0.1 s."""
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            settings = {"endpoint_url": self.url, "region_name": self.region, "config": Config(proxies={})}
            self._clients[service] = boto3.session.Session("local", "local").client(service, **settings)
        return self._clients[service]


def request(url: str | urllib.request.Request, timeout_s: float) -> Any:
    """Return the emulator's answer. Ignores any proxy in the environment variables."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout_s)


@contextmanager
def running(region: str, port: int | None = None, concurrency_limit: int = 1000) -> Iterator[Emulator]:
    """Run the emulator on the port, or on any free one, until the block ends.

    Its account reports the limit of concurrent executions, but does not enforce it.

    Raises EmulatorFailure if the extra is not installed, the port is taken, the emulator does not start, or a call in
    the block fails because the emulator rejects it or does not answer.
    """
    require_installed()
    with _runtime.temporary_folder(FOLDER_PREFIX) as folder:
        emulator = Emulator(_usable(port), region, folder)
        process = _start(emulator, concurrency_limit)
        try:
            _wait_until_started(process, emulator)
            with _errors_as_faults():
                yield emulator
        finally:
            _stop(process)


def require_installed() -> None:
    """Raise EmulatorFailure with the command that installs the emulator if it is not installed."""
    if importlib.util.find_spec("ministack") is None:
        fault = Fault("generator local", "the emulator is not installed", f"run: {_runtime.install_command('local')}")
        raise EmulatorFailure([fault])


def _start(emulator: Emulator, concurrency_limit: int) -> subprocess.Popen[bytes]:
    """Start the emulator in its own process group, so that Ctrl-C does not stop it before this process is done."""
    environ = {
        # Lambda functions inherit these variables, so only two come from the user's own.
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONUSERBASE": site.getuserbase(),
        **dict.fromkeys(("HOME", "TMPDIR", "S3_DATA_DIR", "STATE_DIR"), str(emulator.folder)),
        **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": emulator.url,
        "DOCKER_HOST": f"unix://{emulator.folder}/none",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(emulator.port),
        # These two would listen on every address: IoT (if cryptography is installed) and a file server.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency_limit),
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": emulator.region,
        # The emulator writes its Lambda runner in the locale's encoding, which may lack characters that it uses.
        "PYTHONUTF8": "1",
    }
    with emulator.log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - a file of this package
            [sys.executable, "-P", str(Path(__file__).with_name("server.py"))],
            cwd=emulator.folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_started(process: subprocess.Popen[bytes], emulator: Emulator) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with request(f"{emulator.url}/_ministack/health", timeout_s=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    printed = emulator.log.read_text(encoding="utf-8", errors="replace").strip() or "it printed nothing"
    what = f"the emulator did not start: {printed.splitlines()[-1]}"
    raise EmulatorFailure([Fault("generator local", what, "run `python -m ministack` to find the cause")])


@contextmanager
def _errors_as_faults() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        what = f"the emulator rejected it ({_first_line(error)})"
        raise EmulatorFailure([Fault("the template", what, "run: generator check")]) from error
    except (BotoCoreError, urllib.error.URLError, http.client.HTTPException, ConnectionResetError) as error:
        what = f"does not answer ({_first_line(error)})"
        raise EmulatorFailure([Fault("the emulator", what, "run the command again")]) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the emulator to stop, then kill what is left of its process group, which includes Lambda workers.

    A second signal to this process while it waits skips the waiting.
    """
    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):  # Killed below.
            process.wait(timeout=5)
    finally:
        if process.stdin:
            process.stdin.close()
        with suppress(ProcessLookupError):  # The group has no process left.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _usable(port: int | None) -> int:
    """Return the port, or any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except OSError as error:
            remedy = "choose another port, or omit --port to use any free one"
            fault = Fault(f"--port {port}", f"cannot be used ({error.strerror})", remedy)
            raise EmulatorFailure([fault]) from None
        return int(probe.getsockname()[1])
