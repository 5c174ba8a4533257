"""cfn-lint's template as the quota engine takes it: the file read again, as its author wrote it.

cfn-lint hands rules a template after its own transforms, which guess where they cannot know: Fn::FindInMap by a
parameter becomes the value of some key. So the file is read again; only a template from standard input is taken from
cfn-lint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.helpers import REGION_PRIMARY
from cfnlint.rules import RuleMatch
from cfnlint.template import Template

from generator.checks.folders import Folder, project_of
from generator.checks.quota.judging import Violation
from generator.checks.quota.variants import Variant, variants
from generator.errors import UnreadableTemplate
from generator.template.intrinsics import Json
from generator.template.reading import parsed, text_of


def stacks_of(template: Template, is_whole: bool = False) -> list[Variant]:
    """Return the template under each set of parameters that cfn-lint was given, or once if it was given none.

    If it `is_whole`, it contains the nested stacks whose templates are files of the same project.
    """
    given = [parameter_set.parameters for parameter_set in template.context.parameter_sets or []]
    path = Path(template.filename) if template.filename else None
    reader = Folder(project_of(path)).reader(path) if is_whole and path else None
    return variants(document_of(template), given, named_regions(template), reader)


def document_of(template: Template) -> Json:
    """Return the document as its author wrote it, or as cfn-lint holds it if it cannot be read again."""
    path = Path(template.filename) if template.filename else None
    try:
        if path is not None and path.is_file():
            status = path.stat()
            return _read(str(path), status.st_mtime_ns, status.st_size)
    except UnreadableTemplate:
        pass  # cfn-lint has read it, and reports what is wrong with it.
    return json.loads(json.dumps(template.template, default=str))


def named_regions(template: Template) -> list[str]:
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


def matches(violations: Iterable[Violation]) -> list[RuleMatch]:
    """Return violations in the form that cfn-lint takes."""
    return [RuleMatch(list(violation.location), violation.message) for violation in violations]


@lru_cache(maxsize=4)
def _read(path: str, _modified_ns: int, _size: int) -> Json:
    """Read a file once for all rules."""
    return parsed(path, text_of(Path(path)))
