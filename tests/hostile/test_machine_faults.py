"""A fault of the machine ends in a clear line or a correct result, and leaves no half-written file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES

pytestmark = pytest.mark.slow

GENERATOR = f"{sys.executable} -m generator"


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def only_dev(tmp_path: Path) -> Path:
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "dev.toml").write_text((FIXTURES / "environments" / "dev.toml").read_text())
    return tmp_path


def test_a_file_that_the_disk_does_not_hold_is_not_written(only_dev: Path) -> None:
    result = run(only_dev, f"ulimit -f 4; {GENERATOR} template dev")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "templates_out/dev.json: cannot be written (File too large); free some space\n"
    assert [*(only_dev / "templates_out").iterdir()] == []


def test_output_that_the_disk_does_not_hold_is_one_line(only_dev: Path) -> None:
    result = run(only_dev, f"{GENERATOR} size dev > /dev/full")
    assert result.returncode == 2
    assert result.stderr.startswith("output: cannot be written (No space left on device)")
    assert len(result.stderr.splitlines()) == 1


def test_runs_in_parallel_with_few_files_write_one_result(only_dev: Path) -> None:
    """Without a home, and in the C locale."""
    one = f"(ulimit -n 32; LC_ALL=C PYTHONIOENCODING=ascii {GENERATOR} template dev)"
    result = run(only_dev, f"for i in 1 2 3 4; do {one} & done; wait")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 4
    assert {path.name for path in (only_dev / "templates_out").iterdir()} == {"dev.json", "dev.md"}


@pytest.mark.parametrize("command", ["size dev", "--help", "size nowhere 2>&1 >/dev/null"])
def test_a_closed_output_is_not_a_verdict(only_dev: Path, command: str) -> None:
    """Shells report SIGPIPE as 141."""
    result = run(only_dev, f"{GENERATOR} {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (result.returncode, result.stderr) == (141, "")
