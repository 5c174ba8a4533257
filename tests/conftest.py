"""Fixtures that most tests use: a project to work in, and the command line."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings

from generator.cli.main import main
from generator.config import files
from generator.config.schema import Environment

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests/fixtures"
"""The project that tests work on: their own, because users edit environments/ and templates_out/ of the repository."""
ENVIRONMENTS = ("dev", "prod", "staging")

SCALE = int(os.environ.get("TEST_SCALE", "1"))
"""The factor by which to raise the number of random examples."""

# A shell ignores Ctrl-C for commands in the background, and so would the commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Linters and emulators fill the heap with objects that stay. Looking through them again and again takes time.
gc.set_threshold(100_000, 50, 50)

settings.register_profile("default", deadline=None, max_examples=25 * SCALE)
# For runs by the thousand: the same few examples each time, whatever else the machine does.
settings.register_profile(
    "mutants", deadline=None, derandomize=True, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# No test may reach a real account, even if the machine is configured for one.
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
    os.environ.pop(name, None)

# `make test` runs the tests; a make that a test runs must not behave as a part of it, and print its folder.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many tests wait for another process or an emulator."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Leave out of later searches for garbage what collecting has made: modules and thousands of tests."""
    gc.freeze()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the fixture project, as the current folder."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def generator(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs a command in the project. An exception that is not an exit is a bug and is raised."""
    from tests import lint_once  # It imports cfn-lint, which takes a second.

    lint_once.install(monkeypatch)

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the Region that cfn-lint would check templates for."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, to check that nothing was written."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def git(*arguments: str, folder: Path | str = ".") -> str:
    """Run git as an author that needs no configuration, and return its output."""
    author = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *author, "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def environment_of(name: str, *overrides: str) -> Environment:
    """Return an environment of the fixture project with these settings changed."""
    (environment,) = files.load_named([name], overrides, FIXTURES / "environments")
    return environment
