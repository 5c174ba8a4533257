"""One environment per account and Region creates the API logging role."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import plans
from generator.checks.findings import Severity
from generator.checks.full_check import logging_role
from tests.account.conftest import setting


@pytest.mark.parametrize(
    ("account", "dev", "prod", "found"),
    [
        ("shared", "create", "create", {"dev": "prod", "prod": "dev"}),
        ("shared", "existing", "create", {}),
        ("shared", "create", "existing", {}),
        ("", "create", "create", {}),
    ],
)
def test_a_second_environment_that_creates_the_role_is_reported(
    project: Path, account: str, dev: str, prod: str, found: dict[str, str]
) -> None:
    for name, choice in (("dev", dev), ("prod", prod)):
        setting("account", environment=name, name=account)
        setting("operations", environment=name, api_logging_role=choice)
    findings = {one.name: logging_role(one) for one in plans.prepare()}
    assert {name for name, reported in findings.items() if reported} == found.keys()
    for name, other in found.items():
        (finding,) = findings[name]
        assert (finding.file, finding.severity) == (f"environments/{name}.toml", Severity.ERROR)
        assert f'"create" here and in {other}, but account shared has one logging role' in finding.message
        assert 'write api_logging_role = "existing" in all of them but one' in finding.message


def test_environments_in_different_regions_may_both_create_it(project: Path) -> None:
    for name in ("dev", "prod"):
        setting("account", environment=name, name="shared")
        setting("operations", environment=name, api_logging_role="create")
    path = Path("environments/dev.toml")
    path.write_text(path.read_text().replace("us-east-1", "eu-west-1"))
    assert not [found for one in plans.prepare() for found in logging_role(one)]
