"""`generator diff` as a user meets it: sides, formats, exit codes, and the page of one realistic change."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cfn_flip import to_yaml
from click.testing import Result

from generator.diff.markdown import as_markdown
from generator.diff.model import Cost
from generator.diff.summary import KINDS, as_dict
from tests.conftest import git
from tests.diff.comparing import difference
from tests.report.edits import DEPLOYMENT, PRICES, put
from tests.stack.model import TEMPLATES

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
PROD = Path("templates_out/prod.json")
HEADLINES = ["Rate", "Reservations", "Cost", "IAM", "Replacements", "Verdict"]
DENIED = {"Action": "a:b", "Resource": "c"}


def change(*applied: Callable[[dict], None], path: Path = PROD, base: Path = PROD) -> None:
    template = json.loads(base.read_text())
    for apply in applied:
        apply(template)
    path.write_text(json.dumps(template, indent=2))


@pytest.fixture
def repository(project: Path) -> Path:
    """The project as a git repository with one commit on main."""
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "first")
    return project


def test_equal_sides_are_good(generator: Run) -> None:
    change(path=Path("copy.json"))
    for sides in (("prod", "prod"), ("prod", "copy.json"), ("copy.json", "templates_out/prod.json")):
        result = generator("diff", *sides)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.endswith("\n- **Verdict:** no semantic difference\n")


def test_yaml_is_read(generator: Run) -> None:
    Path("prod.yaml").write_text(to_yaml(PROD.read_text(), clean_up=True))
    assert generator("diff", "prod.yaml", "prod").exit_code == 0


def test_a_git_revision_is_the_file_as_it_was(generator: Run, repository: Path) -> None:
    change(put(f"{PRICES}/Properties/KeySchema/1", None))
    assert generator("diff", "main:dev", "dev").exit_code == 0
    result = generator("diff", "main:prod", "prod")
    assert result.exit_code == 1
    assert result.stdout.startswith("## `main:prod` → `prod`\n\n- **Rate:** 50,000 webhooks/h, 69.4/s at the peak\n")
    assert f"\n- **Replacement:** {PRICES} would be recreated: the new one starts empty; " in result.stdout
    git("commit", "-am", "second")
    assert generator("diff", "HEAD:prod", "prod").exit_code == 0
    for old in ("HEAD~1:prod", "HEAD~1:templates_out/prod.json"):
        assert generator("diff", old, "HEAD:prod").exit_code == 1


def test_a_revision_is_read_from_the_current_folder(
    generator: Run, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "nested/templates_out").mkdir(parents=True)
    change(path=repository / "nested/templates_out/other.json")
    git("add", ".")
    git("commit", "-m", "nested")
    monkeypatch.chdir(repository / "nested")
    assert generator("diff", "main:other", "other").exit_code == 0


NO_TEMPLATE = "not a template: it has no Resources, each with a Type; name a CloudFormation template"
MALFORMED = "needs a Type, and its Properties must be a mapping; correct the resource"
HALF, INFINITE = "not text: half of a surrogate pair", "a number that is infinite or not a number; correct the number"
LONG = "a" * 300
NO_REVISION = "is not a revision of a git repository here; name a branch, tag or commit"


@pytest.mark.parametrize(
    ("sides", "lines"),
    [
        (
            ("prd", "prod"),
            [
                "prd: neither a file nor an environment: templates_out/prd.json is not there; name a file, "
                "REVISION:ENV, or one of the environments dev, prod, staging"
            ],
        ),
        (("a.json", "b.yaml"), ["a.json: no such file; correct the path", "b.yaml: no such file; correct the path"]),
        (("environments/", "prod"), ["environments/: a folder; name a file"]),
        (
            ("comma.json", "flow.yaml"),
            [
                "comma.json: neither JSON nor YAML (Expecting ',' delimiter: line 3 column 2 (char 13)); "
                "correct the file",
                "flow.yaml: neither JSON nor YAML (did not find expected ',' or ']': line 2 column 2); "
                "correct the file",
            ],
        ),
        (("nowhere:prod", "prod"), [f'nowhere:prod: "nowhere" {NO_REVISION}']),
        ((":prod", "--help:prod"), [f':prod: "" {NO_REVISION}', f'--help:prod: "--help" {NO_REVISION}']),
        (
            ("main:prd", "prod"),
            ["main:prd: templates_out/prd.json is not there at main; see: git ls-tree main templates_out/"],
        ),
        (
            ("half.json", "infinite.json"),
            [f"half.json: {HALF}; correct the escapes that begin with \\uD", f"infinite.json: {INFINITE}"],
        ),
        (
            ("infinite.yaml", f"{LONG}.json"),
            [f"infinite.yaml: {INFINITE}", f"{LONG}.json: no such file; correct the path"],
        ),
        (("list.json", "untyped.json"), [f"list.json: {NO_TEMPLATE}", f"untyped.json: {NO_TEMPLATE}"]),
        (("zero.yaml", "prod"), [f"zero.yaml: Resources.{name}: {MALFORMED}" for name in ("B", "C")]),
    ],
)
def test_wrong_sides_are_one_line_each(
    generator: Run, repository: Path, sides: tuple[str, str], lines: list[str]
) -> None:
    Path("list.json").write_text("[]")
    Path("comma.json").write_text('{\n "A": "B"\n "C": 1}')
    Path("flow.yaml").write_text("A: [a, b\nB: x\n")
    Path("half.json").write_text('{"Description": "\\ud800", "Resources": {}}')
    Path("infinite.json").write_text('{"Resources": {"A": {"Type": "B", "Properties": {"C": 1e400}}}}')
    Path("infinite.yaml").write_text("Resources: {A: {Type: B, Properties: {C: .inf}}}")
    Path("untyped.json").write_text('{"Resources": {"A": {}}}')
    Path("zero.yaml").write_text("Resources: {A: {Type: T}, B: 3, C: {Type: T, Properties: 0}}")
    result = generator("diff", "--", *sides)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == lines


def test_a_file_that_is_not_text_or_not_yaml_is_one_line(generator: Run) -> None:
    Path("binary.json").write_bytes(b"\xff\xfe\x00")
    Path("broken.yaml").write_text("a: [")
    result = generator("diff", "binary.json", "broken.yaml")
    assert result.exit_code == 2
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["binary.json", "broken.yaml"]


def test_without_a_repository_a_revision_is_wrong(generator: Run) -> None:
    result = generator("diff", "main:prod", "prod")
    assert result.exit_code == 2
    assert result.stderr.startswith("main:prod: git says: not a git repository")


def test_the_reason_of_git_is_printed(generator: Run, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    result = generator("diff", "main:prod", "prod")
    assert result.exit_code == 2
    assert result.stderr.startswith("main:prod: git says: detected dubious ownership in repository at ")


def test_a_pipe_is_read(generator: Run, project: Path) -> None:
    os.mkfifo("pipe.json")
    writer = threading.Thread(target=lambda: Path("pipe.json").write_text(PROD.read_text()))
    writer.start()
    assert generator("diff", "prod", "pipe.json").exit_code == 0
    writer.join()


def test_one_side_is_compared_with_the_merge_base_of_the_default_branch(generator: Run, repository: Path) -> None:
    git("checkout", "-b", "work")
    change(put("ProcessWebhookFunction/Properties/Timeout", 29))
    git("commit", "-am", "ours")
    git("checkout", "main")
    change(put("CheckAlertsFunction/Properties/Timeout", 59))
    git("commit", "-am", "theirs, later")
    git("checkout", "work")
    commit = git("rev-parse", "main~1")[:9]
    for side in ("prod", "templates_out/prod.json", "HEAD:prod"):
        result = generator("diff", side)
        assert result.exit_code == 1
        assert result.stdout.startswith(f"## `main ({commit})` → `{side}`\n\n- **Rate:** ")
        assert "ProcessWebhookFunction" in result.stdout
        assert "CheckAlertsFunction" not in result.stdout
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert generator("diff", "prod").exit_code == 0
    assert generator("diff", "prod", "--base", "main").exit_code == 1
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git("update-ref", "refs/remotes/origin/main", "main")
    assert generator("diff", "prod").stdout.startswith(f"## `origin/main ({commit})` → `prod`")
    assert generator("diff", "dev").exit_code == 0


def test_every_environment_that_changed_is_reported_new_and_removed_ones_too(generator: Run, repository: Path) -> None:
    assert generator("diff").stdout == "No environment has changed.\n"
    dev = Path("environments/dev.toml")
    Path("environments/qa.toml").write_text(dev.read_text().replace('name = "dev"', 'name = "qa"'))
    dev.unlink()
    Path("templates_out/dev.json").unlink()
    missing = generator("diff")
    assert (missing.exit_code, missing.stdout.count("\n## "), missing.stdout.startswith("## ")) == (2, 0, True)
    assert "all 63 resources removed" in missing.stdout
    assert missing.stderr == "qa: has no template: templates_out/qa.json is not there; run: generator template qa\n"
    assert generator("template", "qa").exit_code == 0
    result = generator("diff")
    assert (result.exit_code, result.stderr) == (1, "")
    headings = [line.split(" → ")[1] for line in result.stdout.splitlines() if line.startswith("## ")]
    assert headings == ["`dev`", "`qa`"]
    assert "- **Replacements:** none; all 63 resources removed" in result.stdout
    assert "The review page `templates_out/qa.md` explains every figure." in result.stdout
    environments = json.loads(generator("diff", "--format", "json").stdout)["environments"]
    assert [(one["environment"], one["summary"]["change"]) for one in environments] == [
        ("dev", "removed"),
        ("qa", "added"),
    ]
    assert [one["cost"][side] for one, side in zip(environments, ("new", "old"), strict=True)] == ["0", "0"]


def test_a_new_environment_is_no_widening_and_no_error(generator: Run, repository: Path) -> None:
    text = Path("environments/dev.toml").read_text()
    Path("environments/qa.toml").write_text(text.replace('name = "dev"', 'name = "qa"'))
    assert generator("template", "qa").exit_code == 0
    for sides in (["qa"], ["main:qa", "qa"]):
        assert generator("diff", *sides, "--fail-on", "replacement,iam-widening").exit_code == 0
        assert "- **Verdict:** a new environment" in generator("diff", *sides).stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prd"], "prd: neither a file nor an environment"),
        (["a.json"], "a.json: no such file; correct the path"),
        (["prod", "--base", "nowhere"], f'nowhere: "nowhere" {NO_REVISION}'),
        (["a", "b", "c"], "Name an OLD and a NEW side, or at most one side with --base."),
        (["prod", "dev", "--base", "main"], "Name an OLD and a NEW side, or at most one side with --base."),
    ],
)
def test_a_wrong_side_is_an_error_with_a_base_too(
    generator: Run, repository: Path, arguments: list[str], message: str
) -> None:
    result = generator("diff", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "is not there at" not in result.stderr


def test_a_base_needs_a_repository_with_a_default_branch_and_its_history(generator: Run, project: Path) -> None:
    remedy = "name both sides, such as main:prod prod, or a branch with --base"
    result = generator("diff", "prod")
    assert result.exit_code == 2
    assert result.stderr.startswith("base: git says: not a git repository")
    assert result.stderr.endswith(f"; {remedy}\n")
    git("init", "-b", "other")
    git("add", ".")
    git("commit", "-m", "first")
    assert generator("diff", "prod").stderr == f"base: no default branch to compare with; {remedy}\n"
    git("checkout", "--orphan", "main")
    git("commit", "-m", "unrelated")
    git("checkout", "other")
    remedy = "fetch the history: git fetch --unshallow"
    assert generator("diff", "prod").stderr == f"base: no common commit with main in this clone; {remedy}\n"


def test_a_fault_in_an_environment_file_leaves_out_only_rate_and_cost(generator: Run, repository: Path) -> None:
    change(put("ProcessWebhookFunction/Properties/ReservedConcurrentExecutions", 30))
    path = Path("environments/dev.toml")
    path.write_text(path.read_text().replace('name = "dev"', 'name = "dev"\nnonsense = 1'))
    result = generator("diff", "main:prod", "prod", "--format", "json")
    assert result.exit_code == 1
    assert result.stderr.startswith("note: no headroom: environments/dev.toml: nonsense: unknown key")
    report = json.loads(result.stdout)
    assert report["summary"]["reserved"] == {"old": 37, "new": 47, "headroom": None}
    assert report["cost"] is not None


LOOP = ["Name", {"Ref": "Names"}, {"Topic${Name}": {"Type": "AWS::SNS::Topic"}}]


@pytest.mark.parametrize("function", ["Fn::ForEach::Topics", "Fn::Transform"])
def test_an_entry_that_creates_resources_may_have_any_effect(generator: Run, function: str) -> None:
    for name, loop in (("old.json", LOOP), ("new.json", [*LOOP[:1], {"Ref": "Others"}, *LOOP[2:]])):
        Path(name).write_text(json.dumps({"Resources": {function: loop, "Own": {"Type": "AWS::SNS::Topic"}}}))
    assert generator("diff", "old.json", "old.json").exit_code == 0
    result = generator("diff", "old.json", "new.json", "--format", "json")
    report = json.loads(result.stdout)
    assert [(one["id"], one["replacement"], one["removal"]) for one in report["resources"]] == [
        (function, "possible", "possible")
    ]
    assert report["summary"]["kinds"] == ["replacement", "removal", "iam-widening", "iam-narrowing"]


def test_a_loop_over_a_literal_list_is_compared_resource_by_resource(generator: Run) -> None:
    for name, items in (("old.json", ["A", "B"]), ("new.json", ["A"])):
        loop = {"Fn::ForEach::Topics": ["Name", items, {"Topic${Name}": {"Type": "AWS::SNS::Topic"}}]}
        Path(name).write_text(json.dumps({"Resources": loop}))
    report = json.loads(generator("diff", "old.json", "new.json", "--format", "json").stdout)
    assert [(one["id"], one["change"], one["removal"]) for one in report["resources"]] == [
        ("TopicB", "removed", "certain")
    ]
    assert report["summary"]["kinds"] == ["removal"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_possible_removal_by_a_condition_fails_as_a_removal(generator: Run, kind: str) -> None:
    here = {"Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}}
    change(put(f"{PRICES}/Condition", "Here"), lambda t: t.update(Conditions=here), path=Path("new.json"))
    result = generator("diff", "prod", "new.json", "--fail-on", kind)
    assert result.exit_code == (1 if kind == "removal" else 0)
    assert (
        f"- **Possible removal:** {PRICES}: exists only if Here holds, and is removed otherwise; "
        "DeletionPolicy Retain keeps it in the account, outside the stack."
    ) in result.stdout.splitlines()


def test_a_terminal_without_arrows_takes_the_report(project: Path) -> None:
    change(put("ProcessWebhookFunction/Properties/Description", "→"), path=Path("new.json"))
    for format_, shown in (("markdown", r"## `prod` \u2192 `new.json`"), ("json", r'"\u2192"')):
        command = [sys.executable, "-m", "generator", "diff", "prod", "new.json", "--format", format_]
        environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (1, b"")
        assert shown in done.stdout.decode("latin-1")


def test_a_report_is_no_longer_than_a_comment_may_be(generator: Run) -> None:
    functions = {
        f"Function{number}": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": "x = 1\n" * 400}}}
        for number in range(60)
    }
    Path("old.json").write_text('{"Resources": {}}')
    Path("new.json").write_text(json.dumps({"Resources": functions}))
    report = generator("diff", "old.json", "new.json").stdout
    assert len(report) < 65_536
    assert report.endswith("\n\nLeft out to fit into a comment: Code. The JSON format has everything.\n")
    assert "### Resources" in report


def test_fail_on_decides_the_exit_code(generator: Run) -> None:
    change(put("ProcessWebhookFunction/Properties/Timeout", 29), path=Path("new.json"))
    assert generator("diff", "prod", "new.json").exit_code == 1
    assert generator("diff", "prod", "new.json", "--fail-on", "replacement,iam-widening").exit_code == 0
    change(put("ProcessWebhookRole/Properties/ManagedPolicyArns", ["arn:x"]), path=Path("new.json"))
    assert generator("diff", "prod", "new.json", "--fail-on", "replacement, iam-widening").exit_code == 1
    assert generator("diff", "prod", "new.json", "--fail-on", "iam-narrowing").exit_code == 0


MAPPING = "CheckAlertsEventSourceMapping"
SHAPES = {
    "a mapping less": lambda t: t["Resources"].pop(MAPPING),
    "a mapping more": lambda t: t["Resources"].update(Second=t["Resources"][MAPPING]),
    "memory of a parameter": put("ProcessWebhookFunction/Properties/MemorySize", {"Ref": "EnvironmentSuffix"}),
    "an architecture of a parameter": put("ProcessWebhookFunction/Properties/Architectures", {"Ref": "P"}),
    "a reservation of a parameter": put(
        "ProcessWebhookFunction/Properties/ReservedConcurrentExecutions", {"Ref": "EnvironmentSuffix"}
    ),
    "a function without properties": put("CleanupHistoryFunction", {"Type": "AWS::Lambda::Function"}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_template_of_another_shape_has_no_bill_and_still_a_difference(generator: Run, shape: str) -> None:
    change(SHAPES[shape], path=Path("new.json"))
    result = generator("diff", "prod", "new.json", "--format", "json")
    assert (result.exit_code, result.stderr) == (1, "")
    report = json.loads(result.stdout)
    assert (report["cost"] is None) == (shape != "a function without properties")
    assert report["summary"]["reserved_at_least"] == {"old": False, "new": shape == "a reservation of a parameter"}


@pytest.mark.parametrize(
    ("key", "value", "same_as"),
    [("BatchSize", None, 100), ("BatchSize", "20", 20), ("BatchSize", 0, 1), ("ParallelizationFactor", "3", 3)],
)
def test_a_figure_by_default_or_as_text_is_priced(generator: Run, key: str, value: object, same_as: int) -> None:
    costs = []
    for stated in (value, same_as):
        change(put(f"{MAPPING}/Properties/{key}", stated), path=Path("new.json"))
        costs.append(json.loads(generator("diff", "prod", "new.json", "--format", "json").stdout)["cost"])
    assert costs[0] == costs[1] is not None


def test_a_sum_with_an_unknown_reservation_is_a_minimum(generator: Run) -> None:
    change(SHAPES["a reservation of a parameter"], path=Path("new.json"))
    lines = generator("diff", "prod", "new.json").stdout.splitlines()
    assert "- **Reservations:** 37 → at least 17, headroom at most 883 of 900 reservable" in lines


@pytest.mark.parametrize("kinds", ["everything", "", "replacement,"])
def test_fail_on_takes_known_kinds(generator: Run, kinds: str) -> None:
    result = generator("diff", "prod", "prod", "--fail-on", kinds)
    assert result.exit_code == 2
    assert "is not one of replacement, removal, iam-widening" in " ".join(result.stderr.split())


def test_json_has_the_keys_that_tools_read(generator: Run) -> None:
    change(
        put("ProcessWebhookFunction/Properties/ReservedConcurrentExecutions", 30),
        put("ProcessWebhookRole/Properties/Policies/0/PolicyDocument/Statement/3/Action", "dynamodb:*"),
        path=Path("new.json"),
    )
    result = generator("diff", "prod", "new.json", "--format", "json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert list(report) == [
        *("environment", "resources", "template", "iam", "iam_not_compared", "reservations", "handlers", "alarms"),
        *("cost", "rate", "summary"),
    ]
    assert report["environment"] == "prod"
    assert report["resources"][0] == {
        "id": "ProcessWebhookFunction",
        "type": "AWS::Lambda::Function",
        "change": "changed",
        "replacement": "none",
        "properties": [{"path": "Properties.ReservedConcurrentExecutions", "old": 20, "new": 30}],
        "notes": [],
        "removal": "none",
        "rejected": "none",
        "rejection": "",
    }
    statement = {"Effect": "Allow", "Action": ["dynamodb:*"], "Resource": ["${PriceHistoryTable.Arn}"]}
    widened = {"resource": "ProcessWebhookRole", "change": "widened", "statement": statement}
    assert report["iam"] == [{**widened, "certainty": "certain"}]
    assert report["reservations"] == [{"id": "ProcessWebhookFunction", "old": 20, "new": 30}]
    assert report["handlers"] == []
    assert report["cost"] == {"old": "358.44", "new": "359.85"}
    assert report["rate"] == {"old": 50_000, "new": None}
    summary = report["summary"]
    assert summary["reserved"] == {"old": 37, "new": 47, "headroom": 853}
    assert (summary["change"], summary["rating"]) == ("changed", "review")
    assert [line.partition(":")[0] for line in summary["verdict"]] == HEADLINES


def test_a_price_makes_a_cost() -> None:
    found = difference(TEMPLATES["dev"], TEMPLATES["prod"], cost=Cost(Decimal("1.50"), Decimal(20)))
    assert as_dict(found, None)["cost"] == {"old": "1.50", "new": "20"}
    assert "- **Cost:** 1.50 → 20.00 USD a month (+18.50)" in as_markdown(found, "dev", "prod").splitlines()


def test_the_cost_names_the_services_that_change_most(generator: Run) -> None:
    (cost,) = [line for line in generator("diff", "dev", "prod").stdout.splitlines() if line.startswith("- **Cost:**")]
    changes = re.findall(r"([A-Z][\w -]*) \+([\d.]+)", cost.partition(": ")[2])
    assert [name for name, _ in changes] == ["API Gateway", "Lambda", "X-Ray"]
    assert cost.endswith(", and 5 more), without SMS")


def test_a_limit_that_a_stage_repeats_from_its_usage_plan_is_shown_once() -> None:
    """A stage's own limit has a row of its own."""
    new = copy.deepcopy(TEMPLATES["prod"])
    put("WebhookUsagePlan/Properties/Throttle", {"BurstLimit": 30, "RateLimit": 200})(new)
    stage = new["Resources"]["WebhookStage"]["Properties"]["MethodSettings"][0]
    stage |= {"ThrottlingRateLimit": 200, "ThrottlingBurstLimit": 31}
    assert as_markdown(difference(TEMPLATES["prod"], new), "old", "new").splitlines()[-5:] == [
        "| `WebhookStage` | changed | `MethodSettings[0].ThrottlingBurstLimit` | `20` | `31` |",
        "| `WebhookUsagePlan` | changed | `Throttle.BurstLimit` | `20` | `30` |",
        "|  |  | `Throttle.RateLimit` | `190` | `200` |",
        "",
        "The throttling of `WebhookStage` changes to the same limits.",
    ]


def page_total(environment: str) -> str:
    """The monthly cost on the committed page of an environment."""
    page = Path(f"templates_out/{environment}.md").read_text()
    (total,) = re.findall(r"\*\*Total\*\*[ |]*\*\*([\d,]+\.\d\d)\*\*", page)
    return total.replace(",", "")


def costs(generator: Run, *sides: str) -> dict[str, str]:
    return json.loads(generator("diff", *sides, "--format", "json").stdout)["cost"]


def test_each_side_is_priced_at_the_rate_of_its_own_environment(generator: Run) -> None:
    assert costs(generator, "dev", "prod") == {"old": page_total("dev"), "new": page_total("prod")}
    Path("copy.json").write_text(PROD.read_text())
    assert costs(generator, "copy.json", "prod") == {"old": page_total("prod"), "new": page_total("prod")}


def test_a_revision_is_priced_at_the_rate_that_it_had(generator: Run, repository: Path) -> None:
    before = page_total("staging")
    path = Path("environments/staging.toml")
    path.write_text(re.sub(r"webhooks_per_hour = [\d_]+", "webhooks_per_hour = 25_000", path.read_text()))
    assert generator("template", "staging").exit_code == 0
    found = costs(generator, "main:staging", "staging")
    assert found == {"old": before, "new": page_total("staging")}
    assert Decimal(found["new"]) > Decimal(found["old"]) * 2
    git("commit", "-am", "second")
    assert costs(generator, "HEAD~1:staging", "HEAD:staging") == found


def test_a_revision_without_the_environments_file_has_no_cost(generator: Run, repository: Path) -> None:
    git("rm", "-q", "--cached", "environments/prod.toml")
    git("commit", "-m", "without")
    change(put(f"{PRICES}/Properties/KeySchema/1", None))
    result = generator("diff", "HEAD:prod", "prod")
    assert result.stderr.startswith("note: no rate or cost: HEAD:prod: environments/prod.toml is not there at HEAD")
    assert "Possible replacement" in result.stdout


def test_markdown_survives_what_values_contain(generator: Run) -> None:
    change(
        put("ProcessWebhookApiX", {"Type": "Custom::A|B<b>\n\n## C", "Properties": {}}),
        put("ProcessWebhookFunction/Properties/Environment/Variables/RETENTION_S", "a|b`c\nd\re\r\nf\u2028g"),
        put("CleanupHistoryFunction/Properties/Code/ZipFile/Fn::Join/1/0", "```"),
        path=Path("new.json"),
    )
    lines = generator("diff", "prod", "new.json").stdout.splitlines()
    (row,) = (line for line in lines if "RETENTION_S" in line)
    assert row.endswith(r"| `2592000` | `` a\|b`c⏎d⏎e⏎f⏎g `` |")
    assert r"| `ProcessWebhookApiX` | added | Custom::A\|B\<b\>  ## C |  |  |" in lines
    assert "````diff" in lines


@pytest.mark.parametrize(
    ("applied", "line"),
    [
        pytest.param(
            put("CheckAlertsRole/Properties/PermissionsBoundary", "arn:b"),
            "| `CheckAlertsRole` | **widened** | no longer: Deny `everything outside the boundary arn:b` on `*` |",
            id="a boundary",
        ),
        pytest.param(
            put("CheckAlertsRole/Properties/Policies/0/PolicyDocument/Statement/+", {**DENIED, "Effect": "Deny"}),
            "| `CheckAlertsRole` | **widened** | no longer: Deny `a:b` on `c` |",
            id="a denial",
        ),
        pytest.param(
            put("CheckAlertsRole/Properties/Policies/0/PolicyDocument/Statement/+", {**DENIED, "Effect": "Allow"}),
            "| `CheckAlertsRole` | **narrowed** | no longer: Allow `a:b` on `c` |",
            id="a grant",
        ),
        pytest.param(
            put("CheckAlertsFunction/Properties/Role", "arn:r"),
            "| `CheckAlertsFunction` | **possibly narrowed** | no longer: runs as `arn:r` |",
            id="a role",
        ),
    ],
)
def test_removed_statements_are_marked_as_removed(applied: Callable[[dict], None], line: str) -> None:
    old = json.loads(json.dumps(TEMPLATES["prod"]))
    applied(old)
    assert line in as_markdown(difference(old, TEMPLATES["prod"]), "old", "new").splitlines()


@pytest.mark.parametrize(
    ("value", "shown"), [("", "(empty)"), ("a``b", "``` a``b ```"), ("`", "`` ` ``"), ("plain", "`plain`")]
)
def test_code_is_fenced_by_more_backticks_than_it_has(value: str, shown: str) -> None:
    new = json.loads(json.dumps(TEMPLATES["prod"]))
    put("ProcessWebhookFunction/Properties/Environment/Variables/RETENTION_S", value)(new)
    assert f"| `2592000` | {shown} |" in as_markdown(difference(TEMPLATES["prod"], new), "old", "new")


REALISTIC = (
    put(f"{PRICES}/Properties/KeySchema/0/AttributeName", "pair"),
    put("CheckAlertsRole/Properties/Policies/0/PolicyDocument/Statement/3/Action", "dynamodb:*"),
    put("ProcessWebhookFunction/Properties/ReservedConcurrentExecutions", 100),
    put("SmsSpendAlarm/Properties/Threshold", 16_000),
    put("CleanupHistoryFunction/Properties/Code/ZipFile/Fn::Join/1/0", "import json  # changed"),
    put("WebhookUsagePlan/Properties/Quota/Limit", 12000000),
    put("KmsKey/Properties/KeyPolicy/Statement/2/Condition", None),
)


def test_the_page_of_a_realistic_change(generator: Run) -> None:
    change(*REALISTIC, path=Path("new.json"))
    result = generator("diff", "prod", "new.json")
    expected = (Path(__file__).parent / "realistic.md").read_text()
    assert result.stdout == expected
    assert DEPLOYMENT not in result.stdout
