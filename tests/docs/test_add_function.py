"""The steps in CONTRIBUTING.md for a new function work in a copy of the code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import FIXTURES, ROOT

STEPS = (
    (
        "config/schema.py",
        "    cleanup_history: Function = section(",
        "    archive_history: Function = section(\n"
        "        Function, mean_duration_ms=900, p95_duration_ms=2000, memory_mb=256, timeout_s=60\n    )\n",
    ),
    ("capacity/sizing.py", "SETTINGS = {", 'ARCHIVE_HISTORY = "ArchiveHistoryFunction"\n'),
    ("capacity/sizing.py", "    CLEANUP_HISTORY: ", '    ARCHIVE_HISTORY: "archive_history",\n'),
    (
        "capacity/sizing.py",
        "            _cleanup_history(environment),",
        "            FunctionSizing(\n"
        '                ARCHIVE_HISTORY, 1, "overlap", 0.00025, None, None,\n'
        '                {"arrival_rate_per_s": 1 / 3600, "mean_duration_s": 0.9}, "one run an hour",\n'
        "            ),\n",
    ),
    ("stack/functions.py", "        CLEANUP_HISTORY: ", '        "ArchiveHistoryFunction": {**prices},\n'),
    ("stack/permissions.py", "        CLEANUP_HISTORY: ", '        "ArchiveHistoryFunction": [clean_prices()],\n'),
)
"""File, line, and the text to insert before that line."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator of the folder, which the path names because the current folder is not on it."""
    command = [sys.executable, "-m", "generator", *arguments]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_fifth_function_passes_each_stage_once(tmp_path: Path) -> None:
    code = shutil.copytree(ROOT / "generator", tmp_path / "generator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(FIXTURES / "environments", tmp_path / "environments")
    for file, line, added in STEPS:
        text = (code / file).read_text()
        assert text.count(line) == 1, (file, line)
        (code / file).write_text(text.replace(line, added + line))
    (code / "stack/handlers/archive_history.py").write_text("def handler(event, context):\n  return 'archived'\n")
    environment = tmp_path / "environments/dev.toml"
    environment.write_text(environment.read_text() + '[deployment]\nupload_bucket = "my-templates"\n')
    done = run(tmp_path, "template", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 + 5 + 1 + 1 + 2 = 12 reserved" in done.stdout
    resources = json.loads((tmp_path / "templates_out/dev.json").read_text())["Resources"]
    assert resources["ArchiveHistoryFunction"]["Properties"]["ReservedConcurrentExecutions"] == 1
    assert {"ArchiveHistoryRole", "ArchiveHistoryLogGroup", "ArchiveHistoryErrorsAlarm"} <= resources.keys()
    page = (tmp_path / "templates_out/dev.md").read_text()
    assert "**ArchiveHistoryFunction** (add its invocations per month to `generator/report/usage.py`)" in page
    assert "one run an hour" in page
    assert run(tmp_path, "size", "dev").returncode == 0
