"""Several stacks in one account: the sum, which stack takes what, and what is said of those that do not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.checks.together import shortfall, stacks, sums
from generator.quota import AccountQuota
from tests.checks.test_files import Run, template, write
from tests.conftest import ENVIRONMENTS

FILES = [f"templates_out/{name}.json" for name in ENVIRONMENTS]


def account(reservable: int) -> AccountQuota:
    return AccountQuota("", "", reservable + 100, 100, 0)


@pytest.mark.parametrize("names", [ENVIRONMENTS, ("dev", *FILES[1:])], ids=["environments", "files too"])
def test_three_stacks_that_fit_alone_are_refused_together(generator: Run, names: tuple[str, ...]) -> None:
    result = generator("check", *names, "--together", "--account-limit", "150")
    place, message = result.stdout.rstrip("\n").split(": error E9801: ")
    assert message == (
        "The stacks reserve prod.json 37 + staging.json 16 + dev.json 11 = 64, 14 more than the 50 that can be "
        "reserved (limit 150 - unreserved floor 100 - reserved elsewhere 0); lower them or "
        "request a limit of 164 or more"
    )
    file, line = place.split(":")
    assert file == "templates_out/prod.json"
    assert Path(file).read_text().splitlines()[int(line) - 1].strip() == '"ReservedConcurrentExecutions": 20,'
    assert result.exit_code == 1


def test_each_of_them_fits_alone(generator: Run) -> None:
    assert generator("check", *FILES, "--account-limit", "150").exit_code == 0


def test_three_stacks_are_accepted_in_a_larger_account(generator: Run) -> None:
    result = generator("check", "--together")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "together: prod.json 37 + staging.json 16 + dev.json 11 = 64 reserved"


def found(**templates: Any) -> list[Any]:
    return stacks([Path(write(f"{name}.json", content)) for name, content in templates.items()])


@pytest.mark.usefixtures("project")
def test_the_last_unit_that_fits() -> None:
    both = found(a=template(One=30), b=template(Two=20, Three=1))
    assert shortfall(both, account(51)) == []
    (finding,) = shortfall(both, account(50))
    assert "a.json 30 + b.json 21 = 51, 1 more than the 50" in finding.message
    assert finding.path == "Resources/One/Properties/ReservedConcurrentExecutions"


@pytest.mark.usefixtures("project")
def test_what_a_template_does_not_tell_is_said() -> None:
    conditional = template(One={"Fn::If": ["IsProd", 40, 1]}, Two={"Fn::GetAtt": ["Somewhere", "Figure"]})
    conditional["Parameters"]["Stage"] = {"Type": "String", "AllowedValues": ["prod", "dev"]}
    conditional["Conditions"] = {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
    (finding,) = shortfall(found(a=conditional, b=template(Two=20), c="{"), account(50))
    assert finding.message == (
        "The stacks reserve a.json 40 + b.json 20 = at least 60, 10 more than the 50 that can be reserved "
        "(limit 150 - unreserved floor 100 - reserved elsewhere 0); a.json when IsProd is true; not counted: 1 "
        "function that a.json does not tell; c.json cannot be read and is not counted; "
        "lower them or request a limit of 160 or more"
    )


@pytest.mark.usefixtures("project")
def test_a_template_has_the_parameters_that_the_project_gives_to_cfn_lint() -> None:
    content = template(One={"Fn::If": ["IsProd", 40, 1]})
    content["Parameters"]["Stage"] = {"Type": "String"}
    content["Conditions"] = {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
    assert sums(found(a=content)) == "a.json 40 = 40"
    write(".cfnlintrc", {"parameters": [{"Stage": "dev"}]})
    assert sums(found(a=content)) == "a.json 1 = 1"


@pytest.mark.usefixtures("project")
def test_stacks_of_one_name_are_told_apart() -> None:
    paths = [Path(write(f"{folder}/template.json", template(One=1))) for folder in "ab"]
    assert sums(stacks(paths)) == "a/template.json 1 + b/template.json 1 = 2"


@pytest.mark.usefixtures("project")
def test_templates_that_reserve_nothing_fit_any_account() -> None:
    assert shortfall(found(a={"Resources": {}}, b="["), AccountQuota("", "", 10, 100, 0)) == []
