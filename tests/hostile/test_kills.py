"""Kill every command at random moments: no half-written file and no process is left, and no temporary file for long.

KILLS=500 runs 500 of them; the seed of each is in its message.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generator._runtime import usable_processors
from tests.conftest import FIXTURES, snapshot
from tests.processes import started_with

KILLS = int(os.environ.get("KILLS", "7"))
RATES = (1000, 2000)
SETTINGS = """name = "{name}"
region = "us-east-1"
[traffic]
webhooks_per_hour = 1000
[account]
name = "{name}"
concurrency_limit = 1000
"""
COMMANDS = {
    "template": (("template", "--set"), 1.5),
    "init": (("init", "new"), 0.5),
    "check": (("check", "dev"), 2.5),
    "diff": (("diff", "dev", "prod"), 1.0),
    "simulate": (("simulate", "dev", "--hours", "0.05", "--replications", "8"), 2.0),
    "local": (("local", "dev"), 3.0),
    "size": (("size",), 0.5),
}
"""The arguments of each command, and about how many seconds it takes."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to list processes"),
]


def generator(folder: Path, *arguments: str, output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    env = {**os.environ, "TMPDIR": str(folder / "tmp"), "THIS_TEST": str(folder)}
    quiet = subprocess.DEVNULL
    command = [f"{sys.prefix}/bin/generator", *arguments]
    return subprocess.Popen(command, cwd=folder / "project", env=env, stdin=quiet, stdout=output, stderr=quiet)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, bytes]]]:
    """Return a project of 17 environments, enough for a second process, and its output at each rate."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "tmp").mkdir()
    project = folder / "project"
    shutil.copytree(FIXTURES, project)
    for number in range(14):
        name = f"many-{number}"
        (project / f"environments/{name}.toml").write_text(SETTINGS.format(name=name))
    found = []
    for rate in RATES:
        assert generator(folder, "template", "--set", f"traffic.webhooks_per_hour={rate}").wait() == 0
        found.append(snapshot(project / "templates_out"))
    return folder, found


def temporary(folder: Path) -> list[Path]:
    return [*folder.rglob(".generator-*"), *(folder / "tmp").iterdir()]


def wait_until_ended(folder: Path) -> list[int]:
    until = time.monotonic() + 10
    while (left := started_with(str(folder))) and time.monotonic() < until:
        time.sleep(0.02)
    return left


SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_leaves_nothing_behind(versions: tuple[Path, list[dict[str, bytes]]], seed: int) -> None:
    folder, (first, second) = versions
    project, choose = folder / "project", random.Random(seed)
    name = list(COMMANDS)[seed % len(COMMANDS)]
    arguments, usual_s = COMMANDS[name]
    if name == "template":
        arguments = (*arguments, f"traffic.webhooks_per_hour={choose.choice(RATES)}")
    sent = SIGNALS[(seed + seed // len(COMMANDS)) % len(SIGNALS)]
    shutil.rmtree(project / "new", ignore_errors=True)
    process = generator(folder, *arguments)
    time.sleep(choose.uniform(usual_s / 3, usual_s))
    process.send_signal(sent)
    process.wait(timeout=20)
    assert wait_until_ended(folder) == [], (name, sent)
    for file, content in snapshot(project / "templates_out").items():
        assert file.startswith(".generator-") or content in (first[file], second[file]), (name, sent, file)
    made = snapshot(project / "new") if (project / "new").exists() else {}
    if sent == signal.SIGKILL and temporary(folder):
        assert generator(folder, *(("local", "dev", "--port", "1") if name == "local" else arguments)).wait() in (0, 2)
    elif name == "init":
        assert len(made) in (0, 10), (sent, made.keys())
    left = [
        path
        for path in temporary(folder)
        if (path.is_file() and path.stat().st_size) or (path.is_dir() and any(path.iterdir()))
    ]
    assert left == [], (name, sent)


def many_findings(project: Path) -> list[str]:
    """Write files with a thousand findings each, more than a pipe holds, and return their names."""
    names = [f"many-{number}.json" for number in range(4)]
    topics = {f"Topic{number}": {"Type": "AWS::SNS::Topic", "Properties": {"X": number}} for number in range(1000)}
    for name in names:
        (project / name).write_text(json.dumps({"Resources": topics}))
    return names


@pytest.mark.skipif(usable_processors() < 2, reason="needs a second process")
@pytest.mark.parametrize("name", ["template", "check"])
def test_a_terminated_command_takes_its_worker_with_it(
    versions: tuple[Path, list[dict[str, bytes]]], name: str
) -> None:
    folder, _ = versions
    arguments = many_findings(folder / "project") if name == "check" else []
    with generator(folder, name, *arguments, output=subprocess.PIPE) as process:
        while len(started_with(str(folder))) < 2:
            assert process.poll() is None, "it ended before it had a second process"
            time.sleep(0.002)
        process.terminate()
        process.communicate(timeout=10)  # Ends when nobody holds the pipe any more.
    assert wait_until_ended(folder) == []
