"""What the benchmarks compare is the same stack."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.conftest import ROOT

BARE = ROOT / "benchmarks/bare_troposphere.py"


@pytest.fixture(scope="module")
def bare() -> dict[str, Any]:
    """What the bare script prints."""
    done = subprocess.run([sys.executable, str(BARE)], capture_output=True, check=True)
    template: dict[str, Any] = json.loads(done.stdout)
    return template


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    """The committed template, its deployment named without the digest, which is the generator's own idea."""
    text = (ROOT / "templates_out/prod.json").read_text()
    template: dict[str, Any] = json.loads(re.sub(r"\b(WebhookDeployment)[0-9a-f]{10}\b", r"\1", text))
    return template


def types(template: dict[str, Any]) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


def handler(function: dict[str, Any]) -> str:
    """The function's code without docstrings, comments and layout."""
    code = function["Properties"]["Code"]["ZipFile"]
    tree = ast.parse(code if isinstance(code, str) else "\n".join(code["Fn::Join"][1]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def test_the_bare_script_has_as_many_resources_of_each_type(bare: dict[str, Any], ours: dict[str, Any]) -> None:
    assert types(bare) == types(ours)


def test_the_bare_script_has_the_same_content(bare: dict[str, Any], ours: dict[str, Any]) -> None:
    """Equal but for the order, the description's figures, and how a handler is laid out in its template."""
    for template in (bare, ours):
        for function in template["Resources"].values():
            if function["Type"] == "AWS::Lambda::Function":
                function["Properties"]["Code"] = handler(function)
    assert bare["Resources"] == ours["Resources"]
    for section in ("AWSTemplateFormatVersion", "Parameters", "Conditions", "Outputs"):
        assert bare[section] == ours[section]


def test_the_bare_script_imports_nothing_of_the_generator() -> None:
    for path in (BARE, *(ROOT / "benchmarks/bare").glob("*.py")):
        assert not re.search(r"^\s*(?:from|import) generator", path.read_text(), re.M), path
