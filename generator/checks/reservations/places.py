"""Where a stack is deployed, as far as a template depends on it: the Region, the account, the partition."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.helpers import REGION_PRIMARY
from cfnlint.template import Template

from generator.checks.reservations.source import Source, under

REGION = "AWS::Region"

PLACE = (REGION, "AWS::AccountId", "AWS::Partition")
"""The pseudo parameters in which all stacks that share a quota agree."""


def mentioned(source: Source, name: str) -> frozenset[str]:
    """The values of a pseudo parameter that make a difference: what it is compared with, and keys that it selects."""
    reference = {"Ref": name}
    decisions = [source.conditions, source.rules]
    found = [*_compared(decisions, reference)]
    if source.mappings:  # to walk through all resources takes longer than anything else here
        found += _keys(source, [*decisions, source.resources], reference)
    return frozenset(value for value in found if isinstance(value, str))


def named_regions(template: Template) -> list[str]:
    """The Regions that the user named to cfn-lint; none where it took its default.

    It does not tell a rule which. us-east-1 alone is its default, unless the environment, .cfnlintrc or the template's
    Metadata names it. Whether its command line did cannot be known here.
    """
    if template.regions != [REGION_PRIMARY]:
        return list(template.regions)
    config = ConfigMixIn([], templates=[])
    config.set_template_args(template.template)
    stated = [config.template_args.get("regions"), config.file_args.get("regions")]
    stated += [os.environ.get(variable) for variable in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    return [REGION_PRIMARY] if any(stated) else []


def pinned(source: Source, values: Mapping[str, Iterable[str]]) -> Source:
    """The same template where pseudo parameters can only have these values."""
    parameters = {name: {"Type": "String", "AllowedValues": list(allowed)} for name, allowed in values.items()}
    return replace(source, parameters={**source.parameters, **parameters})


def _compared(decisions: list[Any], reference: Any) -> Iterator[Any]:
    for operands in under(decisions, "Fn::Equals"):
        if isinstance(operands, list) and reference in operands:
            yield from operands
    for operands in under(decisions, "Fn::Contains"):
        if isinstance(operands, list) and reference in operands[1:] and isinstance(operands[0], list):
            yield from operands[0]


def _keys(source: Source, expressions: list[Any], reference: Any) -> Iterator[Any]:
    """Of every mapping that it selects from."""
    for arguments in under(expressions, "Fn::FindInMap"):
        if not isinstance(arguments, list) or reference not in arguments[1:3]:
            continue
        mapping = source.mappings.get(arguments[0]) if isinstance(arguments[0], str) else None
        tables = [mapping, *mapping.values()] if isinstance(mapping, dict) else []
        yield from (key for table in tables if isinstance(table, dict) for key in table)
