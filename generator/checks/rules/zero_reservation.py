"""W9804: no function is switched off by a reservation of 0."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.checks.quota.judging import zero_reservation
from generator.checks.quota.linted import matches, stacks_of


class ZeroReservation(CloudFormationLintRule):  # type: ignore[misc]
    """Find reservations of 0: an emergency switch that a template turns off with every deployment."""

    id = "W9804"
    shortdesc = "Reserved concurrency of 0 stops the function"
    description = (
        "A function that reserves 0 concurrent executions is not invoked until the reservation is raised or removed. "
        "Leave the property out to share the account's unreserved concurrency"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
    tags = ["resources", "lambda"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per place that states 0, for the first deployment that has it."""
        return matches(zero_reservation(stacks_of(cfn)))
