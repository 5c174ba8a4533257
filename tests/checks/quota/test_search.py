"""The search for the worst case stays cheap, and says so when it stopped short."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import WorstCase, worst_case
from generator.template import search
from generator.template.guards import when
from generator.template.search import possible

pytestmark = pytest.mark.slow


def function(units: int, condition: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Condition": condition,
        "Properties": {"ReservedConcurrentExecutions": units},
    }


def is_on(number: int) -> dict[str, Any]:
    return {"Fn::Equals": [{"Ref": f"Switch{number}"}, "on"]}


def switches(count: int) -> dict[str, Any]:
    return {f"Switch{number}": {"Type": "String"} for number in range(count)}


@pytest.fixture
def quickly() -> Iterator[None]:
    """A million combinations would take hours: any bound will do that a slow machine keeps."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 20


def worst(parameters: Any, conditions: Any, resources: Any) -> WorstCase:
    return worst_case(variants({"Parameters": parameters, "Conditions": conditions, "Resources": resources}))


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("count", [1, 20, 100])
def test_independent_conditions_are_searched_apart(count: int) -> None:
    conditions = {f"On{number}": is_on(number) for number in range(count)}
    resources = {f"Worker{number}": function(10, f"On{number}") for number in range(count)}
    case = worst(switches(count), conditions, resources)
    assert (case.total, case.search_finished) == (10 * count, True)


@pytest.mark.usefixtures("quickly")
def test_twenty_choices_between_two_functions() -> None:
    conditions = {f"On{number}": is_on(number) for number in range(20)}
    conditions |= {f"Off{number}": {"Fn::Not": [{"Condition": f"On{number}"}]} for number in range(20)}
    resources = {f"Large{number}": function(10, f"On{number}") for number in range(20)}
    resources |= {f"Small{number}": function(9, f"Off{number}") for number in range(20)}
    case = worst(switches(20), conditions, resources)
    assert (case.total, case.search_finished) == (200, True)
    assert {share.function for share in case.shares} == {f"Large{number}" for number in range(20)}


@pytest.mark.usefixtures("quickly")
def test_many_values_of_one_parameter() -> None:
    conditions = {f"Is{number}": {"Fn::Equals": [{"Ref": "Stage"}, f"stage-{number}"]} for number in range(30)}
    resources = {f"Worker{number}": function(100 + number, f"Is{number}") for number in range(30)}
    case = worst({"Stage": {"Type": "String"}}, conditions, resources)
    assert (case.total, case.search_finished) == (129, True)


def ring(count: int) -> tuple[Any, Any, Any]:
    """Each function needs its own switch on and the next one off, all the way round: none can be judged alone."""
    conditions = {
        f"Only{number}": {"Fn::And": [is_on(number), {"Fn::Not": [is_on((number + 1) % count)]}]}
        for number in range(count)
    }
    resources = {f"Worker{number}": function(10 + number % 3, f"Only{number}") for number in range(count)}
    return switches(count), conditions, resources


@pytest.mark.usefixtures("quickly")
def test_a_tangle_small_enough_is_searched_to_the_end() -> None:
    count = 9
    best = max(
        sum(10 + number % 3 for number in range(count) if on[number] and not on[(number + 1) % count])
        for on in product([True, False], repeat=count)
    )
    case = worst(*ring(count))
    assert (case.total, case.search_finished) == (best, True)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("count", [20, 40])
def test_a_larger_tangle_tells_a_deployment_that_exists(count: int) -> None:
    """Not the worst one perhaps, and it says so; but every share of it is had at once."""
    case = worst(*ring(count))
    running = {int(share.function.removeprefix("Worker")) for share in case.shares}
    assert not case.search_finished
    assert case.total == sum(10 + number % 3 for number in running)
    assert len(running) > count // 3
    assert all((number + 1) % count not in running for number in running)


def test_what_was_not_searched_to_the_end_is_worded_so(findings: Any) -> None:
    parameters, conditions, resources = ring(20)
    content = {"Parameters": parameters, "Conditions": conditions, "Resources": resources}
    [(_, message)] = findings("E9801", content, concurrency_limit=150)
    assert re.match(r"The functions reserve \d+ to \d+ concurrent executions together, ", message)
    assert "more facts hold" in message


@pytest.mark.usefixtures("quickly")
def test_a_thousand_functions() -> None:
    resources: dict[str, Any] = {f"Worker{number}": function(1, f"On{number % 40}") for number in range(1000)}
    for number in range(0, 1000, 2):
        del resources[f"Worker{number}"]["Condition"]
    case = worst(switches(40), {f"On{number}": is_on(number) for number in range(40)}, resources)
    assert (case.total, case.search_finished) == (1000, True)


def test_a_question_without_an_answer_does_not_let_the_next_run_longer() -> None:
    parameters, conditions, _ = ring(11)
    rules = {"All": {"Assertions": [{"Assert": {"Fn::And": [{"Condition": name} for name in conditions]}}]}}
    (stack,) = variants({"Parameters": parameters, "Conditions": conditions, "Rules": rules, "Resources": {}})
    steps = []
    for name in conditions:
        before = stack.space.steps
        possible(stack.space, when(name))
        steps.append(stack.space.steps - before)
    assert max(steps) <= 2 * search.MAX_SEARCH_STEPS + 10_000
    assert sum(steps) <= 3 * search.MAX_SEARCH_STEPS
