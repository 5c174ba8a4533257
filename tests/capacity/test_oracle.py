"""The quota verdict agrees with moto's PutFunctionConcurrency and with the documented rule."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID

from generator.capacity.quota import AccountQuota
from tests.conftest import SCALE

SEED = 20_261_124
ACCOUNTS = 200 * SCALE
FUNCTIONS = 3
FOREIGN = 2


@pytest.fixture(scope="module")
def functions() -> Iterator[tuple[Any, list[str]]]:
    """The functions of one account: those of other stacks and those of a plan."""
    with mock_aws():
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", "")
        names = [f"function-{number}" for number in range(FOREIGN + FUNCTIONS)]
        for name in names:
            client.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": archive.getvalue()},
            )
        yield client, names


def is_taken(client: Any, name: str, reserved: int) -> bool:
    try:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    except client.exceptions.InvalidParameterValueException as error:
        if "below its minimum value of [100]" in str(error):
            return False
        raise
    return True


@pytest.mark.slow
def test_moto_accepts_exactly_the_reservations_that_fit(
    functions: tuple[Any, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (client, names), rng = functions, random.Random(SEED)
    backend = lambda_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    disagreements, verdicts = [], []
    for _ in range(ACCOUNTS):
        elsewhere = [rng.randint(1, 60) for _ in range(rng.randint(0, FOREIGN))]
        limit, plan = rng.choice([10, 100, rng.randint(101, 300)]), [rng.randint(1, 50) for _ in range(FUNCTIONS)]
        monkeypatch.delenv("MOTO_LAMBDA_CONCURRENCY_QUOTA", raising=False)
        for name, reserved in zip_longest(names, elsewhere):
            backend.put_function_concurrency(name, reserved)  # type: ignore[arg-type]
        monkeypatch.setenv("MOTO_LAMBDA_CONCURRENCY_QUOTA", str(limit))
        account, taken = AccountQuota("any", "us-east-1", limit, 100, sum(elsewhere)), 0
        for name, reserved in zip(names[FOREIGN:], plan, strict=True):
            fits = account.holds(taken + reserved)
            if is_taken(client, name, reserved) != fits:
                disagreements.append((limit, elsewhere, plan))
            taken += reserved if fits else 0
            verdicts.append(fits)
        assert account.holds(sum(plan)) == all(verdicts[-FUNCTIONS:])
    assert not disagreements
    assert len(verdicts) == ACCOUNTS * FUNCTIONS
    assert len(verdicts) / 5 < sum(verdicts) < len(verdicts) * 4 / 5


def test_every_floor_agrees_with_the_rule_applied_unit_by_unit() -> None:
    rng = random.Random(SEED)
    for _ in range(2_000):
        limit, floor, elsewhere = rng.randint(1, 200), rng.randint(0, 120), rng.randint(0, 80)
        account = AccountQuota("any", "us-east-1", limit, floor, elsewhere)
        most = 0
        while limit - elsewhere - (most + 1) >= floor:
            most += 1
        assert account.reservable == most
        assert [account.holds(wanted) for wanted in (0, most, most + 1)] == [True, True, False]
