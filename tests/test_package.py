"""Installed from a wheel, away from its source, the generator writes the same templates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import ENVIRONMENTS, ROOT
from tests.stack.model import TEXTS


def test_the_wheel_carries_all_that_it_takes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".venv", ".git", "*.egg-info", "build", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "-w", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    assert (installed / "generator/py.typed").is_file()
    project = tmp_path / "project"
    shutil.copytree(ROOT / "environments", project / "environments")
    subprocess.run(
        [sys.executable, "-m", "generator", "template"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        check=True,
        capture_output=True,
    )
    for name in ENVIRONMENTS:
        assert (project / f"templates_out/{name}.json").read_text() == TEXTS[name]
