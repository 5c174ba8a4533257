"""Compare templates that tests write as plain documents."""

from __future__ import annotations

from typing import Any

from generator.diff import compare
from generator.diff.model import Difference
from generator.diff.sides import comparable
from generator.template.model import Template


def difference(old: Any, new: Any, *arguments: Any, **options: Any) -> Difference:
    """Return the difference of two documents or templates."""
    before, after = (one if isinstance(one, Template) else comparable(one) for one in (old, new))
    return compare.difference(before, after, *arguments, **options)
