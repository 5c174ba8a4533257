"""A loop is compared with every list that it may run over."""

from __future__ import annotations

import pytest

from generator.diff.summary import consequences
from tests.diff.documents import compared, kinds

DEFAULT, ALLOWED, BOTH = "Default: dev", "AllowedValues: [dev, prod]", "AllowedValues: [dev, prod], Default: dev"
FUNCTION = "{Handler: a.b, Runtime: python3.12, Role: r, Code: {ZipFile: x}, ReservedConcurrentExecutions: 400}"
QUEUES = "'Q${N}': {Type: AWS::SQS::Queue}"
FUNCTIONS = f"'F${{N}}': {{Type: AWS::Lambda::Function, Properties: {FUNCTION}}}"


def loop(prod: str, outputs: str = QUEUES, parameter: str = DEFAULT, dev: str = "A") -> str:
    return f"""
Transform: AWS::LanguageExtensions
Parameters: {{E: {{Type: String, {parameter}}}}}
Mappings: {{Tenants: {{dev: {{names: [{dev}]}}, prod: {{names: [{prod}]}}}}}}
Resources:
  Fn::ForEach::Loop: [N, !FindInMap [Tenants, !Ref E, names], {{{outputs}}}]
"""


@pytest.mark.parametrize("parameter", [DEFAULT, ALLOWED, BOTH])
def test_a_list_that_shrinks_in_another_deployment_possibly_removes(parameter: str) -> None:
    found = compared(loop("A, B", parameter=parameter), loop("A", parameter=parameter))
    assert kinds(found) == {"removal"}
    assert list(consequences(found)) == [
        "Possible removal: QB: exists only if E is prod; deleted, and with it the messages in it."
    ]
    assert kinds(compared(loop("A", parameter=parameter), loop("A, B", parameter=parameter))) == set()


def test_a_list_that_shrinks_in_every_deployment_removes() -> None:
    found = compared(loop("A, B", dev="A, B"), loop("A"))
    assert [(one.id, str(one.removal)) for one in found.resources if one.removal != "none"] == [("QB", "certain")]


def test_an_item_that_moves_to_another_deployment_is_possibly_removed() -> None:
    found = compared(loop("A, B"), loop("A", dev="A, B"))
    assert [(one.id, str(one.removal)) for one in found.resources] == [("QB", "possible")]


def test_a_list_that_grows_in_another_deployment_reserves_more() -> None:
    found = compared(loop("A, B", FUNCTIONS), loop("A, B, C, D", FUNCTIONS))
    assert "reservation" in kinds(found)
    assert (found.reservations.total_old, found.reservations.total_new) == (800, 1600)


def test_a_loop_of_queues_is_no_permission() -> None:
    renamed = QUEUES.replace("Queue}", "Queue, Properties: {DelaySeconds: 1}}")
    assert kinds(compared(loop("A, B", parameter=ALLOWED), loop("A, B", renamed, ALLOWED))) == set()


def test_a_loop_written_out_under_a_condition_is_no_change_of_resources() -> None:
    plain = """
Parameters: {E: {Type: String, Default: dev}}
Conditions: {Prod: !Equals [!Ref E, prod], Known: !Or [!Equals [!Ref E, dev], !Condition Prod]}
Resources:
  QA: {Type: AWS::SQS::Queue}
  QB: {Type: AWS::SQS::Queue, Condition: Prod}
"""
    assert compared(loop("A, B"), plain).resources == compared(plain, loop("A, B")).resources == ()
