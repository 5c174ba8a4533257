"""Preflight against an independent AWS emulator, with the committed template deployed to it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result

from generator.account.connection import SMS_VOICE, LiveAccount, Unavailable
from generator.local import deployment, emulator
from generator.local.emulator import Emulator
from tests.account.conftest import FUNCTIONS, STACK
from tests.conftest import FIXTURES

UNSUPPORTED = {"sms-enrolment", "sms-sandbox", "sms-origination", "sms-spend", "sms-cost", "sms-delivery-log"}
RESERVED = dict(zip(FUNCTIONS, (20, 10, 5, 2), strict=True))


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator whose account has the concurrency limit of the test's parameter."""
    with emulator.running("us-east-1", concurrency_limit=request.param) as started:
        yield started


def ask(generator: Callable[..., Result], asked: Emulator) -> tuple[int, dict[str, dict[str, str]]]:
    result = generator("preflight", "prod", "--endpoint-url", asked.url, "--format", "json")
    return result.exit_code, {check["id"]: check for check in json.loads(result.stdout)["checks"]}


def statuses(checks: dict[str, dict[str, str]]) -> dict[str, str]:
    return {id_: check["status"] for id_, check in checks.items() if id_ not in UNSUPPORTED}


def reserve_elsewhere(asked: Emulator, reserved: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context): pass")
    client = asked.client("lambda")
    role = "arn:aws:iam::000000000000:role/any"
    code: dict[str, Any] = {"Handler": "index.handler", "Code": {"ZipFile": archive.getvalue()}}
    client.create_function(FunctionName="theirs", Runtime="python3.13", Role=role, **code)
    client.put_function_concurrency(FunctionName="theirs", ReservedConcurrentExecutions=reserved)


@pytest.mark.slow
@pytest.mark.parametrize("running", [1000], indirect=True)
def test_fresh_deployed_and_crowded_account(generator: Callable[..., Result], running: Emulator) -> None:
    _, fresh = ask(generator, running)
    assert fresh["stack"]["message"] == f"the stack {STACK} does not exist yet and will be created"
    assert fresh["api-logging-role"]["status"] == "fail"
    expected = {"api-logging-role", "operations-topic"}
    assert {status for id_, status in statuses(fresh).items() if id_ not in expected} == {"pass"}
    assert {fresh[id_]["status"] for id_ in UNSUPPORTED} == {"skip"}
    deploy(running)
    _, deployed = ask(generator, running)
    assert deployed["reserved-elsewhere"]["message"].startswith(
        f"37 reserved in the account (37 by {STACK}, 0 elsewhere)"
    )
    assert deployed["update-order"]["message"] == "safe in any order: never more than 37 of 900 reserved"
    assert deployed["key"]["message"].endswith("is enabled")
    assert deployed["api-name"]["status"] == "pass"
    assert deployed["operations-topic"]["message"].startswith("nobody receives the alarms: the topic arn:aws:sns:")
    reserve_elsewhere(running, 880)
    code, full = ask(generator, running)
    assert code == 1
    assert full["reserved-elsewhere"]["remedy"].startswith("write reserved_elsewhere = 880")
    assert (
        "37 to reserve, 20 reservable (limit 1,000 - floor 100 - reserved by others 880)"
        in full["reservations"]["message"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("running", [10], indirect=True)
def test_an_account_of_ten(
    generator: Callable[..., Result], running: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator takes seconds to refuse a service that it lacks, for which the other test waits."""
    send = LiveAccount.request

    def without_sms(self: LiveAccount, service: str, *call: Any, **options: Any) -> Any:
        if service == SMS_VOICE:
            raise Unavailable("the emulator lacks it", "use AWS")
        return send(self, service, *call, **options)

    monkeypatch.setattr(LiveAccount, "request", without_sms)
    code, checks = ask(generator, running)
    assert code == 1
    assert {id_ for id_, status in statuses(checks).items() if status == "fail"} == {
        *("account-limit", "reservations", "api-logging-role"),
    }


def deploy(asked: Emulator) -> None:
    """Deploy the committed template, and set the reservations, which the emulator ignores."""
    template = (FIXTURES / "templates_out/prod.json").read_text()
    cloudformation = asked.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": deployment.DEPLOY_TIMEOUT_S}
    )
    rows = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    ids = {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}
    for name, reserved in RESERVED.items():
        asked.client("lambda").put_function_concurrency(FunctionName=ids[name], ReservedConcurrentExecutions=reserved)
