"""What an environment generates: the template and, made from its text, the reviewer's page."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from generator import plans
from generator.plans import JudgedPlan
from generator.report.page import page


def texts(one: JudgedPlan) -> dict[str, str]:
    """The text of each file by its name, the template first."""
    template = plans.render(one.plan)
    return {f"{one.name}.json": template, f"{one.name}.md": page(json.loads(template), one)}


def left_over(folder: Path, names: Collection[str]) -> list[Path]:
    """Templates in the folder of environments that are not among these, which are all: nobody generates them again."""
    try:
        found = sorted(name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:  # What is not there, or no folder, is told by whoever reads or writes the templates themselves.
        return []
    return [folder / f"{name}.json" for name in found if name not in names and not name.startswith(".")]
