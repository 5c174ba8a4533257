"""Every scope of the evaluation against brute force over all deployments of random templates.

`TEST_SCALE=100` tries a hundred times as many.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.checks.quota.functions import RESERVED
from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from generator.template.alternatives import Missing, stated_figures
from generator.template.evaluation import Evaluator, Unknown
from generator.template.guards import Equality, Guard
from generator.template.intrinsics import whole_number
from generator.template.model import Template
from generator.template.reading import parse
from tests.conftest import SCALE
from tests.template.oracle import Fails, NotStated, Oracle, deployments, expanded
from tests.template.random_templates import RandomTemplates, domains

TEMPLATES = 60 * SCALE
MOST_DEPLOYMENTS = 6_000 * SCALE
"""One template in sixty has more, and takes longer than all others together."""
AT_ONCE = 20

ABSENT = "absent"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, TEMPLATES, AT_ONCE))
def test_one_and_every_agree_with_brute_force(first: int) -> None:
    for seed in range(first, min(first + AT_ONCE, TEMPLATES)):
        content = RandomTemplates(seed).template()
        flat, template = expanded(content), parse(content)
        tried = list(deployments(flat, domains(flat)))
        if len(tried) > MOST_DEPLOYMENTS:
            continue
        try:
            assert list(template.resources) == list(flat["Resources"])
            for function in template.resources:
                check_one(Oracle(flat), template, function)
                check_every(tried, template, function)
            check_worst_case(tried, content)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {json.dumps(content)}") from error


def check_one(oracle: Oracle, template: Template, function: str) -> None:
    """Compare the value at the defaults; what the oracle cannot know must not be a number either."""
    evaluator = Evaluator(template)
    assert evaluator.holds(template.resources[function]) == existence(oracle, function)
    try:
        found = (evaluator.value(template.properties(function)) or {}).get(RESERVED)
        number = ABSENT if found is None else whole_number(found)
    except Unknown:
        number = None
    assert number in accepted(oracle, function)


def check_every(tried: list[Oracle], template: Template, function: str) -> None:
    """Compare all figures with all deployments, both ways."""
    found = stated_figures(template, function, RESERVED)
    for oracle in tried:
        if not existence(oracle, function):
            continue
        held = [figure.number for figure in found if agrees(oracle, figure.guard)]
        numbers = {number for number in held if isinstance(number, int)}
        right = accepted(oracle, function)
        assert numbers <= right
        assert numbers or Missing.UNKNOWN in held or None in right or ABSENT in right


def check_worst_case(tried: list[Oracle], content: Any) -> None:
    """Compare the total. Lists with items that fail may count or not."""
    case = worst_case(variants(content))
    least, most = max(oracle.total() for oracle in tried), max(oracle.lenient().total() for oracle in tried)
    assert case.total <= most
    assert least <= case.at_most <= most
    totals = [(one.total(), one.lenient().total()) for one in tried if agrees(one, case.scenario)]
    assert any(strict <= case.total <= lenient for strict, lenient in totals)


def existence(oracle: Oracle, function: str) -> bool | None:
    try:
        return oracle.exists(function)
    except NotStated:
        return None


def accepted(oracle: Oracle, function: str) -> set[int | str | None]:
    """Return the right answers: a number, ABSENT, or None for what cannot be known or is no number.

    There are two where a list has an item that fails or is unknown, and nothing selects it.
    """
    return {figure(oracle, function), figure(oracle.lenient(), function)}


def figure(oracle: Oracle, function: str) -> int | str | None:
    try:
        found = oracle.figure(function)
    except (NotStated, Fails):
        return None
    if found is None:
        return ABSENT
    return found if isinstance(found, int) else None


def agrees(oracle: Oracle, guard: Guard) -> bool:
    assert oracle.given is not None
    return all(
        (
            oracle.given[fact.parameter] == fact.value
            if isinstance(fact, Equality)
            else oracle.holds({"Condition": fact})
        )
        == holds
        for fact, holds in guard
    )


@pytest.mark.slow
def test_the_random_templates_vary_enough() -> None:
    """Figures differ between deployments, and many depend on conditions, mappings or loops."""
    varied = loops = 0
    for seed in range(100):
        content = RandomTemplates(seed).template()
        flat = expanded(content)
        loops += len(flat["Resources"]) != len(content["Resources"])
        totals = (oracle.total() for oracle in deployments(flat, domains(flat)))
        first = next(totals)
        varied += any(total != first for total in totals)
    assert varied > 60
    assert loops > 25
