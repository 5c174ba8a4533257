"""Read small templates that tests write as YAML."""

from __future__ import annotations

from typing import Any

from generator.diff.model import Difference
from generator.diff.summary import KINDS
from generator.template.reading import parsed
from tests.diff.comparing import difference


def document(text: str) -> Any:
    """Return a template in YAML."""
    return parsed("test", text)


def compared(old: str, new: str) -> Difference:
    """Return the difference of two templates in YAML."""
    return difference(document(old), document(new))


def kinds(found: Difference) -> set[str]:
    """Return the kinds of change by which a build can fail."""
    return {kind for kind, is_in in KINDS.items() if is_in(found)}
