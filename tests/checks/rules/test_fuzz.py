"""No template makes a rule crash: cfn-lint would report E0002 instead of a finding, and the user could do nothing.

Hundreds of templates, each with a few random faults; only our rules run, the way cfn-lint runs them.
"""

from __future__ import annotations

import copy
import datetime
import functools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from cfnlint.template import Template

from tests.checks.rules.rule_runner import TEMPLATES
from tests.conftest import FIXTURES, SCALE

HAND_WRITTEN = sorted(TEMPLATES.iterdir())
GENERATED = sorted((FIXTURES / "templates_out").glob("*.json"))
"""Large ones, so they take their turn less often."""

BATCHES = SCALE
MUTANTS = 220
"""In each batch."""

JUNK: list[Any] = [
    None,
    True,
    "",
    0,
    -1,
    1.5,
    10**30,
    "9" * 5000,
    "٣",
    "100",
    [],
    {},
    [[]],
    {"": ""},
    {1: 2},
    {"Ref": "Nowhere"},
    {"Ref": ["Worker"]},
    {"Ref": {"Ref": "Environment"}},
    {"Ref": "AWS::NoValue"},
    {"Ref": "AWS::Region"},
    {"Fn::If": ["Nowhere", 1, 2]},
    {"Fn::If": ["IsProd", 1]},
    {"Fn::If": [["IsProd"], 1, 2]},
    {"Fn::If": {"IsProd": 1}},
    {"Fn::If": ["IsProd", {"Fn::If": ["IsPaused", 0, 900]}, {"Ref": "AWS::NoValue"}]},
    {"Fn::FindInMap": ["Units"]},
    {"Fn::FindInMap": ["Units", {"Ref": "Environment"}, {"Ref": "Nowhere"}]},
    {"Fn::FindInMap": ["Units", ["prod"], {}]},
    {"Fn::FindInMap": [{"Ref": "Environment"}, "prod", "Reserved", {"DefaultValue": 5}]},
    {"Fn::GetAtt": "Worker"},
    {"Fn::GetAtt": ["Worker"]},
    {"Fn::GetAtt": [["Worker"], "Arn"]},
    {"Fn::GetAtt": []},
    {"Fn::Sub": ["${Worker}"]},
    {"Fn::Sub": {"${": "}"}},
    {"Fn::Sub": "${Worker.Arn"},
    {"Fn::Join": ["", 1]},
    {"Fn::Transform": {"Name": "AWS::Include"}},
    {"Fn::Equals": [{"Ref": "Environment"}]},
    {"Fn::Or": [{"Condition": "IsProd"}]},
    {"Fn::Not": [{"Condition": "Loop"}]},
    {"Condition": "IsProd"},
    {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 900}},
    {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Worker"}}},
    {"Type": ["AWS::Lambda::Function"]},
    {"Type": {"Ref": "Environment"}, "Properties": None},
    ["Name", ["A", "B"], {"Worker${Name}": {"Type": "AWS::Lambda::Function"}}],
    ["Name", {"Ref": "Environment"}, {"Worker${Name}": {"Type": "AWS::Lambda::Function"}}],
    ["Name", 1, {}],
    datetime.date(2026, 11, 23),
]

KEYS = [
    "Condition",
    "Type",
    "Properties",
    "ReservedConcurrentExecutions",
    "ProvisionedConcurrencyConfig",
    "FunctionName",
    "EventSourceArn",
    "ParallelizationFactor",
    "ShardCount",
    "Events",
    "ScalingConfig",
    "RedrivePolicy",
    "ResourceId",
    "MaxCapacity",
    "CapacityProviderConfig",
    "Default",
    "AllowedValues",
    "Fn::If",
    "Fn::ForEach::Workers",
    "Ref",
]

SECTIONS: list[tuple[str, Any]] = [
    ("Transform", "AWS::LanguageExtensions"),
    ("Transform", ["AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"]),
    ("Transform", {"Name": "AWS::Include"}),
    ("Conditions", {"IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}, "Loop": {"Condition": "Loop"}}),
    ("Parameters", {"Environment": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"]}}),
    ("Mappings", {"Units": {"prod": {"Reserved": 50}, "dev": 5}}),
    ("Rules", {"Odd": {"Assertions": [{"Assert": {"Fn::Contains": [["dev"], {"Ref": "Environment"}]}}]}}),
    ("Rules", {"Prod": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}}]}}),
    ("Outputs", {"Name": {"Value": {"Ref": "Worker"}, "Export": None}, "Odd": []}),
    ("Globals", {"Function": {"ReservedConcurrentExecutions": {"Fn::If": ["IsProd", 0, 10]}}}),
]


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a template."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path for key, item in inner for path in ((*above, key), *places(item, (*above, key)))]


def mutate(content: Any, rng: random.Random) -> None:
    """One fault, or one section more, in place."""
    if rng.random() < 0.25:
        name, section = rng.choice(SECTIONS)
        content[name] = copy.deepcopy(section)
        return
    *above, last = rng.choice(places(content) or [("Resources",)])
    content.setdefault("Resources", {})
    place = content
    for key in above:
        place = place[key]
    match rng.randrange(5):
        case 0:
            del place[last]
        case 1 if isinstance(place, dict):
            place[rng.choice(KEYS)] = copy.deepcopy(rng.choice(JUNK))
        case 2:
            place[last] = {
                "Fn::If": [rng.choice(["IsProd", "IsPaused", "Nowhere"]), place[last], copy.deepcopy(rng.choice(JUNK))]
            }
        case 3:
            other = content
            for key in rng.choice(places(content)):
                other = other[key]
            place[last] = copy.deepcopy(other)
        case _:
            place[last] = copy.deepcopy(rng.choice(JUNK))


@functools.cache
def original(path: Path) -> Any:
    """A seed without line numbers, which mutants do not have."""
    return json.loads(json.dumps(decode(str(path))[0]))


def linted(content: Any, rules: dict[str, Any]) -> list[str]:
    """What cfn-lint does with a template up to our rules; names what happened."""
    try:
        template = Template("template.json", content)
        if template.transform():
            return ["refused by cfn-lint"]
    except Exception:
        return ["beyond cfn-lint itself"]
    return ["judged", *(rule.id for rule in rules.values() for _ in list(rule.match(template)))]


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_mutant_makes_a_rule_crash(batch: int, rules: dict[str, Any]) -> None:
    """And most are worth it: they get as far as the rules, which still find in some what they look for."""
    rules["E9801"].configure({"concurrency_limit": 300})
    rules["W9803"].configure({"shards": 1})
    hand_written, generated = list(map(original, HAND_WRITTEN)), list(map(original, GENERATED))
    rng = random.Random(batch)
    outcomes: Counter[str] = Counter()
    for _ in range(MUTANTS):
        content = copy.deepcopy(rng.choice(generated if generated and rng.random() < 0.1 else hand_written))
        for _ in range(rng.randint(1, 6)):
            mutate(content, rng)
        outcomes.update(linted(content, rules))
    assert outcomes["judged"] > 0.8 * MUTANTS
    assert {"E9801", "E9802", "W9803", "W9804", "E9807", "W9808"} <= set(outcomes)
