"""The cfn-lint rules. Each passes on what `generator.checks.quota.judging` or a check of the file itself finds."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.aws import MAX_TEMPLATE_BODY_BYTES, mapping_error
from generator.capacity.quota import AccountQuota
from generator.checks.quota.judging import RULES, reservation_sum, violations
from generator.checks.quota.linted import document_of, matches, stacks_of
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.template.nesting import outermost
from generator.template.reading import nulls_in


class _Judging:
    """Judges the template as its author wrote it."""

    id: str
    config: dict[str, int]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return the findings of the quota engine."""
        return matches(violations(self.id, stacks_of(cfn), **self.config))


class ReservationSum(CloudFormationLintRule):  # type: ignore[misc]
    """Compare the sum with the account, which no schema of a single function can do.

    One finding, at the largest reservation: the sum is one fault, and the largest share is the first place to look.
    """

    id, shortdesc, source_url = RULES["E9801"]
    description = (
        "AWS keeps a floor of unreserved concurrency in every account and Region. A stack whose functions reserve, or "
        "provision without reserving, more than what is left above it fails half-way with: Specified "
        "ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
        "value. Application Auto Scaling counts with its maximum; functions on Lambda Managed Instances do not count"
    )
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


class ProvisionedConcurrency(_Judging, CloudFormationLintRule):  # type: ignore[misc]
    """Add up what the versions and aliases of a function provision: each may fit alone, and the sum not."""

    id, shortdesc, source_url = RULES["E9802"]
    description = (
        "Provisioned concurrency counts towards the reserved concurrency of its function, over all of the function's "
        "versions and aliases, and Lambda refuses to provision more than is reserved. Application Auto Scaling "
        "counts with the maximum of its scalable target"
    )
    tags = ["resources", "lambda", "quota"]  # noqa: RUF012 (cfn-lint's own form)


class StreamReservation(_Judging, CloudFormationLintRule):  # type: ignore[misc]
    """Compare a reservation with shards times parallelization factor if only streams invoke the function.

    No template states the shards of a DynamoDB stream: `shards` does, and 0 leaves such functions alone.
    """

    id, shortdesc, source_url = RULES["W9803"]
    description = (
        "Lambda runs at most one batch per shard and unit of parallelization factor at once. What a stream consumer "
        "reserves beyond that is never used, and no other function of the account can use it"
    )
    tags = ["resources", "lambda", "streams"]  # noqa: RUF012 (cfn-lint's own form)

    def __init__(self) -> None:
        super().__init__()
        self.config_definition = {"shards": {"default": 0, "type": "integer"}}
        self.configure()


class ZeroReservation(_Judging, CloudFormationLintRule):  # type: ignore[misc]
    """Find reservations of 0: an emergency switch that a template turns off with every deployment."""

    id, shortdesc, source_url = RULES["W9804"]
    description = (
        "A function that reserves 0 concurrent executions is not invoked until the reservation is raised or removed. "
        "Leave the property out to share the account's unreserved concurrency"
    )
    tags = ["resources", "lambda"]  # noqa: RUF012 (cfn-lint's own form)


class TemplateBodySize(CloudFormationLintRule):  # type: ignore[misc]
    """Measure the file itself, as CloudFormation does; cfn-lint's E1002 has only the limit of an upload to S3."""

    id = "W9805"
    shortdesc = "Template is within the limit of a direct TemplateBody"
    description = (
        "CloudFormation takes a template of up to 51,200 bytes directly; a larger one has to be uploaded to a bucket "
        "and given by its URL"
    )
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"
    tags = ["limits"]  # noqa: RUF012 (cfn-lint's own form)

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return one finding for the file; a template from standard input has no file to measure."""
        path = Path(cfn.filename) if cfn.filename else None
        if path is None or not path.is_file() or path.stat().st_size <= MAX_TEMPLATE_BODY_BYTES:
            return []
        size = path.stat().st_size
        message = (
            f"The template has {size:,} bytes, {size - MAX_TEMPLATE_BODY_BYTES:,} more than the "
            f"{MAX_TEMPLATE_BODY_BYTES:,} that CloudFormation takes without an upload to S3; deploy it with "
            "`aws cloudformation deploy --s3-bucket BUCKET`"
        )
        return [RuleMatch([], message)]


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


class QueueConcurrency(_Judging, CloudFormationLintRule):  # type: ignore[misc]
    """Compare the maximum concurrency of each mapping with the reservation of its function. One finding per mapping."""

    id, shortdesc, source_url = RULES["E9807"]
    description = (
        "Lambda refuses an SQS event source mapping whose MaximumConcurrency is above the reserved concurrency of its "
        f"function, and the stack rolls back: {mapping_error(20, 10)}"
    )
    tags = ["resources", "lambda", "sqs"]  # noqa: RUF012 (cfn-lint's own form)


class QueueThrottling(_Judging, CloudFormationLintRule):  # type: ignore[misc]
    """Compare what the pollers of a function start with, its reservation and the queue's maxReceiveCount."""

    id, shortdesc, source_url = RULES["W9808"]
    description = (
        "Each message that a poller has received counts as received, even if Lambda then throttles the function. With "
        "a small reservation and a low maxReceiveCount, messages reach the dead-letter queue without a run. AWS "
        "recommends a maxReceiveCount of at least 5 and a reservation of at least 5"
    )
    tags = ["resources", "lambda", "sqs"]  # noqa: RUF012 (cfn-lint's own form)
