"""The committed templates: complete, up to date, and accepted by cfn-lint and moto."""

from __future__ import annotations

import ast
import json
import sys
import warnings
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from generator import aws, plans
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.checks import linting
from generator.checks.request import LintJob
from generator.config import validation
from generator.stack import names
from generator.stack.compose import compose
from generator.stack.functions import shipped_lines
from tests import lint_once
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT, environment_of
from tests.stack.model import TEMPLATES, TEXTS, generated, of_type

EVERY = pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)

FIGURES = {"dev": [3, 5, 1, 2], "staging": [7, 5, 3, 2], "prod": [20, 10, 5, 2]}

UNKNOWN_TO_MOTO = {
    *(f"AWS::ApiGateway::{t}" for t in ("ApiKey", "GatewayResponse", "Model", "RequestValidator", "Stage")),
    *("AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey", "AWS::CloudWatch::Alarm"),
    *("AWS::Lambda::EventInvokeConfig", "AWS::SNS::Subscription", "AWS::SQS::QueuePolicy"),
    *("AWS::Scheduler::Schedule", "AWS::SecretsManager::Secret"),
}


CHANGES = (
    "traffic.webhooks_per_hour=31000",
    "traffic.busiest_shard_share=0.9",
    "stream.shards=7",
    "stream.batch_size=50",
    "stream.batching_window_s=3",
    "functions.process_webhook.memory_mb=2048",
    "functions.check_alerts.timeout_s=90",
    "functions.send_notification.mean_duration_ms=500",
    "functions.cleanup_history.timeout_s=200",
    "retention.price_history_days=7",
    "retention.log_days=90",
    'operations.email="ops@example.com"',
    "operations.deletion_protection=false",
    'operations.api_logging_role="create"',
    "sms.monthly_budget_usd=75",
    'account.on_shortfall="fit"',
)


@pytest.mark.slow
def test_settings_of_one_environment_do_not_leak_into_the_next() -> None:
    for changes in (*((change,) for change in CHANGES), CHANGES):
        for name in ENVIRONMENTS:
            generated(name, *changes)
    for name in ENVIRONMENTS:
        assert generated(name) == TEMPLATES[name]


def test_two_composed_templates_share_no_resource_objects() -> None:
    environment = environment_of("dev")
    one, other = (compose(environment, size(environment)) for _ in range(2))
    assert not {id(part) for part in one.resources.values()} & {id(part) for part in other.resources.values()}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_golden_figures_are_in_the_template(name: str) -> None:
    functions = of_type(TEMPLATES[name], "AWS::Lambda::Function")
    assert [functions[f]["Properties"]["ReservedConcurrentExecutions"] for f in names.FUNCTIONS] == FIGURES[name]


def test_templates_fit_without_an_upload_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in TEXTS.items():
        total = len(text.encode())
        handlers = sum(len(json.dumps(line)) + 6 for h in HANDLERS.values() for line in shipped_lines(h))
        with capsys.disabled():
            print(f"\n{name}: {total:,} bytes, resources {total - handlers:,}, handlers {handlers:,}", end="")
        assert total <= aws.MAX_TEMPLATE_BODY_BYTES
        assert handlers <= 22_000
        assert total - handlers <= 30_000


HANDLERS = {
    "ProcessWebhookFunction": "process_webhook",
    "CheckAlertsFunction": "check_alerts",
    "SendNotificationFunction": "send_notification",
    "CleanupHistoryFunction": "cleanup_history",
}


def constants(handler: str) -> dict[str, object]:
    """Return the constants that a handler's module sets to plain values."""
    tree = ast.parse((ROOT / f"generator/stack/handlers/{handler}.py").read_text())
    found: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            names_of = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            pairs = zip(names_of, values, strict=False)
            found |= {n.id: v.value for n, v in pairs if isinstance(n, ast.Name) and isinstance(v, ast.Constant)}
    return found


def test_handlers_and_settings_agree_on_shared_constants() -> None:
    assert constants("send_notification")["LEASE_S"] == validation.LEASE_S
    assert constants("check_alerts")["MAX_ID_LENGTH"] == constants("cleanup_history")["MAX_ID_LENGTH"]
    for handler, reserve in (("check_alerts", "GROUP_MS"), ("cleanup_history", "RESERVE_MS")):
        assert constants(handler)[reserve] == validation.RESUMING_RESERVE_S * 1000
    assert validation.MIN_RESUMING_TIMEOUT_S >= 2 * validation.RESUMING_RESERVE_S


@pytest.mark.parametrize("handler", HANDLERS.values())
def test_shipped_code_is_the_handler_without_comments(handler: str) -> None:
    source = resources.files("generator.stack.handlers").joinpath(f"{handler}.py").read_text()
    assert len(source.splitlines()) <= 160
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
    assert ast.dump(tree) == ast.dump(ast.parse("\n".join(shipped_lines(handler))))
    imports = {n.split(".")[0] for node in ast.walk(tree) for n in imported(node)}
    assert imports <= {*sys.stdlib_module_names, "boto3", "botocore"}


def imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module)):
            return [module]
    return []


@EVERY
def test_the_functions_ship_their_own_handlers(template: dict[str, Any]) -> None:
    for function, handler in HANDLERS.items():
        code = template["Resources"][function]["Properties"]["Code"]["ZipFile"]["Fn::Join"]
        assert code == ["\n", list(shipped_lines(handler))]


@pytest.mark.slow
def test_cfn_lint_has_no_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lint the templates of the environments, which other tests lint too, and one with sources."""
    lint_once.install(monkeypatch)
    sources = '{name="tv", scheme="token", rate_per_s=5, allowed_addresses=["52.89.214.238"]}, {name="b", scheme="hmac"'
    with_sources = generated("prod", f"sources=[{sources}, rate_per_s=1}}]")
    (tmp_path / "sources.json").write_text(json.dumps(with_sources))
    paths = [*(FIXTURES / f"templates_out/{name}.json" for name in ENVIRONMENTS), tmp_path / "sources.json"]
    found = linting.lint([LintJob(path) for path in paths]).findings
    # With sources it needs an upload bucket.
    assert [(Path(one.file).name, one.rule) for one in found] == [("sources.json", "W9805")]


@pytest.mark.slow
@EVERY
def test_moto_creates_every_resource_as_the_template_defines_it(template: dict[str, Any]) -> None:
    with mock_aws(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName="test", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        listed = cloudformation.describe_stack_resources(StackName="test")["StackResources"]
        rows = [row for row in listed if "LogicalResourceId" in row]
        created = {row["LogicalResourceId"]: row["ResourceType"] for row in rows}
        expected = {
            name: body["Type"] for name, body in template["Resources"].items() if body["Type"] not in UNKNOWN_TO_MOTO
        }
        assert created == expected
        check_created_functions(template, {row["LogicalResourceId"]: row.get("PhysicalResourceId", "") for row in rows})


def check_created_functions(template: dict[str, Any], ids: dict[str, str]) -> None:
    client = boto3.client("lambda")
    for name, body in of_type(template, "AWS::Lambda::Function").items():
        wanted, made = body["Properties"], client.get_function(FunctionName=ids[name])
        configuration = made["Configuration"]
        assert made["Concurrency"]["ReservedConcurrentExecutions"] == wanted["ReservedConcurrentExecutions"]
        for key in ("MemorySize", "Timeout", "Runtime", "Handler"):
            assert configuration[key] == wanted[key]
    (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
    wanted = template["Resources"]["CheckAlertsEventSourceMapping"]["Properties"]
    assert mapping["BatchSize"] == wanted["BatchSize"]


@EVERY
def test_the_template_has_every_required_resource(template: dict[str, Any]) -> None:
    named = """ProcessWebhookFunction CheckAlertsFunction SendNotificationFunction CleanupHistoryFunction
        ProcessWebhookRole CheckAlertsRole SendNotificationRole CleanupHistoryRole PriceHistoryTable PriceAlertsTable
        KmsKey NotificationTopic OperationsTopic SendNotificationSubscription SendNotificationPermission
        CheckAlertsEventSourceMapping WebhookApi WebhookResource WebhookMethod WebhookApiKey WebhookUsagePlan"""
    assert set(named.split()) <= template["Resources"].keys()
    assert template["Parameters"]["EnvironmentSuffix"]["Type"] == "String"
    assert all(parameter["Description"] for parameter in template["Parameters"].values())
    assert all(output["Description"] for output in template["Outputs"].values())
    assert "erverless cryptocurrency price alert system" in template["Description"]


@EVERY
def test_at_most_nineteen_alarms_notify_operations_only(template: dict[str, Any]) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert 13 <= len(alarms) <= 19
    for body in alarms.values():
        assert body["Properties"]["AlarmActions"] == [{"Ref": "OperationsTopic"}]
        assert "Metrics" not in body["Properties"]


def test_the_concurrency_alarm_needs_at_least_five_reserved() -> None:
    alarm = "ProcessWebhookConcurrentExecutionsAlarm"
    assert alarm not in TEMPLATES["dev"]["Resources"]
    properties = TEMPLATES["prod"]["Resources"][alarm]["Properties"]
    assert properties["Threshold"] == 16
    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"], properties["Period"]) == (3, 5, 60)


@EVERY
def test_tables_are_retained_with_their_key(template: dict[str, Any]) -> None:
    retained = {
        name for name, body in template["Resources"].items() if body.get("DeletionPolicy", "").startswith("Retain")
    }
    assert retained == {"PriceHistoryTable", "PriceAlertsTable", "KmsKey"}
    assert all(template["Resources"][name]["UpdateReplacePolicy"] == "Retain" for name in retained)


@EVERY
def test_no_replaceable_resource_has_a_physical_name(template: dict[str, Any]) -> None:
    physical = {"TableName", "FunctionName", "RoleName", "TopicName", "QueueName", "LogGroupName", "AlarmName"}
    references = {"AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"}
    for name, body in template["Resources"].items():
        if body["Type"] not in references:
            assert not physical & body.get("Properties", {}).keys(), name


def test_only_a_changed_interface_makes_a_new_deployment() -> None:
    def deployment(template: dict[str, Any]) -> str:
        (name,) = of_type(template, "AWS::ApiGateway::Deployment")
        return name

    assert len({deployment(template) for template in TEMPLATES.values()}) == 1
    assert deployment(generated("prod", "functions.process_webhook.memory_mb=512")) == deployment(TEMPLATES["prod"])


def test_settings_reach_the_template() -> None:
    template = generated(
        "prod",
        *("operations.email=ops@example.com", "operations.api_logging_role=create", "retention.log_days=7"),
        *("retention.price_history_days=10", "functions.check_alerts.memory_mb=2048", "stream.batch_size=20"),
    )["Resources"]
    assert template["OperationsSubscription"]["Properties"]["Endpoint"] == "ops@example.com"
    assert template["CheckAlertsLogGroup"]["Properties"]["RetentionInDays"] == 7
    assert template["CleanupHistoryFunction"]["Properties"]["Environment"]["Variables"]["RETENTION_S"] == "864000"
    assert template["CheckAlertsFunction"]["Properties"]["MemorySize"] == 2048
    assert template["CheckAlertsEventSourceMapping"]["Properties"]["BatchSize"] == 20
    assert "OperationsSubscription" not in TEMPLATES["prod"]["Resources"]
    assert TEMPLATES["prod"]["Resources"]["PriceAlertsTable"]["Properties"]["DeletionProtectionEnabled"] is True
    assert template["WebhookStage"]["DependsOn"] == ["ApiLoggingAccount"]


@EVERY
def test_only_the_choice_to_create_it_adds_the_logging_role(template: dict[str, Any]) -> None:
    """A parameter would keep its value on a deployed stack, whatever the environment file states."""
    assert template["Parameters"].keys() == {"EnvironmentSuffix"}
    own = {"ApiLoggingRole", "ApiLoggingAccount"}
    created = generated("prod", "operations.api_logging_role=create")
    assert created["Resources"].keys() - TEMPLATES["prod"]["Resources"].keys() == own
    assert not own & template["Resources"].keys()
    for name in own:
        body = created["Resources"][name]
        assert (body["DeletionPolicy"], body["UpdateReplacePolicy"], "Condition" in body) == ("Retain", "Retain", False)


ALARM = "AWS::CloudWatch::Alarm"


def alarm(name: str, title: str, *overrides: str) -> dict[str, Any]:
    properties: dict[str, Any] = generated(name, *overrides)["Resources"][title]["Properties"]
    return properties


def test_silence_is_derived_from_the_rate_and_can_be_set_or_turned_off() -> None:
    """At a tenth of the rate: 13.8 mean gaps of 6 minutes, 7.2 s and 0.7 s, but at least 15 minutes."""
    minutes = [TEMPLATES[name]["Resources"]["SilenceAlarm"]["Properties"]["Period"] / 60 for name in ENVIRONMENTS]
    assert minutes == [83, 15, 15]
    assert alarm("dev", "SilenceAlarm", "operations.silence_minutes=30")["Period"] == 1800
    assert "SilenceAlarm" not in generated("dev", "operations.silence_minutes=0")["Resources"]
    silence = TEMPLATES["prod"]["Resources"]["SilenceAlarm"]["Properties"]
    assert (silence["ComparisonOperator"], silence["Threshold"]) == ("LessThanThreshold", 1)
    assert silence["TreatMissingData"] == "breaching"


def test_the_share_of_4xx_answers_grows_with_fewer_requests() -> None:
    """1 % of 100 requests, plus 3 deviations, are 4 of 100; 1 % of 4,167 are 62 of 4,167."""
    found = [TEMPLATES[name]["Resources"]["WebhookRefusalsAlarm"]["Properties"] for name in ("dev", "prod")]
    assert [(one["Period"], one["Threshold"]) for one in found] == [(3600, 0.04), (300, 0.015)]
    assert {one["Statistic"] for one in found} == {"Average"}


def test_one_mistyped_number_sets_off_no_alarm() -> None:
    """It needs three periods in a row, each with five notifications expected, in which no number was valid."""
    found = [TEMPLATES[name]["Resources"]["InvalidNumbersAlarm"]["Properties"] for name in ("dev", "prod")]
    assert [one["Period"] for one in found] == [3600, 300]
    for one in found:
        assert (one["Statistic"], one["Threshold"], one["EvaluationPeriods"]) == ("Minimum", 0, 3)
        assert one["TreatMissingData"] == "notBreaching"
    assert alarm("dev", "InvalidNumbersAlarm", "traffic.alerts_per_webhook=0")["Period"] * 3 <= 86_400


def test_alarms_watch_sms_that_sns_accepted_and_then_dropped() -> None:
    """5 % of 5 and of 2,500 an hour may fail, plus 3 deviations; at least three must fail."""
    found = [TEMPLATES[name]["Resources"]["SmsFailuresAlarm"]["Properties"] for name in ("dev", "prod")]
    assert [(one["MetricName"], one["Threshold"], one["Period"]) for one in found] == [
        ("NumberOfNotificationsFailed", 2, 3600),
        ("NumberOfNotificationsFailed", 159, 3600),
    ]
    assert {json.dumps(one["Dimensions"]) for one in found} == {
        '[{"Name": "PhoneNumber", "Value": "PhoneNumberDirect"}]'
    }
    rate = TEMPLATES["prod"]["Resources"]["SmsSuccessRateAlarm"]["Properties"]
    assert (rate["MetricName"], rate["ComparisonOperator"], rate["Threshold"]) == (
        "SMSSuccessRate",
        "LessThanThreshold",
        0.8,
    )


@EVERY
def test_every_metric_of_a_handler_that_an_alarm_watches_is_published(template: dict[str, Any]) -> None:
    watched = [body["Properties"] for body in of_type(template, ALARM).values()]
    own = [one for one in watched if one.get("Namespace") == "PriceAlerts"]
    assert {one["MetricName"] for one in own} == {"Fresh", "FailedRecords", "Unfireable", "InvalidNumber"}
    for one in own:
        (function,) = (dimension["Value"]["Ref"] for dimension in one["Dimensions"])
        assert f"'{one['MetricName']}'" in "\n".join(shipped_lines(HANDLERS[function]))


def test_the_largest_template_fits_too() -> None:
    largest = ("operations.email=ops@example.com", "operations.api_logging_role=create", 'account.on_shortfall="fit"')
    environment = environment_of("prod", *largest)
    assert len(plans.render(Plan(environment, size(environment))).encode()) <= aws.MAX_TEMPLATE_BODY_BYTES


@EVERY
def test_a_paused_stream_loses_no_record_that_it_keeps(template: dict[str, Any]) -> None:
    mapping = template["Resources"]["CheckAlertsEventSourceMapping"]["Properties"]
    assert 23 * 3600 < mapping["MaximumRecordAgeInSeconds"] < aws.STREAM_RETENTION_S


@pytest.mark.parametrize(("protected", "policy"), [("true", "Retain"), ("false", "RetainExceptOnCreate")])
def test_a_failed_creation_leaves_nothing_behind_unless_the_tables_are_protected(protected: str, policy: str) -> None:
    resources = generated("dev", f"operations.deletion_protection={protected}")["Resources"]
    kept = ("PriceHistoryTable", "PriceAlertsTable", "KmsKey")
    assert {resources[name]["DeletionPolicy"] for name in kept} == {policy}
    assert {resources[name]["UpdateReplacePolicy"] for name in kept} == {"Retain"}


@EVERY
def test_the_access_log_names_the_sender_by_its_key(template: dict[str, Any]) -> None:
    written = template["Resources"]["WebhookStage"]["Properties"]["AccessLogSetting"]["Format"]
    assert json.loads(written)["apiKeyId"] == "$context.identity.apiKeyId"
    assert "sourceIp" not in written


@EVERY
def test_gateway_responses_have_retry_after(template: dict[str, Any]) -> None:
    responses = {
        body["Properties"]["ResponseType"]: (
            body["Properties"]["StatusCode"],
            "gatewayresponse.header.Retry-After" in body["Properties"].get("ResponseParameters", {}),
        )
        for body in of_type(template, "AWS::ApiGateway::GatewayResponse").values()
    }
    assert responses == {
        "DEFAULT_5XX": ("503", True),
        "INTEGRATION_TIMEOUT": ("504", False),
        "API_CONFIGURATION_ERROR": ("500", False),
        "THROTTLED": ("429", True),
    }


@EVERY
def test_the_stage_never_throttles_below_the_usage_plan(template: dict[str, Any]) -> None:
    plan = template["Resources"]["WebhookUsagePlan"]["Properties"]["Throttle"]
    (stage,) = template["Resources"]["WebhookStage"]["Properties"]["MethodSettings"]
    assert stage["ThrottlingRateLimit"] >= plan["RateLimit"]
    assert stage["ThrottlingBurstLimit"] >= plan["BurstLimit"]
