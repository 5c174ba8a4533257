"""The steps of docs/how-to/add-a-function.md work in a copy of the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.conftest import FIXTURES, ROOT

GUIDE = (ROOT / "docs/how-to/add-a-function.md").read_text()
STEP = r"[Ii]n\s+`(generator/[\w/.]+)`,\s[^`]*?(?:above\s+`([^`]+)`[^`]*|write):\n\n```python\n(.*?)```"
"""A file, the beginning of the line above which to insert, and the text; without such a line, the whole file."""


def follow(folder: Path) -> int:
    """Take the steps of the guide that change the code. Return their number."""
    steps = re.findall(STEP, GUIDE, re.S)
    for name, anchor, text in steps:
        path = folder / name
        if not anchor:
            path.write_text(text)
            continue
        lines = path.read_text().splitlines(keepends=True)
        (at,) = [number for number, line in enumerate(lines) if line.strip().startswith(anchor)]
        path.write_text("".join([*lines[:at], text, *lines[at:]]))
    return len(steps)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator of the folder, which the path names because the current folder is not on it."""
    command = [sys.executable, "-m", "generator", *arguments]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_guide_adds_a_function(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "generator", tmp_path / "generator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(FIXTURES / "environments", tmp_path / "environments")
    assert follow(tmp_path) == GUIDE.count("```python") == 11
    (setting,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.S)
    environment = tmp_path / "environments/dev.toml"
    environment.write_text(environment.read_text() + setting)
    done = run(tmp_path, "template", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 + 5 + 1 + 2 + 2 = 13 reserved" in done.stdout
    resources = json.loads((tmp_path / "templates_out/dev.json").read_text())["Resources"]
    assert resources["CountSymbolsFunction"]["Properties"]["ReservedConcurrentExecutions"] == 2
    assert {"CountSymbolsRole", "CountSymbolsLogGroup", "CountSymbolsErrorsAlarm", "CountSchedule"} <= resources.keys()
    page = (tmp_path / "templates_out/dev.md").read_text()
    assert "CountSchedule -->" in page
    assert "--s3-bucket my-templates" in page
    assert "**CountSymbolsFunction** (add its invocations per month to `generator/report/monthly_usage.py`)" in page
    assert run(tmp_path, "size", "dev").returncode == 0


def test_the_handler_of_the_guide_counts_the_markets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"count_symbols\.py`, write:\n\n```python\n(.*?)```", GUIDE, re.S)
    symbols = [{"symbol": {"S": "#symbols"}, "observation": {"S": name}} for name in ("BTC-USD", "ETH-USD")]
    key = [("symbol", "HASH"), ("observation", "RANGE")]
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        dynamodb.create_table(
            TableName="prices",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in key],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in key],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in symbols:
            dynamodb.put_item(TableName="prices", Item=item)
        names: dict[str, Any] = {}
        monkeypatch.setenv("TABLE", "prices")
        exec(code, names)
        names["handler"]({}, SimpleNamespace(aws_request_id="1", function_name="count"))
    assert json.loads(capsys.readouterr().out)["Symbols"] == 2
