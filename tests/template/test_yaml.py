"""YAML is read as CloudFormation reads it: short tags stay what they are, and merge keys are merged."""

from __future__ import annotations

from typing import Any

import pytest

from generator.errors import UnreadableTemplate
from generator.template.reading import parsed
from tests.diff.comparing import difference

HEAD = "Transform: AWS::LanguageExtensions\nParameters: {P: {Type: String, Default: Arn}}\n"
FUNCTIONS = """
Resources:
  A:
    Type: AWS::Lambda::Function
    Properties: &common
      Handler: index.handler
      ReservedConcurrentExecutions: 500
  B: {Type: AWS::Lambda::Function, Properties: {<<: *common, MemorySize: 256}}
"""


def with_output(value: str) -> Any:
    return parsed("t.yaml", f"{HEAD}Resources: {{Q: {{Type: AWS::SQS::Queue}}}}\nOutputs: {{O: {{Value: {value}}}}}\n")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!GetAtt [Q, !Ref P]", {"Fn::GetAtt": ["Q", {"Ref": "P"}]}),
        ("!GetAtt [!Sub 'Q${P}', Arn]", {"Fn::GetAtt": [{"Fn::Sub": "Q${P}"}, "Arn"]}),
        ("!GetAtt [!Sub 'Q${P}', !Ref P]", {"Fn::GetAtt": [{"Fn::Sub": "Q${P}"}, {"Ref": "P"}]}),
        ("!Select [0, !Split [',', !Ref P]]", {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "P"}]}]}),
        ("!FindInMap [M, !Ref P, k]", {"Fn::FindInMap": ["M", {"Ref": "P"}, "k"]}),
    ],
)
def test_a_tag_within_a_tag_stays(short: str, long: Any) -> None:
    assert with_output(short)["Outputs"]["O"]["Value"] == long


@pytest.mark.parametrize("other", ["!GetAtt [Q, P]", "!GetAtt [Q, !Sub '${P}x']", "!GetAtt [Q, Arn]", "!Ref P"])
def test_another_attribute_is_a_difference(other: str) -> None:
    assert difference(with_output("!GetAtt [Q, !Ref P]"), with_output(other)).is_different


def test_a_merge_key_is_merged() -> None:
    resources = parsed("t.yaml", FUNCTIONS)["Resources"]
    assert resources["B"]["Properties"] == {**resources["A"]["Properties"], "MemorySize": 256}


def test_a_change_behind_a_merge_key_is_a_difference_of_each_resource() -> None:
    """CloudFormation itself takes merge keys only after `aws cloudformation package`; cfn-lint's W1100 states that."""
    old, new = (parsed("t.yaml", text) for text in (FUNCTIONS, FUNCTIONS.replace("500", "300")))
    assert [(one.id, one.old, one.new) for one in difference(old, new).reservations.changed] == [
        ("A", 500, 300),
        ("B", 500, 300),
    ]


@pytest.mark.parametrize("key", ["x", "ReservedConcurrentExecutions", "a-b c"])
@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("<<: [*a, *b]", 1),
        ("<<: [*b, *a]", 2),
        ("KEY: 3, <<: [*a, *b]", 3),
        ("<<: [*a, *b], KEY: 3", 3),
        ("<<: [*none, *b]", 2),
        ("<<: *nested", 1),
        ("<<: [*b, *nested]", 2),
        ("<<: *a, <<: *b", 1),
        ("<<: *b, <<: *a", 2),
        ("<<: {KEY: 1, KEY: 2}", 2),
        ("<<: [{KEY: 1, KEY: 2}, *a]", 2),
    ],
)
def test_the_first_of_several_merged_mappings_wins(written: str, value: int, key: str) -> None:
    text = """
    A: &a {KEY: 1}
    B: &b {KEY: 2, other: 4}
    None: &none {}
    Nested: &nested {<<: [*a, *b], =: 5}
    """
    found = parsed("t.yaml", f"{text}\n    C: {{{written}}}".replace("KEY", key))
    assert found["C"][key] == value
    assert found["Nested"] == {key: 1, "other": 4, "=": 5}


@pytest.mark.parametrize("merged", ["[1]", "x", "[{a: 1}, [2]]"])
def test_a_merge_of_no_mapping_is_refused(merged: str) -> None:
    with pytest.raises(UnreadableTemplate, match=r"a merge key with a (scalar|sequence) in it"):
        parsed("t.yaml", f"C: {{<<: {merged}}}")
