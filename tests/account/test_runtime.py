"""Runtime dates, with the clock in our hands."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from generator.account import runtime
from generator.account.connection import Account
from generator.account.subject import Subject
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.config.files import read
from generator.stack.functions import RUNTIME
from tests.account.conftest import GOOD, deployed, limits
from tests.account.stub import Stub, serving


def subject(account: Account, today: date) -> Subject:
    environment = read({"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}, "prod")
    return Subject(account, Plan(environment, size(environment)), "price-alerts-prod", (), today)


@pytest.mark.parametrize(("kind", "answers"), [("create-block", {}), ("update-block", deployed({}))])
def test_until_the_day_that_aws_blocks(kind: str, answers: dict[object, object]) -> None:
    from generator.account.connection import connect

    until = date.fromisoformat(runtime.lifecycle()[RUNTIME][kind] or "")
    with serving(Stub({**GOOD, **answers, **limits(1000, 1000)})) as stub:  # type: ignore[dict-item]
        account = connect("us-east-1", endpoint_url=stub.url)
        assert runtime.available(subject(account, until - timedelta(days=1))).status == "pass"
        late = runtime.available(subject(account, until))
    assert late.status == "fail"
    assert "newer release" in late.remedy
    assert "pip install" not in late.remedy
