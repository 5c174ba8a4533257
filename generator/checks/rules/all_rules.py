"""The cfn-lint rules. Each passes on what `generator.checks.quota.judging` or a check of the file itself finds.

cfn-lint hands rules a template after its own transforms, which guess where they cannot know: Fn::FindInMap by a
parameter becomes the value of some key. So each rule reads the file again, as its author wrote it; only a template from
standard input is taken from cfn-lint.
"""

import json
import os
import sys
from functools import lru_cache
from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.helpers import REGION_PRIMARY
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.aws import MAX_TEMPLATE_BODY_BYTES, mapping_error
from generator.checks.folders import Folder, project_of
from generator.checks.quota.judging import RULES, violations
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.checks.quota.variants import Variant, variants
from generator.errors import UnreadableTemplate
from generator.template.intrinsics import Json
from generator.template.nesting import outermost
from generator.template.reading import nulls_in, parsed, text_of


def _judged(rule: str, text: str, *tags_: str, **settings: int) -> type[CloudFormationLintRule]:
    """Return the class of a rule that the quota engine judges. `settings` are its settings with their defaults."""

    class Judged(CloudFormationLintRule):  # type: ignore[misc]
        id, shortdesc, source_url = RULES[rule]
        description = text
        tags = ["resources", "lambda", *tags_]  # noqa: RUF012 (cfn-lint's own form)

        def __init__(self) -> None:
            super().__init__()
            self.config_definition = {
                name: {"default": default, "type": "integer"} for name, default in settings.items()
            }
            self.configure()

        def match(self, cfn: Template) -> list[RuleMatch]:
            found = violations(rule, _variants(cfn, is_whole=rule == SUM_RULE), **self.config)
            return [RuleMatch(list(outermost(violation.location)), violation.message) for violation in found]

    return Judged


ReservationSum = _judged(
    SUM_RULE,
    "AWS keeps a floor of unreserved concurrency in every account and Region. A stack whose functions reserve, or "
    "provision without reserving, more than what is left above it fails half-way with: Specified "
    "ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
    "value. Application Auto Scaling counts with its maximum; functions on Lambda Managed Instances do not count",
    "quota",
    **DEFAULT_ACCOUNT,
)

ProvisionedConcurrency = _judged(
    "E9802",
    "Provisioned concurrency counts towards the reserved concurrency of its function, over all of the function's "
    "versions and aliases, and Lambda refuses to provision more than is reserved. Application Auto Scaling "
    "counts with the maximum of its scalable target",
    "quota",
)

StreamReservation = _judged(
    "W9803",
    "Lambda runs at most one batch per shard and unit of parallelization factor at once. What a stream consumer "
    "reserves beyond that is never used, and no other function of the account can use it",
    "streams",
    shards=0,  # Of a DynamoDB stream, whose shards no template states; 0 leaves its consumers alone.
)

ZeroReservation = _judged(
    "W9804",
    "A function that reserves 0 concurrent executions is not invoked until the reservation is raised or removed. "
    "Leave the property out to share the account's unreserved concurrency",
)

QueueConcurrency = _judged(
    "E9807",
    "Lambda refuses an SQS event source mapping whose MaximumConcurrency is above the reserved concurrency of its "
    f"function, and the stack rolls back: {mapping_error(20, 10)}",
    "sqs",
)

QueueThrottling = _judged(
    "W9808",
    "Each message that a poller has received counts as received, even if Lambda then throttles the function. With "
    "a small reservation and a low maxReceiveCount, messages reach the dead-letter queue without a run. AWS "
    "recommends a maxReceiveCount of at least 5 and a reservation of at least 5",
    "sqs",
)


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
        return [RuleMatch(list(path), f"{path[-1]} {what}") for path in nulls_in(_document(cfn))]


def _variants(template: Template, is_whole: bool) -> list[Variant]:
    """Return the template under each set of parameters that cfn-lint was given, or once if it was given none.

    If it `is_whole`, it contains the nested stacks whose templates are files of the same project.
    """
    given = [parameter_set.parameters for parameter_set in template.context.parameter_sets or []]
    path = Path(template.filename) if template.filename else None
    reader = Folder(project_of(path)).reader(path) if is_whole and path else None
    return variants(_document(template), given, _named_regions(template), reader)


def _document(template: Template) -> Json:
    """Return the document as its author wrote it, or as cfn-lint holds it if it cannot be read again."""
    path = Path(template.filename) if template.filename else None
    try:
        if path is not None and path.is_file():
            status = path.stat()
            return _read(path, status.st_mtime_ns, status.st_size)
    except UnreadableTemplate:
        pass  # cfn-lint has read it, and reports what is wrong with it.
    return json.loads(json.dumps(template.template, default=str))


@lru_cache(maxsize=4)
def _read(path: Path, _modified_ns: int, _size: int) -> Json:
    """Read a file once for all rules."""
    return parsed(str(path), text_of(path))


def _named_regions(template: Template) -> list[str]:
    """Return the Regions that the user named to cfn-lint; none if it took its default.

    us-east-1 alone is the default unless the environment, .cfnlintrc or the template's Metadata names it. A rule cannot
    know whether the command line did.
    """
    if template.regions != [REGION_PRIMARY]:
        return list(template.regions)
    if os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return [REGION_PRIMARY]
    config = ConfigMixIn([], templates=[])
    config.set_template_args(template.template)
    return [REGION_PRIMARY] if config.template_args.get("regions") or config.file_args.get("regions") else []
