"""Whether Lambda still takes functions of the runtime that the template names."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from typing import Any

from generator.account import stack
from generator.account.connection import Unanswered
from generator.account.subject import Check, Opinion, Subject, bad, good
from generator.stack.functions import RUNTIME

_LIFECYCLE = Path("data", "AdditionalSpecs", "LmbdRuntimeLifecycle.json")


def lifecycle() -> dict[str, dict[str, str | None]]:
    """AWS's end-of-life dates by runtime, as cfn-lint ships them; AWS has no call that tells them.

    Source: AWS Lambda Developer Guide, "Lambda runtimes". Raises Unanswered where cfn-lint keeps them elsewhere.
    """
    spec = importlib.util.find_spec("cfnlint")
    folders = spec.submodule_search_locations if spec else None
    try:
        found: Any = json.loads(Path((folders or [""])[0], _LIFECYCLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unanswered(
            f"cfn-lint's runtime dates cannot be read ({error})", "run: pip install -U cfn-lint"
        ) from error
    return dict(found)


def available(subject: Subject) -> Opinion:
    """Whether functions of this runtime may still be created, or where the stack exists, updated."""
    dates = lifecycle().get(RUNTIME)
    if dates is None:
        raise Unanswered(f"cfn-lint knows no dates of {RUNTIME}", "run: pip install -U cfn-lint")
    try:
        is_update = stack.live(subject, subject.stack_name) is not None
    except Unanswered:
        is_update = False  # the earlier of the two dates
    until = dates["update-block" if is_update else "create-block"]
    what = "updated" if is_update else "created"
    if until is not None and subject.today >= date.fromisoformat(until):
        return bad(
            f"functions of {RUNTIME} can no longer be {what}, since {until}",
            "install a newer release of this tool, as its README says, then run: "
            f"generator template {subject.environment.name}",
        )
    return good(f"functions of {RUNTIME} can be {what}" + (f" until {until}" if until else ""))


CHECKS = (Check("runtime", available),)
