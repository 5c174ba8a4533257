"""The runtime check on chosen dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from generator.account import services
from generator.account.connection import LiveAccount, connect
from generator.account.deployment import Deployment
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.config.files import read
from generator.stack.functions import RUNTIME
from tests.account.conftest import GOOD, deployed, limits
from tests.account.stub import Stub, serving


def deployment(account: LiveAccount, today: date) -> Deployment:
    environment = read({"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}, "prod")
    return Deployment(account, Plan(environment, size(environment)), "price-alerts-prod", (), today)


@pytest.mark.parametrize(("kind", "answers"), [("create-block", {}), ("update-block", deployed({}))])
def test_runtime_check_fails_from_the_day_aws_blocks_it(kind: str, answers: dict[object, object]) -> None:
    until = date.fromisoformat(services.runtime_dates()[RUNTIME][kind] or "")
    with serving(Stub({**GOOD, **answers, **limits(1000, 1000)})) as stub:  # type: ignore[dict-item]
        account = connect("us-east-1", endpoint_url=stub.url)
        assert services.runtime(deployment(account, until - timedelta(days=1))).status == "pass"
        late = services.runtime(deployment(account, until))
    assert late.status == "fail"
    assert "newer release" in late.remedy
    assert "pip install" not in late.remedy
