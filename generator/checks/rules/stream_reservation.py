"""W9803: a stream consumer reserves no more than its pollers can use."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.checks.quota.judging import stream_reservation
from generator.checks.quota.linted import matches, stacks_of


class StreamReservation(CloudFormationLintRule):  # type: ignore[misc]
    """Compare a reservation with shards times parallelization factor if only streams invoke the function.

    No template states the shards of a DynamoDB stream: `shards` does, and 0 leaves such functions alone.
    """

    id = "W9803"
    shortdesc = "Stream consumer reserves no more than its pollers can use"
    description = (
        "Lambda runs at most one batch per shard and unit of parallelization factor at once. What a stream consumer "
        "reserves beyond that is never used, and no other function of the account can use it"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"
    tags = ["resources", "lambda", "streams"]  # noqa: RUF012 (cfn-lint's own form)

    def __init__(self) -> None:
        super().__init__()
        self.config_definition = {"shards": {"default": 0, "type": "integer"}}
        self.configure()

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding per function, at its reservation."""
        return matches(stream_reservation(stacks_of(cfn), self.config["shards"]))
