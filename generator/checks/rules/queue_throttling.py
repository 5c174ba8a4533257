"""W9808: throttled pollers send no messages to the dead-letter queue."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.checks.quota.judging import queue_throttling
from generator.checks.quota.linted import matches, stacks_of


class QueueThrottling(CloudFormationLintRule):  # type: ignore[misc]
    """Compare what the pollers of a function start with, its reservation and the queue's maxReceiveCount."""

    id = "W9808"
    shortdesc = "Throttled pollers send no messages to the dead-letter queue"
    description = (
        "Each message that a poller has received counts as received, even if Lambda then throttles the function. With "
        "a small reservation and a low maxReceiveCount, messages reach the dead-letter queue without a run. AWS "
        "recommends a maxReceiveCount of at least 5 and a reservation of at least 5"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
    tags = ["resources", "lambda", "sqs"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per function and queue, at the queue's maxReceiveCount."""
        return matches(queue_throttling(stacks_of(cfn)))
