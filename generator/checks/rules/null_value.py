"""E9806: a template has no null values."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.checks.quota.linted import document_of
from generator.template.reading import nulls_in


class NullValue(CloudFormationLintRule):  # type: ignore[misc]
    """Find null values, which CloudFormation refuses wherever they are and cfn-lint accepts in most places."""

    id = "E9806"
    shortdesc = "No value is null"
    description = (
        "CloudFormation refuses a template with null values: Template format error: 'null' values are not allowed in "
        "templates. In YAML, a key without a value is null. Leave the key out, or use AWS::NoValue"
    )
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html"
    tags = ["base"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per null value."""
        what = "is null, which CloudFormation refuses; leave it out, or use AWS::NoValue"
        return [RuleMatch(list(path), f"{path[-1]} {what}") for path in nulls_in(document_of(cfn))]
