"""E9807: an SQS event source mapping runs at most what its function reserves."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.aws import mapping_error
from generator.checks.quota.judging import queue_concurrency
from generator.checks.quota.linted import matches, stacks_of


class QueueConcurrency(CloudFormationLintRule):  # type: ignore[misc]
    """Compare the maximum concurrency of each mapping with the reservation of its function. One finding per mapping."""

    id = "E9807"
    shortdesc = "SQS mapping's maximum concurrency is within the function's reservation"
    description = (
        "Lambda refuses an SQS event source mapping whose MaximumConcurrency is above the reserved concurrency of its "
        f"function, and the stack rolls back: {mapping_error(20, 10)}"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"
    tags = ["resources", "lambda", "sqs"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per mapping, at its maximum."""
        return matches(queue_concurrency(stacks_of(cfn)))
