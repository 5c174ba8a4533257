"""Templates with [[sources]]: paths, limits, addresses, secrets and permissions."""

from __future__ import annotations

import ast
import ipaddress
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from generator import aws, plans
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.capacity.usage_plan import usage_plan
from generator.stack.functions import shipped_lines
from tests.conftest import ENVIRONMENTS, environment_of
from tests.stack.handlers.harness import Stack, cloud, price, webhook
from tests.stack.handlers.test_sources import TEMPLATE as BESIDE_EACH_OTHER
from tests.stack.handlers.test_sources import alert, post, signed
from tests.stack.model import TEMPLATES, TEXTS, allowed, of_type, permits
from tests.stack.test_permissions import BEHIND_THE_SCENES, KMS_NEEDS

FUNCTION = "ProcessWebhookFunction"
FIGURE_OF_DEV = TEMPLATES["dev"]["Resources"][FUNCTION]["Properties"]["ReservedConcurrentExecutions"]
ADDRESSES = '["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"]'
TOKEN = f'{{name="trading-view", scheme="token", rate_per_s=5, allowed_addresses={ADDRESSES}}}'
HMAC = '{name="feed", scheme="hmac", rate_per_s=20}'
STANDARD = '{name="signed", scheme="standard"}'


def text_with(name: str, *sources: str) -> str:
    override = f"sources=[{','.join(sources)}]"
    environment = environment_of(name, override)
    return plans.render(Plan(environment, size(environment)))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_without_a_path_of_its_own_a_source_changes_nothing(name: str) -> None:
    assert text_with(name) == text_with(name, STANDARD) == TEXTS[name]


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("source", [TOKEN, HMAC], ids=["token", "hmac"])
def test_a_template_with_one_source_fits_without_an_upload_bucket(
    name: str, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    left = aws.MAX_TEMPLATE_BODY_BYTES - len(text_with(name, source).encode())
    with capsys.disabled():
        print(f"\n{name} with a source: {left:,} bytes left", end="")
    assert left >= 0


def code(template: dict[str, Any]) -> list[str]:
    lines: list[str] = template["Resources"][FUNCTION]["Properties"]["Code"]["ZipFile"]["Fn::Join"][1]
    return lines


BOTH = pytest.param([HMAC, TOKEN], ["hmac", "token"], id="both")


@pytest.mark.parametrize(("sources", "schemes"), [([TOKEN], ["token"]), ([HMAC], ["hmac"]), BOTH])
def test_only_the_code_of_the_schemes_in_use_is_shipped(sources: list[str], schemes: list[str]) -> None:
    shipped = code(json.loads(text_with("prod", *sources)))
    base = list(shipped_lines("process_webhook"))
    assert shipped[: len(base)] == base
    parts = [line for part in ("sources", *schemes) for line in shipped_lines(f"webhook_{part}")]
    assert set(shipped[len(base) :]) <= {*parts}
    tree = ast.parse("\n".join(shipped))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in imported if str(module).startswith("generator")]
    assert [scheme for scheme in ("hmac", "token") if f"schemes['{scheme}']" in "\n".join(shipped)] == schemes


def test_the_reservations_of_prod_stay_and_all_rates_together_are_sustained() -> None:
    environment = environment_of("prod", f"sources=[{TOKEN},{HMAC}]")
    sizing = size(environment)
    assert sizing.total_reserved == 37
    plan = sizing.usage_plan
    assert plan.source_rates_per_s == {"trading-view": 5, "feed": 20}
    assert plan.rate_per_s + 25 == 190
    limited = usage_plan(environment, 5)
    assert limited.rate_per_s + sum(limited.source_rates_per_s.values()) <= 5 / 0.105
    assert limited.source_rates_per_s["feed"] < 20
    slow = usage_plan(environment_of("prod", f"sources=[{TOKEN},{HMAC}]", "traffic.peak_factor=100"), 1)
    assert slow.rate_per_s + sum(slow.source_rates_per_s.values()) <= 1 / 0.105
    assert min(slow.rate_per_s, *slow.source_rates_per_s.values()) > 0
    settings = json.loads(text_with("prod", TOKEN, HMAC))["Resources"]["WebhookStage"]["Properties"]["MethodSettings"]
    assert [(one["HttpMethod"], one["ResourcePath"], one["ThrottlingRateLimit"]) for one in settings] == [
        ("*", "/*", 165),
        ("POST", "/~1webhooks~1trading-view", 5),
        ("POST", "/~1webhooks~1feed", 20),
    ]
    assert {one["ThrottlingBurstLimit"] for one in settings} == {20}


def test_a_high_rate_of_a_source_raises_the_reservation_until_the_peak_fits_beside_it() -> None:
    source = HMAC.replace("20", "100")
    environment = environment_of("dev", f"sources=[{source}]")
    sizing = size(environment)
    assert (sizing[FUNCTION].reserved_concurrency, FIGURE_OF_DEV) == (11, 3)
    assert sizing.usage_plan.source_rates_per_s == {"feed": 100}
    assert sizing.usage_plan.rate_per_s > environment.peak_rate_per_s
    assert "minus the rates of the sources" in sizing[FUNCTION].reason


def admits(policy: dict[str, Any], path: str, address: str, method: str = "POST") -> bool:
    """Evaluate a resource policy for an anonymous request: a denial wins, and without a match nothing is allowed."""
    effects = set()
    for statement in policy["Statement"]:
        assert (statement["Principal"], statement["Action"]) == ("*", ["execute-api:Invoke"])
        networks = statement.get("Condition", {}).get("NotIpAddress", {}).get("aws:SourceIp", [])
        is_listed = any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)
        if not is_listed and any(fnmatchcase(f"execute-api:/v1/{method}{path}", one) for one in statement["Resource"]):
            effects.add(statement["Effect"])
    return effects == {"Allow"}


def test_only_the_listed_addresses_reach_the_path_and_every_address_the_others() -> None:
    policy = json.loads(text_with("prod", TOKEN, HMAC))["Resources"]["WebhookApi"]["Properties"]["Policy"]
    for address in ("52.89.214.238", "52.32.178.7"):
        assert admits(policy, "/webhooks/trading-view", address)
    for address in ("52.89.214.239", "10.0.0.1", "2001:db8::1"):
        assert not admits(policy, "/webhooks/trading-view", address)
        assert admits(policy, "/webhooks", address)
        assert admits(policy, "/webhooks/feed", address)
        for path in ("/webhooks/trading-view/", "/webhooks/trading-view/x"):
            assert not admits(policy, path, address)
        assert not admits(policy, "/webhooks/trading-view", address, "PUT")
        assert admits(policy, "/webhooks/trading-view2", address)
    assert "Policy" not in json.loads(text_with("prod", HMAC))["Resources"]["WebhookApi"]["Properties"]


def deployment(template: dict[str, Any]) -> str:
    (name,) = of_type(template, "AWS::ApiGateway::Deployment")
    return name


def test_a_changed_address_path_or_scheme_makes_a_new_deployment_and_a_changed_rate_does_not() -> None:
    texts = [TOKEN, TOKEN.replace("52.32.178.7", "52.32.178.8"), TOKEN.replace("trading-view", "tv"), HMAC]
    names = [deployment(json.loads(text_with("prod", text))) for text in texts]
    assert len({*names, deployment(TEMPLATES["prod"])}) == 5
    assert deployment(json.loads(text_with("prod", TOKEN.replace("rate_per_s=5", "rate_per_s=6")))) == names[0]
    template = json.loads(text_with("prod", TOKEN))
    assert "TradingViewSourceMethod" in template["Resources"][names[0]]["DependsOn"]


def test_each_source_has_its_own_secret_and_path_without_a_key() -> None:
    template = json.loads(text_with("prod", TOKEN, HMAC))
    secrets = of_type(template, "AWS::SecretsManager::Secret")
    assert list(secrets) == ["SigningSecret", "TradingViewSourceSecret", "FeedSourceSecret"]
    for body in secrets.values():
        assert body["Properties"]["KmsKeyId"] == {"Ref": "KmsKey"}
        assert body["Properties"]["GenerateSecretString"] == {"ExcludePunctuation": True, "PasswordLength": 44}
    assert template["Outputs"]["TradingViewSourceSecretArn"]["Value"] == {"Ref": "TradingViewSourceSecret"}
    method = template["Resources"]["TradingViewSourceMethod"]["Properties"]
    assert not {"ApiKeyRequired", "RequestModels", "RequestValidatorId"} & method.keys()
    assert template["Resources"]["TradingViewSourceResource"]["Properties"]["PathPart"] == "trading-view"
    permission = template["Resources"]["ProcessWebhookPermission"]["Properties"]["SourceArn"]["Fn::Sub"]
    assert permission.endswith("${WebhookApi}/*/POST/webhooks*")


@pytest.fixture(scope="module")
def used() -> Iterator[set[tuple[str, str]]]:
    """The actions and resources that the function uses with a standard webhook, two tokens and an HMAC."""
    with cloud():
        stack = Stack(BESIDE_EACH_OTHER)
        handler = stack.load(FUNCTION)
        standard = {**webhook(price()), "resource": "/webhooks"}
        for event in (standard, post(alert()), signed(alert()), post("{}", "other")):
            handler.run(event)
        stack.close()
        names = {arn: f"${{{name}}}" for name, arn in stack.ids.items()}
        yield {
            (call.operation, names.get(call.parameters.get("SecretId", ""), "${PriceHistoryTable.Arn}"))
            for call in stack.calls
        }


def test_the_role_reads_the_secrets_of_the_sources_and_nothing_more(used: set[tuple[str, str]]) -> None:
    role = "ProcessWebhookRole"
    grants = allowed(BESIDE_EACH_OTHER, role)
    assert all(permits(grants, *call) for call in used)
    unseen = BEHIND_THE_SCENES[FUNCTION] | {(action, "${KmsKey.Arn}") for action in KMS_NEEDS[role]}
    assert {grant for grant in grants if not any(permits({grant}, *call) for call in used)} <= unseen
    added = {resource for _, resource in grants - allowed(TEMPLATES["dev"], role)}
    assert added == {f"${{{name}SourceSecret}}" for name in ("Tradingview", "Feed", "Other")}


def test_sources_use_no_more_than_the_webhook_function() -> None:
    before, after = TEMPLATES["prod"]["Resources"], json.loads(text_with("prod", TOKEN))["Resources"]
    kept = before.keys() - {"Dashboard", deployment(TEMPLATES["prod"])}
    assert kept <= after.keys()
    changed = {name for name in kept if before[name] != after[name]}
    assert changed == {
        *("WebhookApi", "WebhookStage", "WebhookUsagePlan", "ProcessWebhookPermission", FUNCTION, "ProcessWebhookRole")
    }
