"""Makes templates for rules to run on: from a file, from a dictionary, from small edits of another."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from cfnlint.template import Template

TEMPLATES = Path(__file__).parent / "templates"

DELETE = object()
"""In an edit: take the key out."""

Finding = tuple[str, str]
"""Path, with slashes, and message."""


def transformed(content: Any, filename: str = "template.json") -> Template:
    """A template as rules get it; fails when cfn-lint's transforms do."""
    template = Template(filename, copy.deepcopy(content))
    assert template.transform() == []
    return template


def read(path: Path) -> Template:
    """A template file, YAML or JSON, as rules get it."""
    content, faults = decode(str(path))
    assert faults == []
    template = Template(str(path), content)
    assert template.transform() == []
    return template


def edited(content: Any, *edits: tuple[str, Any]) -> Any:
    """A copy with values at paths such as Resources/Worker/Properties/Timeout set, or taken out."""
    result = copy.deepcopy(content)
    for path, value in edits:
        *above, last = path.split("/")
        place = result
        for key in above:
            place = place.setdefault(key, {})
        if value is DELETE:
            del place[last]
        else:
            place[last] = value
    return result


def by_name(cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Parametrisation with the first of each tuple as its name."""
    return [pytest.param(*case, id=name) for name, *case in cases]


def requested(limit: int) -> str:
    """The end of a message about an account that is too small."""
    example = ", for example AWS's default of 1,000" if limit < 1000 else ""
    return (
        f"; lower them or request a limit of {limit:,} or more{example}: aws service-quotas "
        "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
        f"--desired-value {max(limit, 1000)}"
    )


def pretty(content: Any) -> str:
    """For the message of a failing test."""
    return json.dumps(content, indent=1)
