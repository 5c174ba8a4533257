"""Run one rule on one template, the way cfn-lint does: loaded from the folder, after its transforms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.helpers import load_plugins
from cfnlint.template import Template

from generator.checks.rules import folder
from tests.checks.rules.rule_runner import Finding, transformed


@pytest.fixture(scope="session")
def rules() -> dict[str, Any]:
    """All rules of the folder, by id."""
    return {rule.id: rule for rule in load_plugins(str(folder()))}


@pytest.fixture
def findings(rules: dict[str, Any], tmp_path: Path) -> Callable[..., list[Finding]]:
    """Run a rule with a configuration; the content is a template's, or a Template already."""

    def run(rule_id: str, content: Any, **configuration: int) -> list[Finding]:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        if not isinstance(content, Template):
            file.write_text(json.dumps(content))
        template = content if isinstance(content, Template) else transformed(content, str(file))
        rules[rule_id].configure(configuration)
        return [("/".join(map(str, match.path)), match.message) for match in rules[rule_id].match(template)]

    return run
