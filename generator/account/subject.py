"""What every check gets to see, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from generator.account.connection import Account
from generator.capacity.quota import Plan
from generator.config.schema import Environment


@dataclass(frozen=True, slots=True)
class Subject:
    """A plan, the live account that it goes into, and the names of the stacks that share it."""

    account: Account
    plan: Plan
    stack_name: str
    neighbour_stack_names: tuple[str, ...]
    today: date

    @property
    def environment(self) -> Environment:
        """What is to be deployed."""
        return self.plan.environment

    def aws(self, command: str) -> str:
        """A command to type, for this account and Region."""
        return f"{self.account.cli} --region {self.account.region} {command}"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Good, bad or unknown, and what to do about it; what is good needs nothing done."""

    status: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the account, by a name that stays."""

    id: str
    opinion: Callable[[Subject], Opinion]


def good(message: str) -> Opinion:
    """Nothing stands in the way."""
    return Opinion("pass", message)


def bad(message: str, remedy: str) -> Opinion:
    """The deployment would fail, or would not do what it is for."""
    return Opinion("fail", message, remedy)


def unknown(message: str, remedy: str) -> Opinion:
    """It could not be told."""
    return Opinion("skip", message, remedy)
