"""E9802: a function's provisioned concurrency is within its own reservation."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator._format import listed_with_sum
from generator.checks.quota.linted import stacks_of
from generator.checks.quota.messages import in_scenario
from generator.checks.quota.provisioned import Excess, excesses


class ProvisionedConcurrency(CloudFormationLintRule):  # type: ignore[misc]
    """Add up what the versions and aliases of a function provision: each may fit alone, and the sum not.

    One finding per function, at its largest figure.
    """

    id = "E9802"
    shortdesc = "Provisioned concurrency is within the function's reservation"
    description = (
        "Provisioned concurrency counts towards the reserved concurrency of its function, over all of the function's "
        "versions and aliases, and Lambda refuses to provision more than is reserved. What Application Auto Scaling "
        "provisions is not counted"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html"
    tags = ["resources", "lambda", "quota"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per function."""
        return [RuleMatch(list(excess.provisioned[0][2]), _message(excess)) for excess in excesses(stacks_of(cfn))]


def _message(excess: Excess) -> str:
    return (
        f"{excess.function} has {excess.total:,} provisioned concurrent executions, "
        f"{excess.missing:,} more than the {excess.reserved:,} that it reserves"
        f"{in_scenario(excess.scenario)}: {listed_with_sum([figure[:2] for figure in excess.provisioned])}"
        f"; reserve {excess.total:,} or provision less"
    )
