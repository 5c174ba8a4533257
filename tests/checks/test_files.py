"""`generator check` on templates that are not ours: the sum against an account, faults, one start of cfn-lint.

Tests that are about the sum alone leave cfn-lint out with QUOTA.
"""

from __future__ import annotations

import cProfile
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.rules import CloudFormationLintRule
from cfnlint.runner import Runner
from click.testing import Result

from tests import lint_once
from tests.checks.rules.rule_runner import TEMPLATES, requested
from tests.conftest import snapshot

pytestmark = pytest.mark.usefixtures("no_region")

Run = Callable[..., Result]

QUOTA = ("--only", "quota")

SUMS = [str(TEMPLATES / name) for name in ("sum.json", "sum.sam.yaml", "sum.yaml")]
"""All reserve 100 + 50 + 50 + 5 = 205; sum.yaml with parameters, a condition, Fn::If and a mapping."""

MESSAGE = (
    "The functions reserve 205 concurrent executions together, 5 more than the 200 that can be reserved (limit 300 - "
    "unreserved floor 100 - reserved elsewhere 0){}: ProcessWebhookFunction 100, CheckAlertsFunction 50, "
    "SendNotificationFunction 50, CleanupHistoryFunction 5" + requested(305)
)


def template(**reservations: Any) -> dict[str, Any]:
    """A template that cfn-lint likes, with functions that reserve these."""
    role = {"Ref": "RoleArn"}
    resources = {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": "def handler(event, context): pass"},
                "Handler": "index.handler",
                "Role": role,
                "Runtime": "python3.13",
                "ReservedConcurrentExecutions": figure,
            },
        }
        for name, figure in reservations.items()
    }
    return {"Parameters": {"RoleArn": {"Type": "String"}}, "Resources": resources}


def write(path: str, content: Any) -> str:
    """A file in the project, and its name."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def findings(result: Result) -> list[tuple[str, str]]:
    """File name and rule of everything in a report in JSON."""
    return [(Path(found["file"]).name, found["rule"]) for found in json.loads(result.stdout)["findings"]]


def test_a_sum_above_the_account_is_refused_in_every_syntax(generator: Run) -> None:
    result = generator("check", *SUMS, "--account-limit", "300", *QUOTA)
    scenario = ", when IsProd is true and Environment is prod and WebhookUnits is 100"
    assert result.stdout.splitlines() == [
        f"{SUMS[0]}:33: error E9801: {MESSAGE.format('')}",
        f"{SUMS[1]}:18: error E9801: {MESSAGE.format('')}",
        f"{SUMS[2]}:34: error E9801: {MESSAGE.format(scenario)}",
    ]
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "account",
    [
        ["--account-limit", "305"],
        ["--account-limit", "300", "--unreserved-floor", "95"],
        ["--account-limit", "400", "--reserved-elsewhere", "95"],
        [],
    ],
    ids=["limit", "floor", "elsewhere", "defaults"],
)
def test_a_sum_that_fits_is_silent(generator: Run, account: list[str]) -> None:
    result = generator("check", *SUMS, *account, *QUOTA)
    assert result.exit_code == 0
    reservable = 900 if not account else 205
    assert result.stdout.splitlines() == [
        f"{', '.join(SUMS)}: quota is good",
        *(f"any account and Region: {Path(name).name} 205 reserved of {reservable} reservable" for name in SUMS),
    ]


@pytest.mark.slow
def test_a_good_file_is_named_with_what_was_checked(generator: Run) -> None:
    assert generator("check", SUMS[0]).stdout.splitlines() == [
        f"{SUMS[0]}: lint, size and quota are good",
        "any account and Region: sum.json 205 reserved of 900 reservable",
    ]


def test_the_project_states_its_account_once_and_an_option_stands_above_it(generator: Run) -> None:
    settings = {"configure_rules": {"E9801": {"concurrency_limit": 310, "reserved_elsewhere": 10}}}
    write(".cfnlintrc", settings)
    assert "15 more" not in generator("check", SUMS[0], *QUOTA).stdout
    together = generator("check", SUMS[0], "--together", *QUOTA).stdout
    assert together.count("E9801") == 1
    assert "5 more than the 200" in together
    assert generator("check", SUMS[0], "--together", "--account-limit", "315", *QUOTA).exit_code == 0


def with_metadata(path: str, **config: Any) -> str:
    """The template of 205 in a file of its own, with a configuration of cfn-lint's in it."""
    content = json.loads(Path(SUMS[0]).read_text())
    return write(path, content | {"Metadata": {"cfn-lint": {"config": config}}})


@pytest.mark.parametrize(
    ("project_limit", "options", "reservable"),
    [
        (None, [], 180),
        (350, [], 180),
        (None, ["--unreserved-floor", "90"], 190),
        (None, ["--account-limit", "290"], 190),
    ],
    ids=["alone", "above the project", "an option for something else", "below an option"],
)
def test_a_template_states_its_own_account(
    generator: Run, project_limit: int | None, options: list[str], reservable: int
) -> None:
    if project_limit:
        write(".cfnlintrc", {"configure_rules": {"E9801": {"concurrency_limit": project_limit}}})
    path = with_metadata("own.json", configure_rules={"E9801": {"concurrency_limit": 280}})
    for together in ([], ["--together"]):
        result = generator("check", path, *options, *together, *QUOTA)
        assert f"than the {reservable} that can be reserved" in result.stdout
        assert result.stdout.count("E9801") == 1


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"concurrency_limit": "much"}, [280]], ids=["a word", "no table"])
def test_an_option_replaces_what_a_template_states_wrongly(generator: Run, settings: Any) -> None:
    path = with_metadata("own.json", configure_rules={"E9801": settings})
    for together in ([], ["--together"]):
        result = generator("check", path, "--account-limit", "280", *together)
        assert "25 more than the 180 that can be reserved" in result.stdout
        assert "E0002" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("config", [[], None, {"configure_rules": {"E9801": {"concurrency_limit": "much"}}}])
def test_a_configuration_that_cfn_lint_cannot_read_is_a_finding(generator: Run, config: Any) -> None:
    metadata = {"cfn-lint": {"config": config}} if config else config
    path = write("own.json", template(One=1) | {"Metadata": metadata})
    for together in ([], ["--together"]):
        result = generator("check", path, *together, "--format", "json")
        assert (result.exit_code, findings(result)) == (1, [("own.json", "E0002")])


@pytest.mark.parametrize("options", [[], ["--account-limit", "1000"]], ids=["no option", "an option"])
def test_settings_of_other_rules_in_a_template_are_heeded(generator: Run, options: list[str]) -> None:
    path = with_metadata("own.json", configure_rules={"E3012": {"strict": True}})
    file = Path(path)
    file.write_text(file.read_text().replace('"Runtime"', '"Timeout": "30", "Runtime"', 1))
    assert findings(generator("check", path, *options, "--format", "json")) == [("own.json", "E3012")]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["project", "template", "function"])
def test_a_quota_is_not_called_good_where_its_rule_is_switched_off(generator: Run, where: str) -> None:
    ignoring = {"ignore_checks": ["E9801"]}
    path = with_metadata("own.json", **(ignoring if where == "template" else {}))
    if where == "project":
        write(".cfnlintrc", ignoring)
    if where == "function":
        file = Path(path)
        content = json.loads(file.read_text())
        content["Resources"]["ProcessWebhookFunction"]["Metadata"] = {"cfn-lint": {"config": ignoring}}
        file.write_text(json.dumps(content))
    for together in ([], ["--together"]):
        result = generator("check", path, "--account-limit", "300", *together)
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "own.json: lint and size are good; the quota was not checked: E9801 is switched off",
            "any account and Region: own.json 205 reserved of 200 reservable, not checked, because E9801 is switched "
            "off",
        ]


def by_region(**figures: int) -> dict[str, Any]:
    """A function that reserves so much in these Regions, with _ for -."""
    mapping = {region.replace("_", "-"): {"Reserved": figure} for region, figure in figures.items()}
    content = template(One={"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "Reserved"]})
    return content | {"Mappings": {"Sizes": mapping}}


@pytest.mark.parametrize(
    ("settings", "variable", "exit_code"),
    [
        ({}, None, 1),
        ({"regions": ["us-east-1"]}, None, 0),
        ({"regions": ["us-east-1", "eu-west-1"]}, None, 1),
        ({}, ("AWS_DEFAULT_REGION", "us-east-1"), 0),
        ({}, ("AWS_REGION", "us-east-1"), 0),
        ({}, ("AWS_DEFAULT_REGION", "eu-west-1"), 1),
        ({}, ("AWS_DEFAULT_REGION", "eu-west-2"), 0),
    ],
)
def test_only_the_regions_that_are_named_are_deployed_to(
    generator: Run,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    variable: tuple[str, str] | None,
    exit_code: int,
) -> None:
    if settings:
        write(".cfnlintrc", settings)
    if variable:
        monkeypatch.setenv(*variable)
    result = generator("check", write("regions.json", by_region(us_east_1=5, eu_west_1=901)), *QUOTA)
    assert result.exit_code == exit_code, result.stdout
    assert ("when AWS::Region is eu-west-1" in result.stdout) == bool(exit_code)


@pytest.mark.parametrize(("region", "is_too_much"), [("eu-west-2", False), ("eu-west-1", True)])
def test_the_template_of_an_environment_is_judged_in_its_region(generator: Run, region: str, is_too_much: bool) -> None:
    """By hand, the committed template got a function that reserves much in one Region."""
    environment, committed = Path("environments/dev.toml"), Path("templates_out/dev.json")
    environment.write_text(environment.read_text().replace("us-east-1", region))
    content = json.loads(committed.read_text())
    by_hand = by_region(eu_west_1=901, eu_west_2=5)
    for section in ("Parameters", "Mappings", "Resources"):
        content[section] = content.get(section, {}) | by_hand[section]
    committed.write_text(json.dumps(content))
    found = findings(generator("check", "dev", "--format", "json", *QUOTA))
    assert found == ([("dev.json", "E9801")] if is_too_much else [])


def test_a_template_names_its_own_region(generator: Run) -> None:
    metadata = {"Metadata": {"cfn-lint": {"config": {"regions": ["us-east-1"]}}}}
    path = write("regions.json", by_region(us_east_1=5, eu_west_1=901) | metadata)
    assert generator("check", path, *QUOTA).exit_code == 0


def test_files_need_no_environments(generator: Run, project: Path) -> None:
    for path in Path("environments").iterdir():
        path.unlink()
    assert generator("check", SUMS[0], *QUOTA).exit_code == 0


@pytest.mark.slow
def test_a_large_file_is_warned_of_once(generator: Run) -> None:
    write("large.json", json.dumps(template(One=5)) + "\n" * 52_000)
    result = generator("check", "large.json", "--format", "json")
    assert (findings(result), result.exit_code) == ([("large.json", "W9805")], 1)


def test_environments_and_files_in_one_run(generator: Run) -> None:
    write("other.json", template(One=0))
    twice = [str(Path(name).resolve()) for name in ("other.json", "templates_out/dev.json")]
    names = ("dev", "other.json", "templates_out/dev.json", *twice)
    result = generator("check", *names, *QUOTA, "--format", "json")
    assert findings(result) == [("other.json", "W9804")]
    assert json.loads(result.stdout)["environment"] == "dev"


@pytest.mark.slow
def test_an_informational_finding_passes(generator: Run) -> None:
    write(".cfnlintrc", {"include_checks": ["I"]})
    table = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Delete"}
    write("queue.json", {"Resources": {"Queue": table}})
    result = generator("check", "queue.json")
    assert result.exit_code == 0
    assert "queue.json:3: informational I3011: " in result.stdout
    assert "queue.json: lint, size and quota are good\n" in result.stdout


def test_a_file_that_cannot_be_checked_stops_all_and_every_one_is_named(generator: Run, project: Path) -> None:
    for name in ("folder.json", "stacks", "dev"):
        Path(name).mkdir()
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    write("serverless.yml", "service: shop\nprovider: {name: aws}\n")
    Path("tfplan").write_bytes(b"PK\x03\x04 and so on \xff")
    before = snapshot(project)
    result = generator(
        "check",
        "dev",
        "missing.json",
        "folder.json",
        "binary.yaml",
        SUMS[0],
        "stacks",
        "nowhere",
        "cdk.ouy",
        "serverless.yml",
        "tfplan",
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "missing.json: no such file; correct the path",
        "binary.yaml: not a text in UTF-8 (invalid start byte); save it as UTF-8",
        "cdk.ouy: no such file; correct the path",
        "serverless.yml: a service of the Serverless Framework, not a template; run `serverless package`, then check "
        ".serverless/",
        "tfplan: a binary plan of Terraform or OpenTofu; run `terraform show -json tfplan > plan.json`, then check "
        "plan.json",
        "environments/nowhere.toml: no such environment file; the environments are dev, prod, staging",
    ]
    result = generator("check", "missing.json", "stacks")
    assert result.stderr.splitlines() == [
        "missing.json: no such file; correct the path",
        "stacks: no CloudFormation template in this folder; name the folder that has the templates, such as cdk.out "
        "or .aws-sam/build",
    ]
    assert snapshot(project) == before


@pytest.mark.slow
@pytest.mark.parametrize("content", ["[]", '"text"', "a: b", '{"name": "left-pad", "scripts": {}}', "", "# nothing"])
def test_a_file_that_is_no_template_is_a_fault(generator: Run, content: str) -> None:
    write("package.json", content)
    result = generator("check", "package.json", SUMS[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "package.json: not a CloudFormation template: it has no Resources; give a template in JSON or YAML, or leave "
        "this file out\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"Resources": {\n"A": ]}}', "broken.json:2: error E0000: "),
        ("Resources:\n  A: [\n", "broken.json:3: error E0000: "),
        ('{"AWSTemplateFormatVersion": "2010-09-09", "Resource": {}}', "broken.json:1: error E1001: "),
    ],
    ids=["JSON", "YAML", "misspelt"],
)
def test_a_template_with_a_mistake_in_it_is_a_finding(generator: Run, content: str, place: str) -> None:
    write("broken.json", content)
    for arguments in ((), ("--together",)):
        result = generator("check", "broken.json", *arguments)
        assert result.exit_code == 1
        assert place in result.stdout


@pytest.mark.parametrize(
    ("content", "line"), [('{"Resources": {\n"A": ]}}', 2), ("Resources:\n  A: [\n", 3)], ids=["JSON", "YAML"]
)
def test_a_syntax_error_is_not_proven_at_its_line_without_cfn_lint(generator: Run, content: str, line: int) -> None:
    write("broken.json", content)
    result = generator("check", "broken.json", "--only", "quota")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"broken.json:{line}: warning not-proven: not counted: neither JSON nor YAML (")
    assert result.stdout.endswith("broken.json: the quota is not proven, because not everything is counted\n")


def test_a_manifest_of_cdk_names_the_folder_to_check(generator: Run) -> None:
    write("cdk.out/manifest.json", {"artifacts": {"A": {"type": "aws:cloudformation:stack"}}})
    result = generator("check", "cdk.out/manifest.json", *QUOTA)
    assert (result.exit_code, result.stderr) == (
        2,
        "cdk.out/manifest.json: the manifest of a CDK assembly, not a template; check its folder: generator check "
        "cdk.out\n",
    )


def test_a_macro_is_not_proven_at_the_line_that_names_it(generator: Run) -> None:
    write("macro.json", '{"Resources": {},\n"Transform": ["CompanyDefaults"]}')
    result = generator("check", "macro.json", *QUOTA, "--format", "json")
    (found,) = json.loads(result.stdout)["findings"]
    assert (found["rule"], found["line"], found["path"]) == ("not-proven", 2, "Transform")


def test_a_file_that_cannot_be_read_is_never_good(generator: Run) -> None:
    write("broken.json", '{"Resources": {')
    result = generator("check", "broken.json", "--ignore", "E0000")
    assert result.exit_code == 1
    assert result.stdout.startswith("broken.json:1: warning not-proven: not counted: neither JSON nor YAML (")


@pytest.mark.slow
def test_where_cfn_lint_breaks_off_the_other_files_are_checked_all_the_same(generator: Run) -> None:
    write("on.yaml", "Conditions:\n  On: !Equals [!Ref AWS::Region, us-east-1]\nResources: {}\n")
    write("other.json", template(One=0))
    result = generator("check", "on.yaml", "other.json", "--format", "json", "--together")
    assert (findings(result), result.exit_code) == ([("on.yaml", "E0002"), ("other.json", "W9804")], 1)
    assert "crashed on this file (TypeError: name should be a string" in result.stdout
    assert "in YAML, quote keys such as On, Yes and No" in result.stdout


@pytest.mark.slow
def test_the_quota_is_good_only_where_the_template_tells_all(generator: Run) -> None:
    write("told.json", template(One=5))
    write("function.json", template(One={"Fn::ImportValue": "figure"}))
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://example.com/child"}}
    write("nested.json", {"Resources": {"Child": nested}})
    application = {"Type": "AWS::Serverless::Application", "Properties": {"Location": "https://example.com/child"}}
    write("sam.json", {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Child": application}})
    one = template(One=5)
    loop = {"Fn::ForEach::Loop": ["Name", {"Ref": "Names"}, {"${Name}": one["Resources"]["One"]}]}
    names = {"Names": {"Type": "CommaDelimitedList"}} | one["Parameters"]
    write("loop.json", {"Transform": "AWS::LanguageExtensions", "Parameters": names, "Resources": loop})
    write("macro.json", template(One=5) | {"Transform": "CompanyDefaults"})
    partly = ("function.json", "nested.json", "sam.json", "loop.json", "macro.json")
    result = generator("check", partly[0], "told.json", *partly[1:], "--together")
    assert result.exit_code == 1
    gaps = [line.partition(": warning not-proven: ") for line in result.stdout.splitlines() if "not-proven" in line]
    assert [place.partition(":")[0] for place, _, _ in gaps] == sorted(partly)
    assert gaps[-2][2] == (
        "Child is not counted: its TemplateURL is not the name of a file but https://example.com/child; check its "
        "template, and give what it reserves with --reserved-elsewhere"
    )
    assert result.stdout.splitlines()[-3:-1] == [
        "told.json: lint, size and quota are good",
        f"{', '.join(partly)}: lint and size are good; the quota is not proven, because not everything is counted",
    ]
    assert result.stdout.endswith(" = at least 10 reserved of 900 reservable\n")
    assert generator("check", *partly, "--allow-unproven", *QUOTA).exit_code == 0


def test_a_name_with_a_pattern_in_it_is_a_name(generator: Run) -> None:
    write("stacks/[a]*.json", template(One=0))
    assert "stacks/[a]*.json:" in generator("check", "stacks/[a]*.json").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("{", "while parsing"),
        ("append_rules: [nowhere]", "nowhere"),
        ("unknown: 1", "unknown"),
        ("regions: [mars-1]", "mars-1"),
        ("configure_rules: {E9801: {concurrency_limit: much}}", "configure_rules, E9801: "),
    ],
    ids=["syntax", "folder", "key", "region", "figure"],
)
def test_a_linter_that_cannot_start_is_a_fault(generator: Run, settings: str, named: str) -> None:
    write(".cfnlintrc", settings)
    result = generator("check", SUMS[0], "--trust-cfnlintrc")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("cfn-lint: ")
    assert named in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_project_may_append_the_same_rules_itself(generator: Run) -> None:
    from generator.checks.rules import folder

    write(".cfnlintrc", {"append_rules": [str(folder())]})
    assert generator("check", SUMS[0]).exit_code == 0


def test_options_for_files_mean_nothing_to_an_environment(generator: Run) -> None:
    result = generator("check", "dev", "--account-limit", "300")
    assert result.exit_code == 2
    assert "The account options need a FILE, a FOLDER or --together" in result.stderr


@pytest.mark.slow
def test_several_templates_take_one_start_of_cfn_lint(generator: Run) -> None:
    lint_once.forget()
    names = [write(f"stacks/{number}.json", template(One=number)) for number in range(1, 6)]
    profile = cProfile.Profile()
    result = profile.runcall(generator, "check", *names, "--together", "--account-limit", "115")
    starts = [entry.callcount for entry in profile.getstats() if entry.code is Runner.__init__.__code__]
    assert starts == [1]
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith(" + 2.json 2 + 1.json 1 = 15 reserved of 15 reservable")


@pytest.mark.parametrize(
    ("figure", "counted"),
    [(950.0, "950"), ("950", "950"), (10**20, f"{10**20:,}"), (f"{10**20}", f"{10**20:,}"), (1e12, f"{10**12:,}")],
)
def test_every_form_of_a_number_is_counted(generator: Run, figure: Any, counted: str) -> None:
    result = generator("check", write("one.json", template(One=figure)), *QUOTA)
    assert f"E9801: The functions reserve {counted} concurrent executions together" in result.stdout
    assert result.exit_code == 1


def looped(collection: Any) -> dict[str, Any]:
    """One function beside a loop of functions, each with 400."""
    content = template(One=950, Looped=400)
    body = content["Resources"].pop("Looped")
    content["Resources"]["Fn::ForEach::Workers"] = ["Name", collection, {"Worker${Name}": body}]
    content["Mappings"] = {"Stages": {"prod": {"Names": ["A", "B", "C"]}, "dev": {"Names": ["A"]}}}
    content["Parameters"]["Stage"] = {"Type": "String", "Default": "prod"}
    return content | {"Transform": "AWS::LanguageExtensions"}


@pytest.mark.parametrize(
    ("collection", "total"),
    [
        ([], "950"),
        (["A", "B"], "1,750"),
        ({"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "Names"]}, "2,150"),
    ],
    ids=["empty", "literal", "by the default of a parameter"],
)
def test_a_loop_counts_and_never_hides_the_sum(generator: Run, collection: Any, total: str) -> None:
    """cfn-lint cannot transform a loop over an empty list and runs no other rule then."""
    result = generator("check", write("loop.json", looped(collection)), *([] if not collection else QUOTA))
    assert f"E9801: The functions reserve {total} concurrent executions together" in result.stdout


@pytest.mark.slow
def test_a_rule_that_was_left_out_is_named_beside_what_is_good(generator: Run) -> None:
    result = generator("check", "dev", "--ignore", "drift", "--ignore", "W9805")
    assert result.stdout.startswith("dev: lint, size, drift and quota are good, without drift, W9805\n")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["nowhere", "project", "template", "function", "mandatory"])
def test_a_rule_that_is_switched_off_stays_off_where_cfn_lint_breaks_off(generator: Run, where: str) -> None:
    content: dict[str, Any] = template(One=0) | {"Transform": "AWS::LanguageExtensions"}
    content["Resources"]["Fn::ForEach::Loop"] = ["Name", [], {"${Name}": {}}]
    ignoring = {"ignore_checks": ["W9804"]}
    if where in ("project", "mandatory"):
        write(".cfnlintrc", ignoring | ({"mandatory_checks": ["W98"]} if where == "mandatory" else {}))
    if where in ("template", "function"):
        owner = content if where == "template" else content["Resources"]["One"]
        owner["Metadata"] = {"cfn-lint": {"config": ignoring}}
    found = findings(generator("check", write("own.json", content), "--format", "json"))
    assert ("own.json", "E0001") in found
    assert (("own.json", "W9804") in found) == (where in ("nowhere", "mandatory"))


def test_the_quota_alone_leaves_out_rules(generator: Run) -> None:
    path = write("own.json", template(One=0))
    assert "W9804" in generator("check", path, *QUOTA).stdout
    result = generator("check", path, *QUOTA, "--ignore", "W9804")
    assert (result.exit_code, "W9804" in result.stdout, "own.json: quota is good" in result.stdout) == (0, False, True)
    for rule in ("E9801", "E98", "", "quota"):
        assert generator("check", path, *QUOTA, "--ignore", rule).exit_code == 2
    result = generator("check", path, *QUOTA, "--ignore", "W3005", "--ignore", "not-proven")
    assert result.stderr == (
        "--ignore W3005: no rule has this id; --only quota checks the rules of the quota alone\n"
        "--ignore not-proven: a quota that is not proven cannot be good; use --allow-unproven\n"
    )


@pytest.mark.slow
def test_nothing_is_found_twice_where_a_single_rule_crashes(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(CloudFormationLintRule):  # type: ignore[misc]
        id = "E9999"

        def match(self, _template: Any) -> Any:
            raise RuntimeError("crashed")

    monkeypatch.setitem(lint_once._start_once().rules.data, "E9999", Crash())
    monkeypatch.setattr(lint_once, "_results", {})
    found = findings(generator("check", str(TEMPLATES / "zero.sam.yaml"), "--format", "json"))
    assert sorted(found) == [("zero.sam.yaml", "E0002"), ("zero.sam.yaml", "W9804")]
