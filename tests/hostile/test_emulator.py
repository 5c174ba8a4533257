"""The emulator serves only its own run, has no data of the user, and ends with its command, even if that is killed."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from generator.local import emulator
from generator.local.emulator import Emulator
from tests.conftest import FIXTURES
from tests.processes import started_with

pytestmark = pytest.mark.slow

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to list processes")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Start it with credentials and a proxy in the environment, in a folder with modules named like its own."""
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(folder))
        for name in ("yaml", "hypercorn", "ministack", "json", "botocore"):
            (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN"):
            patch.setenv(name, "the-users-own")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        with emulator.running("us-east-1") as started:
            yield started
    assert not (folder / "ran").exists()


def status(url: str, data: bytes | None = None, /, **headers: str) -> int:
    try:
        with emulator.request(urllib.request.Request(url, data, headers), timeout_s=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_requests_need_the_secret_path(running: Emulator) -> None:
    base = f"http://127.0.0.1:{running.port}"
    secret = urlsplit(running.url).path
    assert status(f"{running.url}/_ministack/health") == 200
    for path in ("", "/", "/_ministack/health", f"{secret}x/_ministack/health", secret[:-1], f"/{secret}", "/restapis"):
        assert status(f"{base}{path}") == 403, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Host": "attacker.example"},
        {"Host": "attacker.example:4566"},
        {"Host": "127.0.0.1"},
    ],
    ids=str,
)
def test_a_foreign_origin_or_host_is_refused(running: Emulator, headers: dict[str, str]) -> None:
    assert status(f"{running.url}/_ministack/health", **headers) == 403


def test_a_web_page_cannot_create_a_function(running: Emulator) -> None:
    """A browser sends this request without asking the server first, because its type is one of a form."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "open('ran', 'w')")
    function = {
        "FunctionName": "evil",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": {"ZipFile": base64.b64encode(code.getvalue()).decode()},
    }
    headers = {"Origin": "https://example.com", "Content-Type": "text/plain"}
    for base in (f"http://127.0.0.1:{running.port}", running.url):
        assert status(f"{base}/2015-03-31/functions", json.dumps(function).encode(), **headers) == 403
    assert running.client("lambda").list_functions()["Functions"] == []


def test_clients_work_below_the_url_and_around_a_proxy(running: Emulator) -> None:
    assert running.client("sts").get_caller_identity()["Account"] == "000000000000"


@LINUX
def test_the_emulator_has_none_of_the_users_secrets(running: Emulator) -> None:
    processes = started_with(urlsplit(running.url).path)
    assert processes
    for process in processes:
        assert b"the-users-own" not in Path(f"/proc/{process}/environ").read_bytes()


@pytest.mark.slow
@LINUX
def test_after_a_kill_of_the_command_nothing_is_left(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-m", "generator", "local", "dev"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}

    def end() -> None:
        for process in started_with(str(tmp_path)):
            os.kill(process, signal.SIGKILL)

    request.addfinalizer(end)
    with subprocess.Popen(command, cwd=FIXTURES, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    until = time.monotonic() + 10
    while (started_with(str(tmp_path)) or any(tmp_path.iterdir())) and time.monotonic() < until:
        time.sleep(0.1)
    assert started_with(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
