"""W9805: a template is small enough to be deployed without an upload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cfnlint.template import Template

from tests.checks.rules.rule_runner import read

JSON = '{"Description": "PAD", "Resources": {}}'
YAML = "Description: PAD\nResources: {}\n"
SAM = "Transform: AWS::Serverless-2016-10-31\nDescription: PAD\nResources: {}\n"


def padded(text: str, size: int) -> bytes:
    """The template with as much in its description as makes it so many bytes."""
    return text.replace("PAD", "x" * (size - len(text) + 3)).encode()


@pytest.mark.parametrize(("name", "text"), [("t.json", JSON), ("t.yaml", YAML), ("sam.yaml", SAM)])
@pytest.mark.parametrize(("size", "excess"), [(51_199, None), (51_200, None), (51_201, "1"), (63_035, "11,835")])
def test_reports_files_above_the_limit(
    findings: Any, tmp_path: Path, name: str, text: str, size: int, excess: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(padded(text, size))
    message = (
        f"The template has {size:,} bytes, {excess} more than the 51,200 that CloudFormation takes without an upload "
        "to S3; deploy it with `aws cloudformation deploy --s3-bucket BUCKET`"
    )
    assert findings("W9805", read(path)) == ([("", message)] if excess else [])


def test_counts_bytes_and_not_characters(findings: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(JSON.replace("PAD", "€" * 20_000), encoding="utf-8")
    assert len(path.read_text(encoding="utf-8")) < 51_200
    [(_, message)] = findings("W9805", read(path))
    assert message.startswith("The template has 60,036 bytes")


@pytest.mark.parametrize("filename", [None, "", "nowhere.json", "."])
def test_is_silent_without_a_file_to_measure(findings: Any, filename: str | None) -> None:
    assert findings("W9805", Template(filename, {"Description": "x" * 60_000, "Resources": {}})) == []
