"""Several stacks in one account: the sum, what each stack takes, and what is not in the sum."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.checks import quota_check
from generator.checks.findings import NOT_PROVEN
from generator.checks.quota_check import Report
from generator.checks.request import Request
from tests.checks.rules.rule_runner import requested
from tests.checks.test_files import Run, by_region, template, write
from tests.conftest import ENVIRONMENTS

FILES = [f"templates_out/{name}.json" for name in ENVIRONMENTS]

QUOTA = ("--only", "quota")


@pytest.mark.parametrize("names", [ENVIRONMENTS, ("dev", *FILES[1:])], ids=["environments", "files too"])
def test_three_stacks_that_fit_alone_are_refused_together(
    generator: Run, names: tuple[str, ...], no_region: None
) -> None:
    result = generator("check", *names, *QUOTA, "--together", "--account-limit", "150")
    place, message = result.stdout.rstrip("\n").split(": error E9801: ")
    assert message == (
        "The stacks reserve prod.json 37 + staging.json 17 + dev.json 11 = 65, 15 more than the 50 that can be "
        "reserved (limit 150 - unreserved floor 100 - reserved elsewhere 0)" + requested(165)
    )
    file, line = place.split(":")
    assert file == "templates_out/prod.json"
    assert Path(file).read_text().splitlines()[int(line) - 1].strip() == '"ReservedConcurrentExecutions": 20,'
    assert result.exit_code == 1


def test_each_of_them_fits_alone(generator: Run) -> None:
    assert generator("check", *FILES, *QUOTA, "--account-limit", "150").exit_code == 0


@pytest.mark.slow
def test_three_stacks_are_accepted_in_a_larger_account(generator: Run) -> None:
    """cfn-lint runs too."""
    result = generator("check", "--together")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "any account and Region: prod.json 37 + staging.json 17 + dev.json 11 = 65 reserved of 900 reservable"
    )


def state(*names: str, **account: Any) -> None:
    """Write what environments state of their account."""
    lines = "".join(f"{key} = {value!r}\n" for key, value in account.items())
    for name in names:
        with Path(f"environments/{name}.toml").open("a") as file:
            file.write(f"[account]\n{lines}")


def test_the_account_is_what_the_environments_state(generator: Run) -> None:
    state(*ENVIRONMENTS, concurrency_limit=150)
    result = generator("check", *QUOTA, "--together")
    assert (result.exit_code, result.stdout.count("E9801")) == (1, 1)
    assert "= 65, 15 more than the 50 that can be reserved" in result.stdout
    assert generator("check", *QUOTA).exit_code == 0
    assert generator("check", *QUOTA, "--together", "--account-limit", "165").exit_code == 0
    small = write("small.json", template(One=1))
    assert generator("check", *ENVIRONMENTS, small, *QUOTA, "--together", "--account-limit", "165").exit_code == 1


def test_stacks_that_state_different_accounts_are_not_judged_as_one(generator: Run) -> None:
    state("dev", concurrency_limit=150, reserved_elsewhere=3)
    write(".cfnlintrc", {"configure_rules": {"E9801": {"unreserved_floor": 90}}})
    write("own.json", template(One=1))
    names = ("dev", "prod", "own.json", *QUOTA, "--together")
    result = generator("check", *names)
    assert (result.exit_code, result.stdout) == (2, "")
    here, there = "templates_out/dev.json", "templates_out/prod.json"
    assert result.stderr.splitlines() == [
        f"{here}: concurrency_limit is 150 here and 1000 for {there}, in one account; state the same for both, or give "
        "--account-limit",
        f"own.json: unreserved_floor is 90 here and 100 for {there}, in one account; state the same for both, or give "
        "--unreserved-floor",
        f"{here}: reserved_elsewhere is 3 here and 0 for {there}, in one account; state the same for both, or give "
        "--reserved-elsewhere",
    ]
    options = ["--account-limit", "150", "--unreserved-floor", "90", "--reserved-elsewhere", "3"]
    assert "reserved of 57 reservable" in generator("check", *names, *options).stdout


@pytest.mark.parametrize("names", [("dev",), ("dev", "templates_out/staging.json")], ids=["alone", "its file too"])
def test_environments_that_share_the_account_count_once_though_not_named(generator: Run, names: Any) -> None:
    """dev reserves 11 and staging 17, of 31."""
    state("dev", "staging", name="shared", concurrency_limit=131)
    together = (*QUOTA, "--together")
    assert generator("check", *names, write("fits.json", template(One=3)), *together).exit_code == 0
    result = generator("check", *names, write("more.json", template(One=4)), *together)
    assert (result.exit_code, result.stdout.count("E9801")) == (1, 1)
    assert ", 1 more than the " in result.stdout
    option = ("--reserved-elsewhere", "0")
    assert generator("check", *names[:1], "more.json", *together, *option).exit_code == 0


IGNORING = {"Metadata": {"cfn-lint": {"config": {"ignore_checks": ["E9801"]}}}}


@pytest.mark.slow
def test_the_finding_is_where_the_rule_is_not_ignored(generator: Run) -> None:
    large, small = write("large.json", template(One=60) | IGNORING), write("small.json", template(Two=1))
    result = generator("check", large, small, "--together", "--account-limit", "150")
    assert result.exit_code == 1
    assert result.stdout.startswith("small.json:")
    assert "large.json 60 + small.json 1 = 61, 11 more than the 50" in result.stdout


@pytest.mark.slow
def test_a_gap_of_a_stack_that_ignores_the_rule_is_a_gap_of_the_sum(generator: Run) -> None:
    write("large.json", template(One=60) | IGNORING | {"Transform": "CompanyDefaults"})
    write("small.json", template(Two=1))
    assert "not-proven" not in generator("check", "large.json").stdout
    result = generator("check", "large.json", "small.json", "--together")
    assert result.exit_code == 1
    assert "warning not-proven: CompanyDefaults may reserve or provision concurrency" in result.stdout


@pytest.mark.parametrize(
    ("first", "second", "total", "told"),
    [
        ({"us_east_1": 600, "eu_west_1": 5}, {"us_east_1": 5, "eu_west_1": 600}, 605, " when AWS::Region is "),
        ({"us_east_1": 600, "eu_west_1": 5}, {"us_east_1": 5, "eu_west_1": 700}, 705, " when AWS::Region is eu-west-1"),
        ({"us_east_1": 600}, {"eu_west_1": 500}, 600, "when AWS::Region is us-east-1"),
        ({"us_east_1": 600}, {"us_east_1": 500}, 1100, "when AWS::Region is us-east-1"),
    ],
)
@pytest.mark.usefixtures("project", "no_region")
def test_stacks_of_one_account_are_in_one_region(first: Any, second: Any, total: int, told: str) -> None:
    report = together(100, first=by_region(**first), second=by_region(**second))
    assert report.pools[0].total == total
    assert told in report.findings[0].message


@pytest.mark.usefixtures("project", "no_region")
def test_conditions_on_the_account_and_on_regions_not_named_agree_too() -> None:
    def under(condition: Any) -> Any:
        content = template(One={"Fn::If": ["IsIt", 50, 1]})
        return content | {"Conditions": {"IsIt": condition}}

    is_ours = {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "123456789012"]}
    is_home = {"Fn::Equals": [{"Fn::Sub": "${AWS::Region}"}, "us-east-1"]}
    others = {"is": under(is_ours), "not": under({"Fn::Not": [is_ours]}), "plain": template(One=7)}
    assert sums(**others) == "is.json 50 + plain.json 7 + not.json 1 = 58"
    assert sums(home=under(is_home), away=under({"Fn::Not": [is_home]})) in (
        "away.json 50 + home.json 1 = 51",
        "home.json 50 + away.json 1 = 51",
    )
    write(".cfnlintrc", {"regions": ["us-east-1"]})
    assert sums(away=under({"Fn::Not": [is_home]}), ours=under(is_ours)) == "ours.json 50 + away.json 1 = 51"


@pytest.mark.usefixtures("project", "no_region")
def test_together_counts_templates_of_different_regions() -> None:
    def named(region: str, **figures: int) -> Any:
        return by_region(**figures) | {"Metadata": {"cfn-lint": {"config": {"regions": [region]}}}}

    home, away = named("us-east-1", us_east_1=500, eu_west_1=1), named("eu-west-1", us_east_1=1, eu_west_1=400)
    assert sums(home=home, away=away) == "home.json 500 + away.json 1 = 501"
    assert sums(home=home, away=template(One=400)) == "home.json 500 + away.json 400 = 900"


@pytest.mark.usefixtures("project", "no_region")
def test_a_file_or_folder_that_is_named_twice_counts_once() -> None:
    Path("sub").mkdir()
    files, folders = [Path(write("one.json", template(One=7)))], [Path("sub")]
    write("sub/two.json", template(Two=8))
    twice = Request(
        files=[*files, *(file.resolve() for file in files)], folders=[*folders, Path("sub/.")], together=True
    )
    assert [pool.total for pool in quota_check.check(twice).pools] == [15]


@pytest.mark.usefixtures("project", "no_region")
def test_a_folder_inside_another_one_counts_once_together() -> None:
    for folder in ("all", "all/sub", "all/.hidden"):
        Path(folder).mkdir()
        write(f"{folder}/one.json", template(One=7))
    folders = [Path("all/sub"), Path("all"), Path("all/.hidden")]  # A walk through a folder leaves out hidden ones.
    assert [pool.total for pool in quota_check.check(Request(folders=folders, together=True)).pools] == [21]


def together(reservable: int, **templates: Any) -> Report:
    files = [Path(write(f"{name}.json", content)) for name, content in templates.items()]
    return quota_check.check(Request(files=files, together=True, account={"concurrency_limit": reservable + 100}))


def sums(**templates: Any) -> str:
    (pool,) = together(900, **templates).pools
    return str(pool).removeprefix("any account and Region: ").removesuffix(" reserved of 900 reservable")


@pytest.mark.usefixtures("project", "no_region")
def test_the_last_unit_that_fits() -> None:
    both = {"a": template(One=30), "b": template(Two=20, Three=1)}
    assert together(51, **both).findings == []
    (finding,) = together(50, **both).findings
    assert "a.json 30 + b.json 21 = 51, 1 more than the 50" in finding.message
    assert finding.path == "Resources/One/Properties/ReservedConcurrentExecutions"


@pytest.mark.usefixtures("project", "no_region")
def test_what_a_template_does_not_state_is_named() -> None:
    conditional = template(One={"Fn::If": ["IsProd", 40, 1]}, Two={"Fn::GetAtt": ["Somewhere", "Figure"]})
    conditional["Parameters"]["Stage"] = {"Type": "String", "AllowedValues": ["prod", "dev"]}
    conditional["Conditions"] = {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
    gap, finding = sorted(together(50, a=conditional, b=template(Two=20)).findings, key=lambda one: one.rule == "E9801")
    assert gap.rule == NOT_PROVEN
    assert finding.message == (
        "The stacks reserve a.json 40 + b.json 20 = at least 60, 10 more than the 50 that can be reserved "
        "(limit 150 - unreserved floor 100 - reserved elsewhere 0); a.json when IsProd is true; not counted: 1 "
        "function whose figure a.json does not state" + requested(160)
    )
    assert sums(a=conditional) == "a.json at least 40"


@pytest.mark.usefixtures("project", "no_region")
def test_a_template_has_the_parameters_that_the_project_gives_to_cfn_lint() -> None:
    content = template(One={"Fn::If": ["IsProd", 40, 1]})
    content["Parameters"]["Stage"] = {"Type": "String"}
    content["Conditions"] = {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
    assert sums(a=content) == "a.json 40"
    write(".cfnlintrc", {"parameters": [{"Stage": "dev"}]})
    assert sums(a=content) == "a.json 1"


@pytest.mark.usefixtures("project", "no_region")
def test_stacks_of_one_name_are_named_by_their_paths() -> None:
    both = {f"{folder}/template": template(One=1) for folder in "ab"}
    assert sums(**both) == "a/template.json 1 + b/template.json 1 = 2"


@pytest.mark.usefixtures("project")
def test_templates_that_reserve_nothing_fit_any_account() -> None:
    assert together(-90, a={"Resources": {}}, b={"Resources": {}}).findings == []


def test_the_machines_region_does_not_hide_an_environments_template(generator: Run, monkeypatch: Any) -> None:
    """dev states us-east-1. Its committed template reserves more than the account has."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    file = Path("templates_out/dev.json")
    document = json.loads(file.read_text())
    document["Resources"]["CheckAlertsFunction"]["Properties"]["ReservedConcurrentExecutions"] = 900
    file.write_text(json.dumps(document))
    result = generator("check", "dev", "--only", "quota")
    assert (result.exit_code, result.stdout.count("E9801")) == (1, 1)
