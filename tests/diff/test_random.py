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

from generator.diff.model import AccessChange, Difference
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
Pairs = list[tuple[Oracle, Oracle]]
"""Both templates in each deployment."""


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


def laid_out(old: Json, rng: random.Random) -> Json:
    """Return the template with rows for columns in its mappings, and the partition of the stack in its ARNs."""
    new = copy.deepcopy(old)
    for name in ("Map", "Table"):
        columns = {column for row in old["Mappings"][name].values() for column in row}
        new["Mappings"][f"{name}Turned"] = {
            column: {key: row[column] for key, row in old["Mappings"][name].items() if column in row}
            for column in columns
        }

    def turned(value: Json) -> Json:
        if isinstance(value, list):
            return [turned(item) for item in value]
        if isinstance(value, str) and value.startswith("arn:aws:"):
            return {"Fn::Sub": value.replace("arn:aws:", "arn:${AWS::Partition}:")}
        if not isinstance(value, dict):
            return value
        match value:
            case {"Fn::FindInMap": ["Map" | "Table" as name, first, second, *default]} if rng.random() < 0.7:
                return {"Fn::FindInMap": [f"{name}Turned", turned(second), turned(first), *map(turned, default)]}
        return {key: turned(inner) for key, inner in value.items()}

    return {**new, "Resources": turned(new["Resources"]), "Conditions": turned(new["Conditions"])}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, TEMPLATES, AT_ONCE))
def test_a_template_with_other_mappings_certainly_changes_nothing(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        old = template(seed)
        new = laid_out(old, random.Random(seed))
        for found in (difference(old, new), difference(new, old)):
            certainties = {one.certainty for one in found.iam}
            for one in found.resources:
                certainties |= {one.replacement, one.removal, one.rejected}
            assert Certainty.CERTAIN not in certainties, f"seed {seed}: {json.dumps(old)}"
            assert found.reservations.total_old == found.reservations.total_new, seed


def leaves(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def edited(old: Json, rng: random.Random) -> Json:
    """Return the template with one other literal in its resources, conditions, mappings, loops or defaults."""
    new = copy.deepcopy(old)
    *steps, last = rng.choice([path for path in leaves(old) if may_change(path)])
    target = new
    for step in steps:
        target = target[step]
    target[last] = rng.choice([*LETTERS, *map(str, range(10))])
    return new


def may_change(path: tuple[Any, ...]) -> bool:
    """Return whether the literal may have another value in a template that CloudFormation accepts."""
    if path[0] == "Parameters":
        return bool(path[-1] == "Default")
    is_name = path[-1] in ("Ref", "Type", "Condition", "Fn::Sub", "PolicyName", "Effect", "Version", "Action")
    arguments = ("Fn::FindInMap", "Fn::Select", "Fn::GetAtt", "Fn::Split")
    is_argument = len(path) > 1 and path[-2] in arguments
    is_condition = len(path) > 1 and path[-2:] == ("Fn::If", 0)
    is_loop = len(path) > 2 and str(path[1]).startswith("Fn::ForEach")
    is_variable = is_loop and (path[2] == 0 or (path[0] == "Conditions" and path[2] == 1))
    is_template = path[0] in ("Resources", "Conditions", "Mappings")
    return is_template and not (is_name or is_argument or is_condition or is_variable)


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
    for logical_id, resource in sides[0]["Resources"].items():
        check_removal(found, tried, logical_id)
        if logical_id not in sides[1]["Resources"]:
            continue
        if resource["Type"] == "AWS::Lambda::Function":
            figures = {changes(*pair, logical_id, "ReservedConcurrentExecutions", ranges=False) for pair in tried}
            assert True not in figures or "reservation" in kinds(found)
        if logical_id in NAMES:
            check_replacement(found, tried, logical_id, NAMES[logical_id])
        elif resource["Type"] == "AWS::Lambda::Function":
            check_replacement(found, tried, logical_id, "FunctionName")
    if any(changes(*pair, "Alarm", "Threshold", ranges) for pair in tried for ranges in (True, False)):
        assert "alarm" in kinds(found)
    check_access(found, tried, is_default=old["Parameters"] != new["Parameters"])


NAMES = {"Queue": "QueueName"}


def check_replacement(found: Difference, tried: Pairs, logical_id: str, key: str) -> None:
    replacement = {one.id: one.replacement for one in found.resources}.get(logical_id, Certainty.NONE)
    renamed = {changes(*pair, logical_id, key, ranges=True) for pair in tried} - {None}
    assert replacement != Certainty.NONE or True not in renamed
    assert replacement != Certainty.CERTAIN or False not in renamed


def check_removal(found: Difference, tried: Pairs, logical_id: str) -> None:
    """A resource that some deployment loses is removed, and certainly removed only if no deployment keeps it."""
    removal = {one.id: one.removal for one in found.resources}.get(logical_id, Certainty.NONE)
    lost = {exists(new, logical_id) is False for old, new in tried if exists(old, logical_id)}
    assert removal != Certainty.NONE or True not in lost, logical_id
    assert removal != Certainty.CERTAIN or False not in lost, logical_id


def check_access(found: Difference, tried: Pairs, is_default: bool) -> None:
    """Access that some deployment gains or loses is found, and is certain only if all of them do."""
    turned = [(new, old) for old, new in tried]
    for change, pairs in ((AccessChange.WIDENED, tried), (AccessChange.NARROWED, turned)):
        certainties = {one.certainty for one in found.iam if one.resource == "Role" and one.change == change}
        assert certainties or not any(granted(*pair, ranges) for pair in pairs for ranges in (True, False)), change
        if certainties == {Certainty.CERTAIN} and not is_default:
            assert False not in [granted(*pair, ranges=True) for pair in pairs], change


def granted(old: Oracle, new: Oracle, ranges: bool) -> bool | None:
    """Return whether the role may reach something in a deployment that it did not before; None if it cannot tell."""
    if not exists(old, "Role") or not exists(new, "Role"):
        return None
    try:
        before, after = (one.value(statement_of(one)["Resource"], ranges) for one in (old, new))
        return bool(after) and not {*map(str, after)} <= {*map(str, before)}
    except (NotStated, Fails):
        return None


def statement_of(oracle: Oracle) -> Json:
    policy = oracle.template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    return policy["Statement"][0]


def exists(oracle: Oracle, logical_id: str) -> bool | None:
    """Return whether a deployment has a resource; None if it cannot be deployed."""
    try:
        return logical_id in oracle.template["Resources"] and oracle.exists(logical_id)
    except (NotStated, Fails):
        return None


def changes(old: Oracle, new: Oracle, logical_id: str, key: str, ranges: bool) -> bool | None:
    """Return whether a deployment that has the resource before and after changes a property; None if it cannot."""
    try:
        if not exists(old, logical_id) or not exists(new, logical_id):
            return None
        return bool(property_of(old, logical_id, key, ranges) != property_of(new, logical_id, key, ranges))
    except (NotStated, Fails):
        return None


def property_of(oracle: Oracle, logical_id: str, key: str, ranges: bool) -> Json:
    properties = oracle.template["Resources"][logical_id]["Properties"]
    if "Fn::If" in properties:
        name, yes, no = properties["Fn::If"]
        properties = yes if oracle.holds({"Condition": name}) else no
    return oracle.value(properties.get(key, {"Ref": "AWS::NoValue"}), ranges)
