"""A replacement is certain if it happens in every deployment, and there is none if no deployment changes."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from generator.diff import equality
from generator.diff.equality import DeploymentComparison
from generator.diff.sides import comparable
from generator.diff.summary import NOTHING, headlines
from generator.template.conditions import DeploymentSpace
from generator.template.evaluation import Evaluator
from generator.template.guards import Guard
from generator.template.schemas import Certainty
from generator.template.search import possible
from tests.diff.comparing import difference
from tests.diff.documents import compared, document, kinds

HEAD = """
Parameters:
  Env: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Name: {Type: String, Default: q}
  Switch: {Type: String, AllowedValues: [true, false]}
  Tier: {Type: String, AllowedPattern: ^(lab|live)$}
  Free: {Type: String}
Mappings:
  Names: {dev: {queue: q, other: r}, prod: {queue: q, other: s}}
  Turned: {queue: {dev: q, prod: q}, other: {dev: r, prod: s}}
Conditions:
  A: !Equals [!Ref Env, dev]
  B: !Equals [!Ref Env, prod]
  C: !Equals [!Ref Free, x]
  D: !Not [!Condition C]
Resources:
"""


def queue(name: str) -> str:
    return f"{HEAD}  Q: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {name}}}}}\n  R: {{Type: AWS::SQS::Queue}}"


@pytest.mark.parametrize(
    ("old", "new", "replacement"),
    [
        pytest.param("q", "r", "certain", id="another name"),
        pytest.param("!If [A, x, !If [B, y, z]]", "!If [A, x, y]", None, id="a branch that no deployment takes"),
        pytest.param("!If [C, x, !If [A, y, z]]", "!If [C, x, y]", "possible", id="a branch that some take"),
        pytest.param("q", "!If [C, q, q]", None, id="equal sides"),
        pytest.param("q", "!Ref Name", "possible", id="a parameter with the literal as its default"),
        pytest.param("!Ref Name", "!Ref Free", "possible", id="another parameter"),
        pytest.param("q", "!Ref Env", "certain", id="a parameter that cannot have the value"),
        pytest.param("dev", "!Ref Env", "possible", id="a parameter that can have it"),
        pytest.param("q-true", "!Sub 'q-${Switch}'", "possible", id="a parameter whose values are booleans"),
        pytest.param("q-live", "!Sub 'q-${Tier}'", "possible", id="a value that a pattern lists"),
        pytest.param("q-prod", "!Sub 'q-${Tier}'", "certain", id="a value that a pattern does not list"),
        pytest.param("q", "!FindInMap [Names, !Ref Env, queue]", None, id="what a mapping has in every row"),
        pytest.param("r", "!FindInMap [Names, !Ref Env, other]", "possible", id="what a mapping has in one row"),
        pytest.param("x", "!FindInMap [Names, !Ref Env, other]", "certain", id="what a mapping has nowhere"),
        pytest.param(
            "!FindInMap [Names, !Ref Env, other]",
            "!FindInMap [Turned, other, !Ref Env]",
            None,
            id="laid out differently",
        ),
        pytest.param("!If [A, r, s]", "!FindInMap [Names, !Ref Env, other]", None, id="a mapping for a condition"),
        pytest.param("!If [C, x, y]", "!If [D, y, x]", None, id="the opposite condition"),
        pytest.param("!If [C, x, y]", "!If [D, x, y]", "certain", id="sides that change places"),
        pytest.param(
            "!Ref 'AWS::NoValue'", "!If [C, q, !Ref 'AWS::NoValue']", "possible", id="a name under a condition"
        ),
        pytest.param(
            "!Select [1, [a, !If [C, b, !Ref 'AWS::NoValue'], c]]",
            "!Select [1, [a, !If [C, b, !Ref 'AWS::NoValue'], d]]",
            "possible",
            id="an item behind one that may not exist",
        ),
        pytest.param("q-eu-west-2", "!Sub 'q-${AWS::Region}'", "possible", id="the Region"),
        pytest.param("q-eu-west-2", "!Sub 'queue-${AWS::Region}'", "certain", id="text that the Region cannot make up"),
        pytest.param("!Sub 'a-${Free}'", "!Sub 'b-${Free}'", "certain", id="another beginning"),
        pytest.param("!Sub '${Free}-a'", "!Sub '${Free}-ab'", "certain", id="another end"),
        pytest.param("!Sub '${Free}-a'", "!Sub '${Name}-a'", "possible", id="another part"),
        pytest.param(
            "!Sub '${R.QueueName}-x'", "!Sub '${Q2.QueueName}-x'", "certain", id="the name of another resource"
        ),
        pytest.param("q", "!GetAtt R.QueueName", "possible", id="the name of a resource"),
        pytest.param("!ImportValue a", "!ImportValue b", "possible", id="what other stacks export"),
        pytest.param("q", "'{{resolve:ssm:/name}}'", "possible", id="a stored value"),
    ],
)
def test_a_changed_name_replaces_with_the_certainty_that_it_differs(
    old: str, new: str, replacement: str | None
) -> None:
    found = compared(queue(old), queue(new))
    assert [one.replacement for one in found.resources] == ([] if replacement is None else [replacement])
    assert ("replacement" in kinds(found)) == (replacement is not None)


def test_a_renamed_parameter_may_replace_a_resource() -> None:
    old, new = (
        f"""
Parameters: {{{name}: {{Type: String, Default: q}}}}
Resources: {{Q: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Ref {name}}}}}}}
"""
        for name in ("Name", "QueueName")
    )
    assert [one.replacement for one in compared(old, new).resources] == ["possible"]


CONDITIONAL = """
Parameters: {Env: {Type: String}}
Conditions:
  A: !Equals [!Ref Env, dev]
  B: !Equals [!Ref 'AWS::Region', us-east-1]
  C: DEFINITION
Resources:
  Q: {Type: AWS::SQS::Queue, Condition: C}
"""
BOTH = "!And [!Condition A, !Condition B]"


@pytest.mark.parametrize(
    ("definition", "kinds_"),
    [
        ("!And [!Condition B, !Condition A]", None),
        ("!Not [!Or [!Not [!Condition A], !Not [!Condition B]]]", None),
        ("!And [!Condition A, !Equals ['us-east-1', !Sub '${AWS::Region}']]", None),
        ("!Condition A", set()),
        ("!And [!Condition A, !Not [!Condition B]]", {"removal"}),
    ],
)
def test_conditions_are_compared_by_their_meaning(definition: str, kinds_: set[str] | None) -> None:
    found = compared(CONDITIONAL.replace("DEFINITION", BOTH), CONDITIONAL.replace("DEFINITION", definition))
    assert found.is_different == (kinds_ is not None)
    assert kinds(found) == (kinds_ or set())


@pytest.mark.parametrize("section", ["Conditions", "Mappings"])
def test_a_renamed_condition_or_mapping_is_no_difference(section: str) -> None:
    text = """
Parameters: {Env: {Type: String}}
Mappings: {Sizes: {dev: {size: 1}, prod: {size: 2}}}
Conditions: {IsProd: !Equals [!Ref Env, prod], IsSmall: !Not [!Condition IsProd]}
Resources:
  Q: {Type: AWS::SQS::Queue, Condition: IsSmall, Properties: {DelaySeconds: !FindInMap [Sizes, !Ref Env, size]}}
  R: {Type: AWS::IAM::Role, Condition: IsProd, Properties: {RoleName: !If [IsProd, IsProd, other]}}
Outputs: {O: {Condition: IsProd, Value: !If [IsProd, a, b]}}
"""
    old, new = {"Conditions": ("IsProd", "Prod"), "Mappings": ("Sizes", "Delays")}[section]
    changed = (
        text.replace(f"[{old},", f"[{new},")
        .replace(f"{old}:", f"{new}:")
        .replace(f"Condition: {old}", f"Condition: {new}")
    )
    found = compared(text, changed.replace(f"Condition {old}", f"Condition {new}"))
    assert headlines(found)["Verdict"] == NOTHING


def test_a_resource_that_exists_at_most_once_is_never_replaced() -> None:
    """The old resource exists in production, the new one everywhere else."""
    old = """
Parameters: {Env: {Type: String}}
Conditions: {Prod: !Equals [!Ref Env, prod], Other: !Not [!Condition Prod]}
Resources: {Q: {Type: AWS::SQS::Queue, Condition: Prod, Properties: {QueueName: a}}}
"""
    found = compared(old, old.replace("Condition: Prod", "Condition: Other").replace("QueueName: a", "QueueName: b"))
    assert kinds(found) == {"removal"}


def test_hundreds_of_conditions_are_compared_in_bounded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name depends on four of 300 conditions, and half of these turn around. Without a bound it takes minutes."""
    evaluators = count(1)

    def evaluator(*args: Any) -> Evaluator:
        assert next(evaluators) < 1_000
        return Evaluator(*args)

    def search(space: DeploymentSpace, guard: Guard) -> bool:
        assert space.steps <= 20_000
        return possible(space, guard)

    monkeypatch.setattr(equality, "MAX_ALL_CASES", 200)
    monkeypatch.setattr(equality, "MAX_COMPARISON_STEPS", 20_000)
    monkeypatch.setattr(equality, "Evaluator", evaluator)
    monkeypatch.setattr(equality, "possible", search)

    def value(number: int, depth: int) -> Any:
        sides = [value(number + side, depth - 1) for side in (0, 1)] if depth else []
        return {"Fn::If": [f"C{(number * 13 + depth * 29) % 300}", *sides]} if depth else f"v{number}"

    parameters = {f"P{number}": {"Type": "String"} for number in range(150)}
    conditions = {
        f"C{number}": {"Fn::Equals": [{"Fn::Sub": f"${{P{number % 150}}}${{P{number * 7 % 150}}}"}, "ab"]}
        for number in range(300)
    }
    turned = {name: {"Fn::Not": [one]} if int(name[1:]) % 2 else one for name, one in conditions.items()}
    old, new = (
        {
            "Parameters": parameters,
            "Conditions": definitions,
            "Resources": {
                f"Q{number}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": value(number + shift, 4)}}
                for number in range(20)
            },
        }
        for shift, definitions in enumerate((conditions, turned))
    )
    assert [one.replacement for one in difference(old, new).resources] == ["possible"] * 20


def test_values_nested_too_deeply_for_the_stack_possibly_differ() -> None:
    def nested(leaf: str) -> Any:
        value: Any = {"Ref": "Free"} if leaf == "Free" else leaf
        for _ in range(150):
            value = [value]
        return value

    def below(frames: int) -> Certainty:
        return below(frames - 1) if frames else comparison.difference(nested("Free"), nested("x"))

    comparison = DeploymentComparison(comparable(document(HEAD + "  Q: {Type: AWS::SQS::Queue}")))
    assert {below(frames) for frames in range(0, 800, 50)} == {Certainty.POSSIBLE}
