"""E9802: a function's provisioned concurrency is within its own reservation."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.checks.quota.judging import provisioned_concurrency
from generator.checks.quota.linted import matches, stacks_of


class ProvisionedConcurrency(CloudFormationLintRule):  # type: ignore[misc]
    """Add up what the versions and aliases of a function provision: each may fit alone, and the sum not."""

    id = "E9802"
    shortdesc = "Provisioned concurrency is within the function's reservation"
    description = (
        "Provisioned concurrency counts towards the reserved concurrency of its function, over all of the function's "
        "versions and aliases, and Lambda refuses to provision more than is reserved. Application Auto Scaling "
        "counts with the maximum of its scalable target"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html"
    tags = ["resources", "lambda", "quota"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per function."""
        return matches(provisioned_concurrency(stacks_of(cfn)))
