"""The deployment that a preflight checks, and the results of its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from generator.account.connection import LiveAccount
from generator.capacity.quota import Plan
from generator.config.schema import Environment


def default_stack_name(environment: str) -> str:
    """Return the default name of an environment's stack; --stack-name overrides it."""
    return f"price-alerts-{environment}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A plan, the live account to deploy it to, and the names of the stacks that share the account."""

    account: LiveAccount
    plan: Plan
    stack_name: str
    neighbour_stack_names: tuple[str, ...]
    """Stacks of the other environments in the account."""
    today: date

    @property
    def environment(self) -> Environment:
        """The environment to deploy."""
        return self.plan.environment

    @property
    def generate(self) -> str:
        """The command that writes the template of the environment."""
        return f"generator template {self.environment.name}"

    def aws(self, command: str) -> str:
        """Return an AWS CLI command line for this account and Region."""
        return f"{self.account.cli} --region {self.account.region} {command}"


class Status(StrEnum):
    """Status of a check, as the report prints it."""

    PASS = "pass"  # noqa: S105 - a status
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Status of a check, the reason, and the remedy, which is empty if nothing needs to be done."""

    status: Status
    message: str
    remedy: str = ""


Check = Callable[[Deployment], CheckResult]
"""A check of one part of the account. Raises Unavailable if AWS does not return the information."""


def passed(message: str) -> CheckResult:
    """Return the result of a check that found no obstacle to the deployment."""
    return CheckResult(Status.PASS, message)


def failed(message: str, remedy: str) -> CheckResult:
    """Return the result of a check that found an obstacle to the deployment."""
    return CheckResult(Status.FAIL, message, remedy)


def warned(message: str, remedy: str) -> CheckResult:
    """Return the result of a check that found a risk that some deployments accept."""
    return CheckResult(Status.WARN, message, remedy)


def skipped(message: str, remedy: str) -> CheckResult:
    """Return the result of a check that could not be decided."""
    return CheckResult(Status.SKIP, message, remedy)
