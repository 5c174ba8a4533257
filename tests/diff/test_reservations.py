"""`diff` sums reservations like `check`, and sees every deployment in which one changes."""

from __future__ import annotations

import pytest

from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from generator.diff.summary import headlines
from tests.diff.comparing import difference
from tests.diff.documents import compared, document, kinds
from tests.template.random_templates import RandomTemplates

HEAD = """
Transform: AWS::LanguageExtensions
Parameters:
  Env: {Type: String, Default: dev, AllowedValues: [dev, build, production]}
  Units: {Type: Number, Default: UNITS}
Mappings:
  Sizes: {dev: {a: 0, b: 7}, build: {a: 80, b: 7}, production: {a: FIGURE, b: 7}}
Conditions:
  Dev: !Equals [!Ref Env, dev]
  NotDev: !Not [!Condition Dev]
Resources:
"""


def template(resources: str, units: int = 50, figure: int = 80) -> str:
    return HEAD.replace("UNITS", str(units)).replace("FIGURE", str(figure)) + resources


def function(figure: str, name: str = "F", more: str = "") -> str:
    return (
        f"  {name}: {{Type: AWS::Lambda::Function, {more} Properties: "
        f"{{Handler: a.b, ReservedConcurrentExecutions: {figure}}}}}\n"
    )


LOOKUP = "!If [Dev, !Ref 'AWS::NoValue', !FindInMap [Sizes, !Ref Env, a]]"
ALIAS = """
  L:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref F, ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: COUNT}}
"""
LOOP = """
  Fn::ForEach::All:
    - X
    - [NAMES]
    - F${X}: {Type: AWS::Lambda::Function, Properties: {ReservedConcurrentExecutions: 200}}
"""


@pytest.mark.parametrize(
    ("old", "new", "sums"),
    [
        pytest.param(
            template(function("600", more="Condition: Dev,")),
            template(function("600", more="Condition: Dev,") + function("600", "G", "Condition: NotDev,")),
            "600",
            id="exclusive conditions",
        ),
        pytest.param(
            template(function(LOOKUP) + function(LOOKUP, "G")),
            template(function(LOOKUP) + function(LOOKUP, "G"), figure=480),
            "160 → 960",
            id="a mapping",
        ),
        pytest.param(
            template(function("!Ref Units")), template(function("!Ref Units"), units=300), "50 → 300", id="a default"
        ),
        pytest.param(
            template(function("!Sub '${Units}0'")),
            template(function("!Sub '${Units}0'"), units=60),
            "500 → 600",
            id="text",
        ),
        pytest.param(
            template("  F: {Type: AWS::Lambda::Function}\n" + ALIAS.replace("COUNT", "10")),
            template("  F: {Type: AWS::Lambda::Function}\n" + ALIAS.replace("COUNT", "950")),
            "10 → 950",
            id="provisioned",
        ),
        pytest.param(
            template(LOOP.replace("NAMES", "a, b")),
            template(LOOP.replace("NAMES", "a, b, c")),
            "400 → 600",
            id="a loop",
        ),
        pytest.param(
            template(function("!If [Dev, 5, 10]")),
            template(function("!If [Dev, 10, 5]")),
            "10",
            id="figures that change places",
        ),
        pytest.param(
            template(function(LOOKUP)),
            template(function("!Ref Env")),
            "80 → at least 0",
            id="a figure that is not stated",
        ),
    ],
)
def test_the_sums_are_those_of_check(old: str, new: str, sums: str) -> None:
    found = compared(old, new)
    assert headlines(found)["Reservations"] == sums
    assert "reservation" in kinds(found)
    totals = (found.reservations.total_old, found.reservations.total_new)
    assert totals == tuple(worst_case(variants(document(side))).total for side in (old, new))


@pytest.mark.parametrize(
    "new",
    [
        template(function("!FindInMap [Sizes, !Ref Env, b]")),
        template(function("!If [Dev, 7, '7']")),
        template(function("!Ref New")).replace("Parameters:", "Parameters:\n  New: {Type: Number, Default: 7}"),
        template(function("!Select [1, [5, 7]]")),
    ],
)
def test_a_figure_that_is_written_in_another_way_is_no_change(new: str) -> None:
    found = compared(template(function("7")), new)
    assert found.reservations.changed == ()
    assert "reservation" not in kinds(found)


@pytest.mark.parametrize("seed", range(40))
def test_diff_and_check_agree_on_random_templates(seed: int) -> None:
    old, new = (RandomTemplates(f"{seed} {side}").template() for side in ("old", "new"))
    found = difference(old, new).reservations
    for side, total, is_open in zip((old, new), (found.total_old, found.total_new), found.is_open, strict=True):
        case = worst_case(variants(side))
        assert (total, is_open) == (case.total, not case.is_proven)
