"""The worst case against an enumeration of all parameter values, on random small templates.

The oracle below shares nothing with what it judges: it evaluates conditions as CloudFormation does, deployment by
deployment.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from generator.checks.quota.mismatches import above_reservation, excess, mismatches, surplus, throttled_pollers
from generator.checks.quota.variants import Variant, variants
from generator.checks.quota.worst_case import worst_case, worst_cases_together
from generator.template import search
from generator.template.guards import Equality
from tests.checks.rules.rule_runner import pretty
from tests.conftest import SCALE

LETTERS = ("a", "b", "c")
NO_VALUE = {"Ref": "AWS::NoValue"}

Deployment = dict[str, str]


def random_template(rng: random.Random) -> dict[str, Any]:
    """Parameters, conditions made of each other, and functions, versions and streams that depend on all of them."""
    parameters: dict[str, Any] = {}
    for name in ("Stage", "Tier"):
        parameters[name] = {"Type": "String"}
        if rng.random() < 0.6:
            parameters[name]["AllowedValues"] = rng.sample(LETTERS, rng.randint(1, 3))
    parameters["Units"] = {"Type": "Number", "Default": rng.choice([3, "7"])}
    mapping = {key: {"Units": rng.randint(1, 9), "Flag": rng.choice(["yes", "no"])} for key in rng.sample(LETTERS, 2)}
    conditions: dict[str, Any] = {}
    for index in range(rng.randint(1, 5)):
        conditions[f"C{index}"] = random_condition(rng, list(conditions), 2)
    resources: dict[str, Any] = {
        "Stream": resource(rng, conditions, "AWS::Kinesis::Stream", ShardCount=random_figure(rng, conditions, 1))
    }
    resources["Stream"].pop("Condition", None)
    for index in range(rng.randint(1, 5)):
        figure = random_figure(rng, conditions, 2)
        resources[f"F{index}"] = resource(rng, conditions, "AWS::Lambda::Function", ReservedConcurrentExecutions=figure)
    for index in range(rng.randint(0, 3)):
        resources[f"V{index}"] = resource(
            rng,
            conditions,
            "AWS::Lambda::Version",
            FunctionName={"Ref": "F0"},
            ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": random_figure(rng, conditions, 1)},
        )
    for index in range(rng.choice([0, 1, 2])):
        resources[f"M{index}"] = resource(
            rng,
            conditions,
            "AWS::Lambda::EventSourceMapping",
            FunctionName={"Ref": "F0"},
            EventSourceArn={"Fn::GetAtt": ["Stream", "Arn"]},
            ParallelizationFactor=rng.choice([1, 2]),
        )
    return {"Parameters": parameters, "Mappings": {"Map": mapping}, "Conditions": conditions, "Resources": resources}


def resource(rng: random.Random, conditions: dict[str, Any], kind: str, **properties: Any) -> dict[str, Any]:
    condition = {"Condition": rng.choice(list(conditions))} if rng.random() < 0.4 else {}
    return {"Type": kind, **condition, "Properties": properties}


def random_condition(rng: random.Random, earlier: list[str], depth: int) -> dict[str, Any]:
    kind = rng.choice(
        ["equals", "equals", "mapped", "units", "static", *(["and", "or", "not", "named"] if depth else [])]
    )
    if kind == "named" and earlier:
        return {"Condition": rng.choice(earlier)}
    if kind in ("and", "or"):
        parts = [random_condition(rng, earlier, depth - 1) for _ in range(2)]
        return {f"Fn::{kind.title()}": parts}
    if kind == "not":
        return {"Fn::Not": [random_condition(rng, earlier, depth - 1)]}
    operands: list[Any] = [{"Ref": rng.choice(["Stage", "Tier"])}, rng.choice(LETTERS)]
    if kind == "mapped":
        operands = [{"Fn::FindInMap": ["Map", operands[0], "Flag"]}, "yes"]
    elif kind == "units":
        operands = [{"Ref": "Units"}, rng.choice(["3", 7])]
    elif kind == "static":
        operands = [rng.choice(LETTERS), "a"]
    rng.shuffle(operands)
    return {"Fn::Equals": operands}


def random_figure(rng: random.Random, conditions: dict[str, Any], depth: int) -> Any:
    kind = rng.choice(["number", "text", "default", "mapped", "none", *(["if"] * 4 if depth else [])])
    if kind == "if":
        sides = [random_figure(rng, conditions, depth - 1) for _ in range(2)]
        return {"Fn::If": [rng.choice(list(conditions)), *sides]}
    choices = {
        "number": rng.randint(0, 9),
        "text": str(rng.randint(0, 9)),
        "default": {"Ref": "Units"},
        "mapped": {"Fn::FindInMap": ["Map", {"Ref": rng.choice(["Stage", "Tier"])}, "Units"]},
        "none": NO_VALUE,
    }
    return choices[kind]


def random_queue_template(rng: random.Random) -> dict[str, Any]:
    """Without a stream; with a queue, its mappings to F0, a target for V0, and a function that may be managed."""
    template = random_template(rng)
    conditions, resources = template["Conditions"], template["Resources"]
    for name in [one for one in resources if one[0] in "M"]:
        del resources[name]
    receives = {"maxReceiveCount": random_figure(rng, conditions, 1)}
    resources["Q0"] = {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": receives}}
    for index in range(rng.choice([1, 2])):
        resources[f"E{index}"] = resource(
            rng,
            conditions,
            "AWS::Lambda::EventSourceMapping",
            FunctionName={"Ref": "F0"},
            EventSourceArn={"Fn::GetAtt": ["Q0", "Arn"]},
            ScalingConfig={"MaximumConcurrency": random_figure(rng, conditions, 1)},
        )
    if "V0" in resources:
        resources["T0"] = resource(
            rng,
            conditions,
            "AWS::ApplicationAutoScaling::ScalableTarget",
            ResourceId={"Fn::Sub": "function:${F0}:${V0.Version}"},
            ScalableDimension="lambda:function:ProvisionedConcurrency",
            MaxCapacity=random_figure(rng, conditions, 1),
        )
    provider = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}}
    managed = [provider, {"Fn::If": [rng.choice(list(conditions)), provider, NO_VALUE]}, NO_VALUE]
    resources["F1" if "F1" in resources else "F0"]["Properties"]["CapacityProviderConfig"] = rng.choice(managed)
    return template


class Oracle:
    """What a template comes to in one deployment."""

    def __init__(self, template: dict[str, Any], deployment: Deployment) -> None:
        self.template, self.deployment = template, deployment

    def holds(self, condition: Any) -> bool:
        [(name, argument)] = condition.items()
        if name == "Condition":
            return self.holds(self.template["Conditions"][argument])
        if name == "Fn::Equals":
            left, right = (self.text(operand) for operand in argument)
            return left is not None and left == right
        parts = [self.holds(part) for part in argument]
        return not parts[0] if name == "Fn::Not" else (all if name == "Fn::And" else any)(parts)

    def text(self, value: Any) -> str | None:
        if not isinstance(value, dict):
            return str(value)
        if "Ref" in value:
            return self.deployment[value["Ref"]]
        name, key, inner = value["Fn::FindInMap"]
        found = self.template["Mappings"][name].get(self.text(key))
        return None if found is None else str(found[inner])

    def figure(self, value: Any) -> int | None:
        """None when it is not there, or not told: a parameter only tells its default."""
        value = self.chosen(value)
        if value == NO_VALUE:
            return None
        if value == {"Ref": "Units"} and self.deployment["Units"] != str(
            self.template["Parameters"]["Units"]["Default"]
        ):
            return None
        text = self.text(value)
        return None if text is None else int(text)

    def chosen(self, value: Any) -> Any:
        while isinstance(value, dict) and "Fn::If" in value:
            name, yes, no = value["Fn::If"]
            value = yes if self.holds({"Condition": name}) else no
        return value

    def exists(self, name: str) -> bool:
        condition = self.template["Resources"][name].get("Condition")
        return condition is None or self.holds({"Condition": condition})

    def reserved(self, name: str) -> int | None:
        properties = self.template["Resources"][name]["Properties"]
        is_pooled = self.exists(name) and not self.is_managed(name)
        return self.figure(properties["ReservedConcurrentExecutions"]) if is_pooled else None

    def is_managed(self, name: str) -> bool:
        """Whether it runs on Lambda Managed Instances, outside the account's pool."""
        properties = self.template["Resources"][name]["Properties"]
        return bool(self.chosen(properties.get("CapacityProviderConfig", NO_VALUE)) != NO_VALUE)

    def total(self) -> int:
        """What F0 provisions counts where it is there and reserves nothing."""
        figure = self.template["Resources"]["F0"]["Properties"]["ReservedConcurrentExecutions"]
        is_shared = self.exists("F0") and not self.is_managed("F0") and self.chosen(figure) == NO_VALUE
        return sum(self.reserved(name) or 0 for name in self.names("F")) + (self.provisioned() if is_shared else 0)

    def provisioned(self) -> int:
        """Application Auto Scaling may raise V0 to the maximum of T0."""
        figures = dict.fromkeys(self.names("V"), 0)
        for name in figures:
            stated = self.template["Resources"][name]["Properties"]["ProvisionedConcurrencyConfig"]
            if self.exists(name):
                figures[name] = self.figure(stated["ProvisionedConcurrentExecutions"]) or 0
        for name in self.names("T"):
            if self.exists(name) and self.exists("V0"):
                maximum = self.figure(self.template["Resources"][name]["Properties"]["MaxCapacity"]) or 0
                figures["V0"] = max(figures["V0"], maximum)
        return sum(figures.values())

    def maxima(self) -> dict[str, int | None]:
        """By existing mapping of the queue, the maximum that it states."""
        properties = {name: self.template["Resources"][name]["Properties"] for name in self.names("E")}
        return {
            name: self.figure(each["ScalingConfig"]["MaximumConcurrency"])
            for name, each in properties.items()
            if self.exists(name)
        }

    def above(self) -> dict[str, int]:
        """How much more each mapping may run than F0 reserves."""
        reserved = self.reserved("F0")
        return {} if reserved is None else {name: (most or 0) - reserved for name, most in self.maxima().items()}

    def throttled(self) -> int:
        """How much more the pollers start with than F0 reserves, where the queue soon gives up."""
        reserved = self.reserved("F0")
        receives = self.figure(self.template["Resources"]["Q0"]["Properties"]["RedrivePolicy"]["maxReceiveCount"])
        if not reserved or not receives or receives >= 5:
            return 0
        return sum(self.started(name) for name in self.maxima()) - reserved

    def started(self, mapping: str) -> int:
        """Five where the mapping states no maximum; nothing where its maximum is unknown."""
        written = self.template["Resources"][mapping]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        return 5 if self.chosen(written) == NO_VALUE else self.figure(written) or 0

    def names(self, letter: str) -> list[str]:
        return [name for name in self.template["Resources"] if name[0] == letter and name != "Stream"]

    def excess(self) -> int:
        """How much more F0 has provisioned than reserved."""
        reserved = self.reserved("F0")
        if reserved is None:
            return 0
        return max(0, self.provisioned() - reserved)

    def surplus(self) -> int:
        """How much more F0 reserves than its pollers can use, where the template tells both."""
        shards = self.figure(self.template["Resources"]["Stream"]["Properties"]["ShardCount"])
        mappings = [self.template["Resources"][name]["Properties"] for name in self.names("M") if self.exists(name)]
        if not shards or not mappings:
            return 0
        return max(0, (self.reserved("F0") or 0) - sum(shards * each["ParallelizationFactor"] for each in mappings))


def deployments(template: dict[str, Any]) -> Iterator[Oracle]:
    letters = [template["Parameters"][name].get("AllowedValues", [*LETTERS, "else"]) for name in ("Stage", "Tier")]
    for stage, tier, units in product(*letters, ["3", "7", "else"]):
        yield Oracle(template, {"Stage": stage, "Tier": tier, "Units": units})


@pytest.mark.parametrize("transform", [[], ["AWS::LanguageExtensions"]], ids=["plain", "language extensions"])
@pytest.mark.parametrize("seed", range(300))
def test_agrees_with_every_deployment_tried_out(seed: int, transform: list[str]) -> None:
    """cfn-lint puts guesses into a template with language extensions, and sorts what it compares."""
    content = random_template(random.Random(seed)) | {"Transform": transform}
    template, tried = variants(content), list(deployments(content))

    case = worst_case(template)
    assert case.search_finished, pretty(content)
    assert case.total == max(oracle.total() for oracle in tried), pretty(content)
    assert any(_agrees(oracle, case.scenario) and oracle.total() == case.total for oracle in tried), pretty(content)

    excesses = {found.function: found.gap for found in mismatches(excess, template)}
    assert excesses.get("F0", 0) == max(oracle.excess() for oracle in tried), pretty(content)

    surpluses = {found.function: found.gap for found in mismatches(surplus, template)}
    assert surpluses.get("F0", 0) == max(oracle.surplus() for oracle in tried), pretty(content)


@pytest.mark.parametrize("seed", range(100 * SCALE))
def test_queues_and_scaling_agree_with_every_deployment_tried_out(seed: int) -> None:
    content = random_queue_template(random.Random(seed))
    template, tried = variants(content), list(deployments(content))

    assert worst_case(template).total == max(oracle.total() for oracle in tried), pretty(content)
    excesses = {found.function: found.gap for found in mismatches(excess, template)}
    assert excesses.get("F0", 0) == max(oracle.excess() for oracle in tried), pretty(content)

    above = {found.source: found.gap for found in mismatches(above_reservation, template)}
    names = [name for name in content["Resources"] if name[0] == "E"]
    expected = {name: max(oracle.above().get(name, 0) for oracle in tried) for name in names}
    assert above == {name: most for name, most in expected.items() if most > 0}, pretty(content)

    throttled = [found.gap for found in mismatches(throttled_pollers, template)]
    assert max(throttled, default=0) == max(0, *(oracle.throttled() for oracle in tried)), pretty(content)


@pytest.mark.parametrize("steps", [0, 5, 30])
@pytest.mark.parametrize("seed", range(40))
def test_a_search_that_stops_early_states_true_bounds(seed: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MAX_SEARCH_STEPS", "MIN_STEPS", "MIN_STEPS_PER_CHOICE"):
        monkeypatch.setattr(search, limit, steps if limit == "MAX_SEARCH_STEPS" else 0)
    content = random_template(random.Random(f"bounds {seed}"))
    tried = list(deployments(content))
    case = worst_case(variants(content))
    assert case.total <= max(oracle.total() for oracle in tried) <= case.at_most, pretty(content)
    assert not case.total or any(_agrees(one, case.scenario) and one.total() >= case.total for one in tried)


def _agrees(oracle: Oracle, scenario: Any) -> bool:
    return all(
        (
            oracle.deployment[fact.parameter] == fact.value
            if isinstance(fact, Equality)
            else oracle.holds({"Condition": fact})
        )
        == holds
        for fact, holds in scenario
    )


def by_stage(template: dict[str, Any]) -> dict[str, int]:
    """The most that a template reserves in each stage."""
    totals: dict[str, int] = {}
    for oracle in deployments(template):
        stage = oracle.deployment["Stage"]
        totals[stage] = max(oracle.total(), totals.get(stage, 0))
    return totals


def by_region(template: dict[str, Any]) -> list[Variant]:
    """The same template with the Region for its stage."""
    text = json.dumps({**template, "Parameters": {**template["Parameters"], "Stage": {"Type": "Unused"}}})
    return variants(json.loads(text.replace('{"Ref": "Stage"}', '{"Ref": "AWS::Region"}')))


@pytest.mark.usefixtures("no_region")
@pytest.mark.parametrize("seed", range(60))
def test_stacks_together_agree_with_every_region_tried_out(seed: int) -> None:
    templates = [random_template(random.Random(f"{seed} {stack}")) for stack in range(3)]
    for template in templates:
        template["Parameters"]["Stage"].pop("AllowedValues", None)
    tried = [by_stage(template) for template in templates]

    cases = worst_cases_together(map(by_region, templates))
    assert all(case.search_finished for case in cases)
    assert sum(case.total for case in cases) == max(sum(each[stage] for each in tried) for stage in tried[0])


@pytest.mark.slow
def test_the_random_templates_vary_enough() -> None:
    """Conditions matter, deployments differ, and each kind of finding turns up."""
    templates = [random_template(random.Random(seed)) for seed in range(300)]
    tried = [list(deployments(template)) for template in templates]
    assert sum(len({oracle.total() for oracle in oracles}) > 1 for oracles in tried) > 150
    assert (
        sum(
            len({o.total() - sum(o.reserved(name) or 0 for name in o.names("F")) for o in oracles}) > 1
            for oracles in tried
        )
        > 20
    )
    assert sum(any(oracle.excess() for oracle in oracles) for oracles in tried) > 30
    assert sum(any(oracle.surplus() for oracle in oracles) for oracles in tried) > 20
    queues = [list(deployments(random_queue_template(random.Random(seed)))) for seed in range(100)]
    assert sum(any(max(oracle.above().values(), default=0) > 0 for oracle in oracles) for oracles in queues) > 10
    assert sum(any(oracle.throttled() > 0 for oracle in oracles) for oracles in queues) > 10
