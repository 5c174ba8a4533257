"""The page has everything that a reviewer must judge, is well formed, and is the same every time."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from typing import Any

import pytest

from generator import plans
from generator.capacity import quota
from generator.capacity.quota import Plan
from generator.capacity.sizing import SETTINGS, size
from generator.config import files
from generator.plans import JudgedPlan
from generator.report.capacity_section import one_less
from generator.report.permissions_section import condition
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT
from tests.report.conftest import judged
from tests.report.documents import page
from tests.stack.model import TEMPLATES, of_type

EVERY = pytest.mark.parametrize("name", ENVIRONMENTS)
PAGES = {name: page(TEMPLATES[name], judged(name)) for name in ENVIRONMENTS}


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@EVERY
def test_the_sections_are_there_and_in_order(name: str) -> None:
    titles = re.findall(r"^#+ (.*)$", PAGES[name], re.MULTILINE)
    assert titles == [
        *(name, "Sizing", "Quota", "Monthly cost", "Permissions", "Alarms", "Retention", "Architecture", "Deploy")
    ]
    assert PAGES[name].endswith("\n")
    assert not re.search(r"[ \t]\n|\n\n\n", PAGES[name])


@EVERY
def test_tables_are_well_formed(name: str) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", PAGES[name], re.MULTILINE)
    assert len(blocks) > 12
    for block in blocks:
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        assert len({len(row) for row in rows}) == 1, block
        assert all(cell.strip(" -:") == "" for cell in rows[1]), block
        assert len(rows) > 2, block


def test_each_source_is_on_the_page_with_its_rate_its_secret_and_its_addresses() -> None:
    source = '{name="tv", scheme="token", rate_per_s=5, allowed_addresses=["52.89.214.238"]}'
    with_source = judged("prod", f"sources=[{source}]")
    text = page(json.loads(plans.render(with_source.plan)), with_source)
    assert "API Gateway admits 185 webhooks/s" in section(text, "Sizing")
    assert "Sources may send as well: tv 5/s, each in bursts of 20." in section(text, "Sizing")
    assert "| read the secret | `SigningSecret`, `TvSourceSecret` |" in section(text, "Permissions")
    assert (
        "- **everyone**: **not** send requests, on `execute-api:/*/*/webhooks/tv`, `execute-api:/*/*/webhooks/tv/*`, "
        "only if `aws:SourceIp` is not in `52.89.214.238` (`execute-api:Invoke`)"
    ) in section(text, "Permissions")


@EVERY
def test_every_function_alarm_and_retained_resource_is_on_the_page(name: str) -> None:
    template, text = TEMPLATES[name], PAGES[name]
    for function, body in of_type(template, "AWS::Lambda::Function").items():
        assert f"**{function}** as `{body['Properties']['Role']['Fn::GetAtt'][0]}`" in section(text, "Permissions")
        assert re.search(rf"^\| {function} .* {body['Properties']['ReservedConcurrentExecutions']} \|$", text, re.M)
    for alarm, body in of_type(template, "AWS::CloudWatch::Alarm").items():
        (row,) = re.findall(rf"^\| {alarm} .*$", section(text, "Alarms"), re.MULTILINE)
        queries = [one["MetricStat"]["Metric"] for one in body["Properties"].get("Metrics", []) if "MetricStat" in one]
        assert all(f"`{metric['MetricName']}`" in row for metric in queries or [body["Properties"]])
        comparison = "below" if body["Properties"]["ComparisonOperator"] == "LessThanThreshold" else "above"
        assert f" {comparison} {body['Properties']['Threshold']:,g}" in row
        assert len(row.partition("<br>Why: ")[2].split()) > 5
    retained = {n for n, body in template["Resources"].items() if body.get("DeletionPolicy", "").startswith("Retain")}
    assert retained == set(re.findall(r"^\| (\w+) \| kept", section(text, "Retention"), re.MULTILINE))


@EVERY
def test_every_statement_is_listed_with_its_actions_and_resources(name: str) -> None:
    """Each statement has one line with every action and the name of every resource."""
    resources = TEMPLATES[name]["Resources"]
    permissions = section(PAGES[name], "Permissions")
    lines = [line for line in permissions.splitlines() if re.search(r"`\w+:\w+`", line) and not line.startswith("**")]
    statements = []
    for kind in ("AWS::IAM::Role", "AWS::KMS::Key", "AWS::SQS::QueuePolicy", "AWS::Lambda::Permission"):
        for resource, body in of_type(TEMPLATES[name], kind).items():
            if kind == "AWS::Lambda::Permission":
                statements.append(
                    {"Action": [body["Properties"]["Action"]], "Resource": body["Properties"]["FunctionName"]}
                )
                continue
            documents = [body["Properties"].get("KeyPolicy") or body["Properties"].get("PolicyDocument")]
            if kind == "AWS::IAM::Role":
                documents = [policy["PolicyDocument"] for policy in body["Properties"].get("Policies", [])]
            for statement in (one for document in documents for one in document["Statement"]):
                statements.append(
                    {**statement, "Resource": {"Ref": resource}} if kind == "AWS::KMS::Key" else statement
                )
    assert len(lines) == len(statements)
    for statement in statements:
        names = set(re.findall(r"\w+", json.dumps(statement.get("Resource", "")))) & resources.keys()
        wanted = [f"`{action}`" for action in statement["Action"]] + [f"`{one}`" for one in names]
        assert any(all(word in line for word in wanted) for line in lines), statement
    assert permissions.count("phone numbers only") == 1
    everywhere = [line for line in lines if "**everything**" in line]
    assert everywhere == [line for line in lines if "sms-voice" in line]
    assert all("only if `aws:CalledViaLast` is `sns.amazonaws.com`" in line for line in everywhere)


def test_a_wildcard_and_a_denial_stand_out() -> None:
    template = copy.deepcopy(TEMPLATES["prod"])
    document = template["Resources"]["CleanupHistoryRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    document["Statement"] += [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "Action": ["dynamodb:Scan"], "Resource": {"Fn::GetAtt": ["PriceHistoryTable", "Arn"]}},
    ]
    permissions = section(page(template, judged("prod")), "Permissions")
    assert "| get object | **everything** | `s3:GetObject` |" in permissions
    assert "| **not** scan | `PriceHistoryTable` | `dynamodb:Scan` |" in permissions


def test_the_figures_of_production() -> None:
    text = PAGES["prod"]
    assert "| ProcessWebhookFunction | 69.4/s | 7.3 | Erlang B | <= 0.01 % | 0.0052 % | 20 |" in text
    assert (
        "| ProcessWebhookFunction | **20** | 0.0052 % of webhooks are throttled | "
        "19: 0.014 % of webhooks are throttled, **above** the target of 0.01 % |"
    ) in text
    assert "adds up to 1 s to every alert" in text
    assert "[##======....................................................] 1,000 concurrent executions" in text
    assert "**fits**: 37 of 900 reservable executions are reserved, 863 are left in account `prod`, us-east-1" in text
    assert text.count("Reserved concurrency itself is free") == 1
    assert "| Lambda | reserved concurrency |  |  | no charge | 0.00 | 0.00 |" in text
    assert "the maximum over 1 min is above 16, in 3 of 5 periods" in text
    assert "above 300,000 ms (5 min)" in text
    assert "prices are kept 30 days, logs 30 days, and failed messages 14 days" in text
    assert "--template-file templates_out/prod.json --capabilities CAPABILITY_IAM" in text
    assert "**nobody is subscribed**" in text


@EVERY
def test_a_reviewer_sees_four_screens_before_opening_anything(name: str) -> None:
    """A screen has about 40 lines; the diagram, which GitHub draws, takes one of the four."""
    closed = re.sub(r"<details>\n<summary>.*?</summary>\n.*?</details>\n", "\n", PAGES[name], flags=re.DOTALL)
    closed = re.sub(r"```mermaid.*?```", "", closed, flags=re.DOTALL)
    assert "<details>" not in closed
    assert len([line for line in closed.splitlines() if line]) <= 60
    assert [
        row.split(" | ")[0] for row in re.findall(r"^\| ([A-Z].*)$", closed.partition("\n\n| Function")[0], re.M)
    ] == [
        *("To approve", "Rate", "Reservations", "Quota", "Monthly cost", "Permissions", "Alarms", "Data"),
        *("Parameters", "Resources"),
    ]


@EVERY
@pytest.mark.parametrize("function", ["ProcessWebhookFunction", "CheckAlertsFunction", "SendNotificationFunction"])
def test_the_effect_of_one_less_is_that_of_an_environment_with_that_reservation(name: str, function: str) -> None:
    one = judged(name)
    units = (one.plan.sizing[function].reserved_concurrency or 0) - 1
    less = one_less(one.environment, one.plan.sizing[function])
    if not units:
        assert less == "0: it would never run"
        return
    stated = judged(name, f"functions.{SETTINGS[function]}.reserved_concurrency={units}").plan.sizing[function]
    assert less.startswith(f"{units}: {stated.reason.partition('at the peak ')[2]}, ")
    assert ("**above**" in less) == ((stated.predicted or 0) > (stated.target or 1))
    assert "**above**" in less or "shard split" in less


@EVERY
def test_parameters_with_a_default_are_resolved(name: str) -> None:
    assert "${EnvironmentSuffix}" not in PAGES[name]
    assert f"`4XXError` of price-alerts-{name} v1" in PAGES[name]
    assert f"| Parameters | `EnvironmentSuffix` = `{name}` (Suffix of the name of the API) |" in PAGES[name]


def test_the_permissions_of_production_fit_on_one_line() -> None:
    assert (
        "| Permissions | 5 roles; beyond this stack's own resources they may **send tracing telemetry, send traces**; "
        "**publish** to phone numbers; **send text messages**, only if `aws:CalledViaLast` is `sns.amazonaws.com` |"
    ) in PAGES["prod"]


def test_the_line_of_permissions_names_access_to_other_resources() -> None:
    template = copy.deepcopy(TEMPLATES["prod"])
    role = template["Resources"]["CleanupHistoryRole"]["Properties"]
    role["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]
    role["Policies"][0]["PolicyDocument"]["Statement"] += [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"},
        {"Effect": "Deny", "Action": ["dynamodb:Scan"], "Resource": "*"},
    ]
    (line,) = re.findall(r"^\| Permissions \| (.*) \|$", page(template, judged("prod")), re.MULTILINE)
    assert line.endswith("; **get object**; do what `AmazonDynamoDBFullAccess` allows")


def test_a_missed_target_stands_in_the_table_to_approve() -> None:
    one = judged("prod", "account.concurrency_limit=125", "account.on_shortfall=fit")
    text = page(json.loads(plans.render(one.plan)), one)
    missed = "**the targets of ProcessWebhookFunction and SendNotificationFunction are missed**"
    assert f"| Reservations | **25 concurrent executions**; {missed} |" in text
    assert "| **12** | 3.4 % of webhooks are throttled, **above** the target of 0.01 % | 11: " in text
    assert "**37 were wanted** |" in text
    assert "| Reservations | **37 concurrent executions**; every target is met |" in PAGES["prod"]


def test_neighbours_in_the_account_share_the_bar() -> None:
    overrides = ["account.name=one", "account.reserved_elsewhere=400"]
    chosen = files.load_named(ENVIRONMENTS, overrides, FIXTURES / "environments")
    (verdict,) = quota.judge([Plan(environment, size(environment)) for environment in chosen])
    lines = section(page(TEMPLATES["dev"], JudgedPlan(verdict.plans[0], verdict)), "Quota").splitlines()
    assert lines[2] == "[#+++xxxxxxxxxxxxxxxxxxxxxxxx======..........................] 1,000 concurrent executions"
    assert lines[3:8] == [
        *(
            "  #   11  reserved by dev",
            "  +   54  reserved by prod, staging",
            "  x  400  reserved elsewhere in the account",
        ),
        *("  =  100  kept unreserved by AWS (the floor)", "  .  435  still reservable"),
    ]


@pytest.mark.parametrize("limit", [1, 10, 100, 137, 138, 100_000])
def test_an_account_of_any_size_is_drawn(limit: int) -> None:
    one = judged("prod", f"account.concurrency_limit={limit}", "account.on_shortfall=unreserved")
    template = json.loads(plans.render(one.plan))
    text = page(template, one)
    bar = re.search(r"\[([#+x=.]+)\]", text)[1]  # type: ignore[index]
    assert len(bar) == 60
    assert ("#" in bar) == (limit >= 137)
    assert ("20 reserved" in text) == (limit >= 137)


def test_the_page_shows_an_email_subscription_and_other_settings() -> None:
    one = judged("dev", "operations.email=ops@example.com", "stream.batching_window_s=5", "region=eu-central-1")
    text = page(json.loads(plans.render(one.plan)), one)
    assert "subscribed: `ops@example.com` |" in text
    assert "adds up to 5 s to every alert" in text
    assert "--region eu-central-1" in text
    assert section(text, "Retention").count("**no deletion protection**") == 2
    assert (
        "| Data | PriceHistoryTable, PriceAlertsTable and KmsKey outlive the stack; **no deletion protection** |"
        in text
    )


@pytest.mark.parametrize(
    ("name", "overrides", "busy"),
    [
        ("dev", (), None),
        ("staging", (), "69 % of the time; the target is 50 %."),
        ("staging", ("targets.stream_utilisation=0.7",), None),
        ("prod", (), "all the time; the target is 50 %."),
    ],
)
def test_the_batching_window_has_a_reason_only_if_it_is_needed(
    name: str, overrides: tuple[str, ...], busy: str | None
) -> None:
    one = judged(name, *overrides)
    (line,) = (line for line in page(TEMPLATES[name], one).splitlines() if line.startswith("The batching window"))
    reason = f" Without it, batches of one price would keep the busiest lanes busy {busy}" if busy else ""
    assert line == f"The batching window of `CheckAlertsEventSourceMapping` adds up to 1 s to every alert.{reason}"


@pytest.mark.slow
@EVERY
def test_the_page_is_the_same_in_every_process_and_needs_no_heavy_package(name: str) -> None:
    script = (
        "import json, sys; from generator import plans; from generator.report.page import page\n"
        "from generator.template.reading import parse\n"
        f"template, (judged,) = parse(json.load(open('templates_out/{name}.json'))), plans.prepare(['{name}'])\n"
        "sys.stdout.write(page(template, judged, {}))\n"
        "heavy = {'boto3', 'cfnlint', 'matplotlib', 'troposphere', 'ministack'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    run = [sys.executable, "-X", "utf8", "-c", script]
    out = subprocess.run(run, cwd=FIXTURES, env=environment, capture_output=True, text=True, check=True)
    assert out.stdout == page(copy.deepcopy(TEMPLATES[name]), judged(name), {})
    assert PAGES[name] == page(copy.deepcopy(TEMPLATES[name]), judged(name))


def test_the_page_follows_template_and_environment() -> None:
    template = copy.deepcopy(TEMPLATES["prod"])
    template["Resources"]["SmsSpendAlarm"]["Properties"]["Threshold"] = 41
    assert page(template, judged("prod")) != PAGES["prod"]
    assert page(TEMPLATES["prod"], judged("prod", "traffic.alerts_per_webhook=0.06")) != PAGES["prod"]


@pytest.mark.parametrize(
    ("operator", "value", "words"),
    [
        ("StringEquals", ["a", "b"], "is `a, b`"),
        ("ArnLike", {"Ref": "Topic"}, "matches `Topic`"),
        ("StringNotEquals", "a", "is not `a`"),
        ("ForAnyValue:StringNotLike", "a*", "does not match `a*`"),
        ("BoolIfExists", "true", "is `true` or is absent"),
        ("Null", "true", "is absent"),
        ("Null", False, "is present"),
        ("NotIpAddress", "10.0.0.0/8", "is not in `10.0.0.0/8`"),
        ("NumericLessThanEquals", 3, "is at most `3`"),
        ("Odd", "a", "Odd `a`"),
    ],
)
def test_a_condition_reads_as_a_sentence(operator: str, value: Any, words: str) -> None:
    assert condition({"Condition": {operator: {"aws:x": value}}}) == f", only if `aws:x` {words}"
