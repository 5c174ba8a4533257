"""The findings of a comparison of two templates, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from generator.template.intrinsics import Json
from generator.template.schemas import Certainty

MAKERS = ("Fn::ForEach", "Fn::Transform")
"""Functions that may stand among the resources and make some of them, each read as one resource of this type."""


@dataclass(frozen=True, slots=True)
class Property:
    """One value that changed. `old` or `new` is None if it is absent."""

    path: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that changed, and what the change does to the existing one."""

    id: str
    type: str
    change: Literal["added", "removed", "changed"]
    replacement: Certainty
    properties: tuple[Property, ...]
    notes: tuple[str, ...]
    removal: Certainty = Certainty.NONE
    """Possible if a condition decides whether the resource still exists."""


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter, condition, output or the like that changed, and the resources that depend on it."""

    path: str
    old: Json
    new: Json
    affects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """Statements that grant more or less than before, with the resource that holds them."""

    resource: str
    change: Literal["widened", "narrowed"]
    statement: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A changed resource that grants access in a way that is not compared, and the reason."""

    id: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """A function's reserved concurrency; None shares the account's pool or is no such function."""

    id: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Reservations:
    """All functions of both templates, and the account's figures; None if no account is known."""

    functions: tuple[Reservation, ...]
    reservable: int | None
    elsewhere: int
    """Reservations of other environments in the same account."""

    @property
    def changed(self) -> tuple[Reservation, ...]:
        """The functions whose reservation changed."""
        return tuple(one for one in self.functions if one.old != one.new)

    @property
    def total_old(self) -> int:
        """The sum of the old template's known figures."""
        return sum(one.old for one in self.functions if isinstance(one.old, int))

    @property
    def total_new(self) -> int:
        """The sum of the new template's known figures."""
        return sum(one.new for one in self.functions if isinstance(one.new, int))

    @property
    def is_open(self) -> tuple[bool, bool]:
        """Whether the old sum, and the new one, leave out figures that only a deployment decides."""
        return (
            any(one.old is not None and not isinstance(one.old, int) for one in self.functions),
            any(one.new is not None and not isinstance(one.new, int) for one in self.functions),
        )

    def headroom(self, total: int) -> int | None:
        """Return what could still be reserved; negative for a shortfall."""
        return None if self.reservable is None else self.reservable - self.elsewhere - total


@dataclass(frozen=True, slots=True)
class Handler:
    """A function's code as a unified line diff."""

    id: str
    diff: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One changed setting that decides when an alarm fires."""

    id: str
    setting: str
    old: Json
    new: Json
    effect: Literal["earlier", "later", "other"]


@dataclass(frozen=True, slots=True)
class Cost:
    """The monthly cost of both templates, in US dollars."""

    old: Decimal
    new: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs between two templates."""

    resources: tuple[Resource, ...]
    parts: tuple[Part, ...]
    iam: tuple[Access, ...]
    iam_not_compared: tuple[NotCompared, ...]
    reservations: Reservations
    handlers: tuple[Handler, ...]
    alarms: tuple[Alarm, ...]
    cost: Cost | None

    @property
    def found(self) -> bool:
        """Whether the templates mean different things."""
        permissions = (self.iam, self.iam_not_compared)
        return any((self.resources, self.parts, *permissions, self.reservations.changed, self.handlers, self.alarms))

    def replaced(self, certainty: Certainty) -> tuple[Resource, ...]:
        """The resources that are replaced with this certainty."""
        return tuple(resource for resource in self.resources if resource.replacement == certainty)
