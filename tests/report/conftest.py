"""Environments with their sizing and verdict, and a small template to price."""

from __future__ import annotations

from typing import Any

import pytest

from generator.capacity import quota
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.plans import JudgedPlan
from tests.conftest import environment_of


def judged(name: str, *overrides: str) -> JudgedPlan:
    """Return one environment in an account of its own."""
    environment = environment_of(name, *overrides)
    (verdict,) = quota.judge([Plan(environment, size(environment))])
    return JudgedPlan(verdict.plans[0], verdict)


@pytest.fixture
def template() -> dict[str, Any]:
    """Return the smallest template that has a bill, with figures for mental arithmetic."""
    lambda_ = "AWS::Lambda::Function"
    memories = {"ProcessWebhook": 1024, "CheckAlerts": 512, "SendNotification": 256, "CleanupHistory": 256}
    functions: dict[str, Any] = {
        f"{name}Function": {"Type": lambda_, "Properties": {"MemorySize": memory, "Architectures": ["arm64"]}}
        for name, memory in memories.items()
    }
    functions["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"] = 5
    functions["ProcessWebhookFunction"]["Properties"]["KmsKeyArn"] = {"Ref": "KmsKey"}
    table = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    return {
        "Resources": {
            **functions,
            "PriceHistoryTable": {"Type": "AWS::DynamoDB::Table", "Properties": table},
            "PriceAlertsTable": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {**table, "GlobalSecondaryIndexes": [{}]},
            },
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 1, "ParallelizationFactor": 1},
            },
            "KmsKey": {"Type": "AWS::KMS::Key"},
            "Secret": {"Type": "AWS::SecretsManager::Secret"},
            "First": {"Type": "AWS::CloudWatch::Alarm"},
            "Second": {"Type": "AWS::CloudWatch::Alarm"},
            "Dashboard": {"Type": "AWS::CloudWatch::Dashboard"},
        }
    }
