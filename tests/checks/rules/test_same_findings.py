"""The command line without cfn-lint and the rules in cfn-lint find the same in random templates."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from generator.checks import quota_check
from generator.checks.request import Request
from tests.checks.quota.test_oracle import random_queue_template, random_template
from tests.checks.rules.rule_runner import pretty, transformed
from tests.conftest import SCALE

pytestmark = pytest.mark.slow

RULES = ("E9801", "E9802", "W9803", "W9804", "E9807", "W9808")

LIMIT = 110
"""So low that a random template exceeds it about as often as not."""


@pytest.mark.usefixtures("no_region")
@pytest.mark.parametrize("seed", range(50 * SCALE))
def test_command_line_and_rules_agree(seed: int, rules: dict[str, Any], tmp_path: Path) -> None:
    rng = random.Random(f"same {seed}")
    content = rng.choice([random_template, random_queue_template])(rng)
    path = tmp_path / "template.json"
    path.write_text(json.dumps(content))
    template, linted = transformed(content, str(path)), []
    for rule in RULES:
        rules[rule].configure({"concurrency_limit": LIMIT} if rule == "E9801" else {})
        linted += [(rule, "/".join(map(str, one.path)), one.message) for one in rules[rule].match(template)]
    report = quota_check.check(Request(files=[path], account={"concurrency_limit": LIMIT}))
    found = [(one.rule, one.path, one.message) for one in report.findings if one.rule in RULES]
    assert sorted(found) == sorted(linted), pretty(content)


def test_both_give_the_rules_the_same_titles(rules: dict[str, Any]) -> None:
    titles = {rule.id: (rule.title, rule.url) for rule in quota_check.RULES if rule.id in rules}
    assert titles == {id_: (rules[id_].shortdesc, rules[id_].source_url) for id_ in titles}
    assert {*RULES} <= {*titles}
