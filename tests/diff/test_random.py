"""A template in another form is no difference, and no edit that changes a deployment is missed.

`TEST_SCALE=40` tries a thousand of each.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import yaml

from generator.template.reading import parsed
from generator.template.schemas import Certainty
from tests.conftest import SCALE
from tests.diff.comparing import difference
from tests.diff.documents import kinds
from tests.template.oracle import Fails, NotStated, Oracle, deployments, expanded
from tests.template.random_templates import LETTERS, RandomTemplates, domains

TEMPLATES = 30 * SCALE
AT_ONCE, MAX_DEPLOYMENTS = 15, 3_000

Json = Any


def template(seed: object) -> Json:
    """Return a random template whose values also name functions, and stand in a policy, an alarm and an output."""
    made = RandomTemplates(str(seed))
    content = made.template()
    for name, one in content["Resources"].items():
        if not name.startswith("Fn::"):
            if "Fn::If" in one["Properties"]:  # CloudFormation takes no function in the place of all properties.
                one["Properties"] = one["Properties"]["Fn::If"][1]
            one["Properties"]["FunctionName"] = made.figure(2)
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b", made.figure(1)]}
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    content["Resources"] |= {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}, "Condition": made.name()},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": made.figure(2)}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": made.figure(1)}},
    }
    content["Outputs"] = {"One": {"Value": made.figure(2), "Condition": made.name()}}
    return content


def rewritten(value: Json, rng: random.Random, conditions: list[str]) -> Json:
    """Return a value in another form: keys in another order, other functions, other sides, numbers as text."""
    if isinstance(value, list):
        return [rewritten(item, rng, conditions) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, content),) = value.items()
        if function in ("Fn::And", "Fn::Or", "Fn::Equals"):
            return {function: rng.sample([rewritten(one, rng, conditions) for one in content], len(content))}
        if function == "Condition" or function.startswith("Fn::ForEach"):
            return value
        if function == "Fn::Not":
            return {function: [rewritten(content[0], rng, conditions)]}
        if function == "Fn::FindInMap":
            return {function: [content[0], *content[1:]]}
        if function.startswith("Fn::") or function == "Ref":
            return rng.choice(list(others(value, rng, conditions)))
    loops = {key: one for key, one in value.items() if key.startswith("Fn::ForEach")}
    keys = rng.sample(list(value), len(value))
    return {key: loops[key] if key in loops else rewritten(value[key], rng, conditions) for key in keys}


def others(value: Json, rng: random.Random, conditions: list[str]) -> Iterator[Json]:
    ((function, content),) = value.items()
    yield value
    if conditions:  # Conditions themselves cannot use Fn::If.
        yield {"Fn::If": [rng.choice(conditions), value, copy.deepcopy(value)]}
        if "AWS::NoValue" not in json.dumps(value):
            yield {"Fn::Select": ["1", ["x", value]]}
    if function == "Ref" and content != "AWS::NoValue" and content not in ("Sizes", "Names", "Letter"):
        yield {"Fn::Sub": f"${{{content}}}"}
        yield {"Fn::Join": ["", [value, ""]]}
    if function == "Fn::If":
        yield {function: [content[0], *(rewritten(one, rng, conditions) for one in content[1:])]}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, TEMPLATES, AT_ONCE))
def test_a_template_in_another_form_is_no_difference(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        rng, old = random.Random(seed), template(seed)
        conditions = [name for name in old["Conditions"] if not name.startswith("Fn::")]
        new = copy.deepcopy(old)
        new["Conditions"] = rewritten(new["Conditions"], rng, [])
        for section in ("Resources", "Outputs"):
            new[section] = rewritten(new[section], rng, conditions)
        new = parsed("new", yaml.safe_dump(new, sort_keys=rng.random() < 0.5))
        found = difference(old, new)
        assert not found.is_different, f"seed {seed}: {found}\n{json.dumps(old)}\n{json.dumps(new)}"
        assert not difference(new, old).is_different, seed


def leaves(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def edited(old: Json, rng: random.Random) -> Json:
    """Return the template with one other literal in its resources, conditions, mappings or defaults."""
    new = copy.deepcopy(old)
    places = [
        path
        for path in leaves(old)
        if path[0] in ("Resources", "Conditions", "Mappings", "Parameters")
        and path[-1] not in ("Ref", "Type", "Condition", "Fn::Sub", "PolicyName", "Effect", "Version", "Action")
        and not (path[0] == "Parameters" and path[-1] != "Default")
        and not (len(path) > 1 and path[-2] in ("Fn::FindInMap", "Fn::Select", "Fn::If", "Fn::GetAtt", "Fn::Split"))
        and not any(str(step).startswith("Fn::ForEach") for step in path)
    ]
    *steps, last = rng.choice(places)
    target = new
    for step in steps:
        target = target[step]
    target[last] = rng.choice([*LETTERS, *map(str, range(10))])
    return new


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, TEMPLATES, AT_ONCE))
def test_no_edit_that_changes_a_deployment_is_missed(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        old = template(seed)
        new = edited(old, random.Random(seed))
        try:
            check(old, new)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {json.dumps(old)}\n{json.dumps(new)}") from error


def check(old: Json, new: Json) -> None:
    found = difference(old, new)
    sides = [expanded(one) for one in (old, new)]
    values = [domains(one) for one in sides]
    union = {name: list(dict.fromkeys([*values[0][name], *values[1][name]])) for name in values[0]}
    tried = [
        (Oracle(sides[0], one.given, lazy=True), Oracle(sides[1], one.given, lazy=True))
        for one in islice(deployments(sides[1], union), MAX_DEPLOYMENTS)
    ]
    replacements = {one.id: one.replacement for one in found.resources}
    for function in sides[0]["Resources"]:
        if sides[0]["Resources"][function]["Type"] != "AWS::Lambda::Function" or function not in sides[1]["Resources"]:
            continue
        figures = {changes(*pair, function, "ReservedConcurrentExecutions", ranges=False) for pair in tried}
        assert True not in figures or "reservation" in kinds(found)
        renamed = {changes(*pair, function, "FunctionName", ranges=True) for pair in tried} - {None}
        replacement = replacements.get(function, Certainty.NONE)
        assert replacement != Certainty.NONE or True not in renamed
        assert replacement != Certainty.CERTAIN or False not in renamed


def changes(old: Oracle, new: Oracle, function: str, key: str, ranges: bool) -> bool | None:
    """Return whether a deployment that has the function before and after changes a property; None if it cannot."""
    try:
        if not old.exists(function) or not new.exists(function):
            return None
        return bool(property_of(old, function, key, ranges) != property_of(new, function, key, ranges))
    except (NotStated, Fails):
        return None


def property_of(oracle: Oracle, function: str, key: str, ranges: bool) -> Json:
    properties = oracle.template["Resources"][function]["Properties"]
    if "Fn::If" in properties:
        name, yes, no = properties["Fn::If"]
        properties = yes if oracle.holds({"Condition": name}) else no
    return oracle.value(properties.get(key, {"Ref": "AWS::NoValue"}), ranges)
