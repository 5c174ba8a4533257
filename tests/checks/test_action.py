"""The GitHub Action: inputs never become code, and each becomes the option that it stands for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
FAKE = """#!/usr/bin/env bash
mkdir -p "$3/bin" 2>/dev/null
case "$*" in
  "-m venv"*)
    ln -s "$0" "$3/bin/python"
    printf '#!/usr/bin/env bash\\nprintf "%%s\\\\n" "$@" > "$LOG"\\nexit $CODE\\n' > "$3/bin/generator"
    chmod +x "$3/bin/generator" ;;
  -c*) echo bad ;;
esac
"""


def test_inputs_reach_the_shell_as_variables_alone() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "uses" not in step or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_script_passes_each_input_on(tmp_path: Path, code: int) -> None:
    python, log, output = tmp_path / "python", tmp_path / "log", tmp_path / "output"
    python.write_text(FAKE)
    python.chmod(0o755)
    output.touch()
    inputs = {
        "PATHS": "cdk.out\n$(touch x); --help\n/abs\n\n",
        "ACCOUNT_LIMIT": "300",
        "RESERVED_ELSEWHERE": "",
        "ONLY_QUOTA": "true",
        "IGNORE": "W9804  $(touch x)",
        "ALLOW_UNPROVEN": "true",
    }
    variables = {"PYTHON": str(python), "ACTION": str(ROOT), "RUNNER_TEMP": str(tmp_path), "LOG": str(log)}
    environment = {**os.environ, **inputs, **variables, "GITHUB_OUTPUT": str(output), "CODE": str(code)}
    script = ACTION["runs"]["steps"][1]["run"].removeprefix("bash ").replace('"$ACTION', str(ROOT)).strip('"')
    result = subprocess.run(["bash", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (code, "")
    given = ["check", "--account-limit", "300", "--only", "quota", "--ignore", "W9804"]
    given += ["--ignore", "$(touch", "--ignore", "x)", "--allow-unproven"]
    given += ["./cdk.out", "./$(touch x); --help", "/abs"]
    assert log.read_text().splitlines() == given + (["--format", "json"] if code < 2 else [])
    assert output.read_text() == ("verdict=bad\n" if code < 2 else "")
    assert not (tmp_path / "x").exists()


def test_a_module_of_the_checked_repository_does_not_run(tmp_path: Path) -> None:
    python, output = tmp_path / "python", tmp_path / "output"
    python.write_text(FAKE.replace("-c*) echo bad", f'-c*) "{sys.executable}" "$@"'))
    python.chmod(0o755)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "json.py").write_text("open('ran', 'w')")
    variables = {"PYTHON": str(python), "ACTION": str(ROOT), "RUNNER_TEMP": str(tmp_path), "LOG": str(tmp_path / "log")}
    inputs = dict.fromkeys(("ACCOUNT_LIMIT", "RESERVED_ELSEWHERE", "ONLY_QUOTA", "IGNORE", "ALLOW_UNPROVEN"), "")
    environment = {**os.environ, **inputs, **variables, "PATHS": ".", "GITHUB_OUTPUT": str(output), "CODE": "0"}
    subprocess.run(
        ["bash", ROOT / ".github/check.sh"], cwd=repository, env=environment, capture_output=True, check=True
    )
    assert not (repository / "ran").exists()
