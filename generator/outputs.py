"""What an environment generates: the template and, made from its text, the reviewer's page."""

from __future__ import annotations

import json

from generator import pipeline
from generator.pipeline import Judged
from generator.review.report import page


def texts(one: Judged) -> dict[str, str]:
    """The text of each file by its name, the template first."""
    template = pipeline.render(one.plan)
    return {f"{one.name}.json": template, f"{one.name}.md": page(json.loads(template), one)}
