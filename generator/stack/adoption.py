"""The documents with which CloudFormation adopts retained or restored resources into a new stack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from generator.errors import Fault, InvalidAdoption
from generator.template import dependencies
from generator.template.intrinsics import Json

IDENTIFIERS = {
    "AWS::DynamoDB::Table": ("TableName", "[A-Za-z0-9_.-]{3,255}"),
    "AWS::KMS::Key": ("KeyId", "[A-Za-z0-9-]{1,256}"),
}
"""The property that identifies an existing resource of a type, its primary identifier, and the pattern of its values.

Source: the CloudFormation schemas; DynamoDB API reference, CreateTable; AWS KMS API reference, DescribeKey.
"""


def documents(where: str, template: Mapping[str, Json], identifiers: Mapping[str, str]) -> tuple[str, str]:
    """Return the import template and the list of resources to import, as text.

    An import may only add the resources that it names, so the import template has these, and no outputs. It retains
    all of them, so that an import that fails loses nothing. Raises InvalidAdoption with everything that is wrong with
    the identifiers. Source: AWS CloudFormation User Guide, "Import AWS resources into a CloudFormation stack".
    """
    adoptable = {
        name: body
        for name, body in template["Resources"].items()
        if isinstance(body, Mapping) and str(body.get("Type")) in IDENTIFIERS
    }
    if faults := [*_faults(where, adoptable, identifiers)]:
        raise InvalidAdoption(faults)
    adopted = {name: body for name, body in adoptable.items() if name in identifiers}
    head = {key: template[key] for key in ("AWSTemplateFormatVersion", "Description") if key in template}
    resources = {name: {**body, "DeletionPolicy": "Retain"} for name, body in adopted.items()}
    listed = [
        {
            "ResourceType": body["Type"],
            "LogicalResourceId": name,
            "ResourceIdentifier": {IDENTIFIERS[body["Type"]][0]: identifiers[name]},
        }
        for name, body in adopted.items()
    ]
    return json.dumps({**head, "Resources": resources}, indent=1) + "\n", json.dumps(listed, indent=1) + "\n"


def _faults(where: str, adoptable: Mapping[str, Json], identifiers: Mapping[str, str]) -> Iterator[Fault]:
    for name, identifier in identifiers.items():
        if name not in adoptable:
            yield Fault(name, f"{where} has no such table or key", f"name one of {', '.join(adoptable) or 'another'}")
            continue
        key, pattern = IDENTIFIERS[adoptable[name]["Type"]]
        if not re.fullmatch(pattern, identifier):
            yield Fault(name, f"'{identifier}' is not a {key}", "write the name or id, without the ARN")
        for other in sorted({*dependencies.names(adoptable[name])} - identifiers.keys()):
            yield Fault(name, f"needs {other}, which is not adopted", f"add {other}=ID")
