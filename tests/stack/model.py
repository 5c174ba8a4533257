"""The committed templates, and helpers that read their IAM statements."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from generator import plans
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from tests.conftest import ENVIRONMENTS, FIXTURES, environment_of

TEXTS = {name: (FIXTURES / f"templates_out/{name}.json").read_text() for name in ENVIRONMENTS}
TEMPLATES: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in TEXTS.items()}


def generated(name: str, *overrides: str) -> dict[str, Any]:
    """Return the template of a fixture environment with these settings changed."""
    environment = environment_of(name, *overrides)
    template: dict[str, Any] = json.loads(plans.render(Plan(environment, size(environment))))
    return template


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of one type by logical id."""
    return {name: body for name, body in template["Resources"].items() if body["Type"] == kind}


def statements(template: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """Return every statement of a role's inline policies."""
    policies = template["Resources"][role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def flat(value: Any) -> str:
    """Return a statement's resource as text, with Ref and GetAtt as ${Name} and ${Name.Attribute}."""
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": text}:
            return str(text)
    return str(value)


def allowed(template: dict[str, Any], role: str) -> set[tuple[str, str]]:
    """Return every (action, resource) that the role allows. NotResource has a leading exclamation mark."""
    return {
        (action, mark + flat(resource))
        for statement in statements(template, role)
        for key, mark in (("Resource", ""), ("NotResource", "!"))
        for action in statement["Action"]
        for resource in statement.get(key, [])
    }


def permits(grants: set[tuple[str, str]], action: str, resource: str) -> bool:
    """Return whether a grant covers the call. Only NotResource may have a wildcard."""
    for granted, pattern in grants:
        inverse = pattern.startswith("!")
        pattern = pattern.removeprefix("!").replace("${AWS::Partition}", "aws")
        if granted == action and (fnmatchcase(resource, pattern) if inverse else resource == pattern) != inverse:
            return True
    return False
