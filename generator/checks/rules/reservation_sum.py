"""E9801: the reservations of a template fit the account."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator._format import listed_with_sum
from generator.capacity.quota import AccountQuota
from generator.checks.quota.linted import stacks_of
from generator.checks.quota.messages import DEFAULT_ACCOUNT, excess, in_scenario, remedy
from generator.checks.quota.worst_case import WorstCase, uncounted, verb, worst_case


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
        "value. What Application Auto Scaling provisions is not counted"
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
        case = worst_case(stacks_of(cfn))
        account = AccountQuota(name="", region="", **self.config)
        if case.total <= account.reservable:
            return []
        return [RuleMatch(list(case.shares[0].location), _message(case, account))]


def _message(case: WorstCase, account: AccountQuota) -> str:
    shares = listed_with_sum([(share.function, share.reserved) for share in case.shares])
    return (
        f"The functions {verb([case])} {case} concurrent executions together, "
        f"{excess(case.total, account)}{in_scenario(case.scenario)}: {shares}"
        f"{uncounted(case)}{remedy(case.total, account)}"
    )
