"""Every change of a function's code is found, wherever the code is."""

from __future__ import annotations

from typing import Any

import pytest

from generator.diff.summary import KINDS
from tests.diff.comparing import difference

LAMBDA, SAM = "AWS::Lambda::Function", "AWS::Serverless::Function"
REGION = {"Ref": "AWS::Region"}


def code(zip_file: Any) -> dict[str, Any]:
    return {"Code": {"ZipFile": zip_file}}


def lines(*parts: Any) -> dict[str, Any]:
    return code({"Fn::Join": ["\n", ["import os", *parts]]})


def diff(kind: str, old: Any, new: Any) -> list[str]:
    """Return the removed and added lines of the only function."""
    before, after = ({"Resources": {"One": {"Type": kind, "Properties": properties}}} for properties in (old, new))
    found = difference(before, after)
    assert KINDS["handler"](found) == bool(found.handlers)
    diff_lines = [line for handler in found.handlers for line in handler.diff.splitlines()]
    return [line for line in diff_lines if line[0] in "+-" and line not in ("--- old", "+++ new")]


@pytest.mark.parametrize(
    ("kind", "old", "new", "expected"),
    [
        pytest.param(LAMBDA, lines("a"), lines("b"), ["-a", "+b"], id="a line"),
        pytest.param(
            LAMBDA, code("a"), code({"Fn::Sub": "a # ${AWS::Region}"}), ["-a", "+a # ${AWS::Region}"], id="Sub"
        ),
        pytest.param(
            LAMBDA,
            code("${AWS::Region}"),
            code({"Fn::Sub": "${AWS::Region}"}),
            ["-${!AWS::Region}", "+${AWS::Region}"],
            id="a reference for a literal",
        ),
        pytest.param(LAMBDA, lines("a"), lines("a", REGION), ["+${AWS::Region}"], id="a Ref appended"),
        pytest.param(
            LAMBDA,
            code({"Fn::Join": ["", [{"Fn::If": ["C", "a", "b"]}]]}),
            code({"Fn::Join": ["", [{"Fn::If": ["C", "a", "x"]}]]}),
            ['-  "b"', '+  "x"'],
            id="a line under a condition",
        ),
        pytest.param(
            LAMBDA,
            code("a"),
            {"Code": {"S3Bucket": "b", "S3Key": "k"}},
            ["-a", "+Code.S3Bucket: b", "+Code.S3Key: k"],
            id="from inline to a bucket",
        ),
        pytest.param(
            LAMBDA,
            {"Code": {"S3Bucket": "b", "S3Key": "x"}},
            {"Code": {"S3Bucket": "b", "S3Key": "y"}},
            ["-Code.S3Key: x", "+Code.S3Key: y"],
            id="another object",
        ),
        pytest.param(LAMBDA, {"Handler": "a.b"}, {"Handler": "c.d"}, ["-Handler: a.b", "+Handler: c.d"], id="entry"),
        pytest.param(LAMBDA, {"Layers": ["a"]}, {"Layers": ["a", "b"]}, ["+Layers[1]: b"], id="a foreign layer"),
        pytest.param(SAM, {"InlineCode": "a"}, {"InlineCode": "b"}, ["-a", "+b"], id="inline code of SAM"),
        pytest.param(SAM, {"CodeUri": "a"}, {"CodeUri": "b"}, ["-CodeUri: a", "+CodeUri: b"], id="a folder of SAM"),
        pytest.param(SAM, {"ImageUri": "a"}, {}, ["-ImageUri: a"], id="an image"),
        pytest.param(LAMBDA, lines("a"), code("import os\na"), [], id="the same code, written otherwise"),
        pytest.param(LAMBDA, {**code("a"), "Timeout": 1}, {**code("a"), "Timeout": 2}, [], id="no code"),
    ],
)
def test_a_change_of_the_code_of_a_function_is_found(kind: str, old: Any, new: Any, expected: list[str]) -> None:
    assert diff(kind, old, new) == expected


def test_code_that_uses_a_redefined_name_has_changed() -> None:
    function = {"Type": LAMBDA, "Properties": {"Handler": {"Fn::If": ["Keep", "a.b", "c.d"]}}}
    old, new = (
        {"Resources": {"One": function}, "Conditions": {"Keep": {"Fn::Equals": [{"Ref": "Stage"}, value]}}}
        for value in ("dev", "prod")
    )
    assert [handler.id for handler in difference(old, new).handlers] == ["One"]


def test_a_new_function_is_all_new() -> None:
    new = {"Resources": {"One": {"Type": LAMBDA, "Properties": {**code("a"), "Handler": "index.handler"}}}}
    (handler,) = difference({"Resources": {}}, new).handlers
    assert handler.diff.splitlines() == ["--- old", "+++ new", "@@ -0,0 +1 @@", "+a", "+Handler: index.handler"]
