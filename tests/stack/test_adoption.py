"""`generator adopt` writes documents that CloudFormation's own models and cfn-lint accept."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from click.testing import Result

from generator.stack import adoption
from tests.conftest import ENVIRONMENTS, snapshot

Run = Callable[..., Result]

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
TABLES = ("PriceHistoryTable=prices-1", "PriceAlertsTable=alerts-1")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_change_set_of_the_documents_is_valid(generator: Run, project: Path, name: str) -> None:
    result = generator("adopt", name, f"KmsKey={KEY}", *TABLES)
    assert result.exit_code == 0, result.output
    (command,) = [line for line in result.stdout.splitlines() if " create-change-set " in line]
    words = shlex.split(command)[5:]
    arguments: dict[str, Any] = {
        re.sub("(?:^|-)([a-z])", lambda found: found[1].upper(), option.removeprefix("--")): value
        for option, value in zip(words[::2], words[1::2], strict=True)
    }
    for argument, read in (("TemplateBody", str), ("ResourcesToImport", json.loads)):
        arguments[argument] = read((project / arguments[argument].removeprefix("file://")).read_text())
    model = botocore.session.get_session().get_service_model("cloudformation").operation_model("CreateChangeSet")
    report = ParamValidator().validate(arguments, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    committed = json.loads((project / f"templates_out/{name}.json").read_text())["Resources"]
    template = json.loads(arguments["TemplateBody"])
    assert {one["LogicalResourceId"]: one["ResourceType"] for one in arguments["ResourcesToImport"]} == {
        name: body["Type"] for name, body in template["Resources"].items()
    }
    assert template["Resources"] == {
        name: {**committed[name], "DeletionPolicy": "Retain"} for name in template["Resources"]
    }
    assert "Outputs" not in template


def test_identifiers_are_those_of_the_resource_schemas() -> None:
    for type_, (identifier, _) in adoption.IDENTIFIERS.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
        assert schema["primaryIdentifier"] == [f"/properties/{identifier}"]


@pytest.mark.slow
def test_cfn_lint_accepts_the_import_template(generator: Run) -> None:
    generator("adopt", "prod", f"KmsKey={KEY}", *TABLES)
    result = generator("check", "prod-import.json", "--format", "json")
    assert json.loads(result.stdout)["findings"] == []


def test_faults_are_reported_at_once_and_nothing_is_written(generator: Run, project: Path) -> None:
    before = snapshot(project)
    result = generator("adopt", "prod", "PriceAlertsTable=arn:aws:dynamodb:x", "WebhookApi=a", "Nothing=b")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "PriceAlertsTable: 'arn:aws:dynamodb:x' is not a TableName; write the name or id, without the ARN",
        "PriceAlertsTable: needs KmsKey, which is not adopted; add KmsKey=ID",
        *(
            f"{name}: templates_out/prod.json has no such table or key; "
            "name one of PriceHistoryTable, PriceAlertsTable, KmsKey"
            for name in ("WebhookApi", "Nothing")
        ),
    ]
    assert generator("adopt", "prod", "KmsKey").exit_code == 2
    assert snapshot(project) == before
