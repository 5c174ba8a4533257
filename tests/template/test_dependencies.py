"""Every form of reference in a template's values is found, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.template.dependencies import names, references
from tests.stack.model import TEMPLATES


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "Table"}, ["Table"]),
        ({"Ref": "AWS::Region"}, []),
        ({"Fn::GetAtt": ["Table", "Arn"]}, ["Table.Arn"]),
        ({"Fn::GetAtt": ["Database", "Endpoint.Address"]}, ["Database.Endpoint.Address"]),
        ({"Fn::GetAtt": ["Table", {"Ref": "Attribute"}]}, ["Table", "Attribute"]),
        ({"Fn::GetAtt": "Table.Arn"}, ["Table.Arn"]),
        ({"Fn::Sub": "${Table.Arn}/index/${Index} ${AWS::Region} ${!Literal}"}, ["Table.Arn", "Index"]),
        ({"Fn::Sub": ["${own} ${Table}", {"own": {"Ref": "Queue"}}]}, ["Table", "Queue"]),
        ({"Fn::Join": ["", ["a", {"Ref": "One"}, {"Fn::If": ["Wanted", {"Ref": "Two"}, "b"]}]]}, ["One", "Two"]),
        ({"Ref": "Table", "Name": "two keys are a structure"}, []),
        ({"Description": "${Table}", "Fn::GetAtt": 1}, []),
        ({"Fn::GetAtt": []}, []),
        ({"Fn::Sub": [{"Ref": "Text"}, {}]}, ["Text"]),
        ({"Ref": ["Table"]}, []),
        (None, []),
    ],
)
def test_every_form_of_reference_is_found(value: Any, found: list[str]) -> None:
    assert [*references(value)] == found
    assert [*names(value)] == [one.split(".")[0] for one in found]


@pytest.mark.parametrize("environment", sorted(TEMPLATES))
def test_every_reference_of_a_whole_template_is_found(environment: str) -> None:
    resources = TEMPLATES[environment]["Resources"]
    text = json.dumps(resources)
    alone = re.findall(r'\{"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', text)
    in_texts = re.findall(r"\$\{(\w+)(?:\.\w+)?\}", " ".join(re.findall(r'"Fn::Sub": "([^"]*)"', text)))
    assert alone
    assert in_texts
    assert set(names(resources)) == {*alone, *in_texts}


values = st.recursive(
    st.none() | st.integers() | st.text("${}!.Ab", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Ref", "Fn::GetAtt", "Fn::Sub", "Name"]), inner, max_size=2)
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_of_any_shape_is_searched_without_an_error(value: Any) -> None:
    assert all(isinstance(name, str) for name in references(value))


@given(values, values)
def test_a_list_has_the_references_of_its_items(one: Any, other: Any) -> None:
    assert [*references([one, other])] == [*references(one), *references(other)]
