"""W9805: a template is small enough to be deployed without an upload."""

import sys
from pathlib import Path

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

sys.path.append(str(Path(__file__).resolve().parents[3]))  # see __init__.py

from generator.aws import MAX_TEMPLATE_BODY_BYTES


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
