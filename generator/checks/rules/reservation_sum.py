"""E9801: the reservations of a template fit the account."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.capacity.quota import AccountQuota
from generator.checks.quota.judging import reservation_sum
from generator.checks.quota.linted import matches, stacks_of
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.template.nesting import outermost


class ReservationSum(CloudFormationLintRule):  # type: ignore[misc]
    """Compare the sum with the account, which no schema of a single function can do.

    One finding, at the largest reservation: the sum is one fault, and the largest share is the first place to look.
    """

    id = "E9801"
    shortdesc = "Reserved and provisioned concurrency of all functions fits the account"
    description = (
        "AWS keeps a floor of unreserved concurrency in every account and Region. A stack whose functions reserve, or "
        "provision without reserving, more than what is left above it fails half-way with: Specified "
        "ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
        "value. Application Auto Scaling counts with its maximum; functions on Lambda Managed Instances do not count"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
    tags = ["resources", "lambda", "quota"]  # noqa: RUF012 (cfn-lint's own form)

    def __init__(self) -> None:
        super().__init__()
        self.config_definition = {
            name: {"default": default, "type": "integer"} for name, default in DEFAULT_ACCOUNT.items()
        }
        self.configure()

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding if some deployment reserves more than the account can give."""
        account = AccountQuota(name="", region="", **self.config)
        violations = reservation_sum(stacks_of(cfn, is_whole=True), account)
        return matches(violation._replace(location=outermost(violation.location)) for violation in violations)
