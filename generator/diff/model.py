"""The findings of a comparison of two templates, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from generator.template.intrinsics import Json
from generator.template.schemas import Certainty

API_DEPLOYMENT_TYPES = ("AWS::ApiGateway::Deployment", "AWS::ApiGatewayV2::Deployment")
TABLE = "AWS::DynamoDB::Table"
CODE = ("Code.ZipFile", "InlineCode")
"""Properties with inline code, of AWS::Lambda::Function and of AWS::Serverless::Function."""

RESOURCE_GENERATORS = ("Fn::ForEach", "Fn::Transform")
"""Functions in the place of a resource that create any number of resources.

Each is read as one resource of this type, because the template does not list the resources that it creates.
"""


class Change(StrEnum):
    """The change of a resource's entry in the template."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class AccessChange(StrEnum):
    """Whether the permissions of a statement became wider or narrower."""

    WIDENED = "widened"
    NARROWED = "narrowed"


class Rating(StrEnum):
    """The attention that a change needs from a reviewer."""

    SAME = "same"
    ROUTINE = "routine"
    REVIEW = "review"
    REJECTED = "rejected"


class Effect(StrEnum):
    """The effect of one changed setting on the time at which an alarm fires."""

    EARLIER = "earlier"
    LATER = "later"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Property:
    """One value that changed. `old` or `new` is None if it is absent."""

    path: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Resource:
    """A changed resource, and the effect of the change on the existing resource."""

    id: str
    type: str
    change: Change
    replacement: Certainty = Certainty.NONE
    properties: tuple[Property, ...] = ()
    notes: tuple[str, ...] = ()
    removal: Certainty = Certainty.NONE
    """Possible if a condition decides whether the resource still exists."""

    rejected: Certainty = Certainty.NONE
    rejection: str = ""
    """The reason why CloudFormation refuses the update; empty if it accepts it."""


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
    change: AccessChange
    statement: Mapping[str, Json]
    certainty: Certainty = Certainty.CERTAIN
    """Possible if a condition of the template decides, or a policy or role that the template does not show."""


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A changed resource that grants access in a way that is not compared, and the reason."""

    id: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """The reserved or provisioned concurrency of a function: a number, an expression, or None if there is none."""

    id: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Room:
    """The reservable concurrency of the account, and the reservations of its other environments."""

    reservable: int
    reserved_by_neighbours: int


@dataclass(frozen=True, slots=True)
class Reservations:
    """All functions of both templates, and the room in the account; None if no account is known."""

    functions: tuple[Reservation, ...]
    total_old: int
    total_new: int
    """The sum in the deployment that reserves most, as `check` finds it."""

    is_open: tuple[bool, bool]
    """Whether the old sum, and the new one, leave out figures that the template does not state."""

    room: Room | None

    @property
    def changed(self) -> tuple[Reservation, ...]:
        """The functions whose reservation changed."""
        return tuple(function for function in self.functions if function.old != function.new)

    @property
    def has_changed(self) -> bool:
        """Whether a function's reservation changed, or the sum of those that one deployment has at once."""
        return bool(self.changed) or self.total_old != self.total_new or self.is_open[0] != self.is_open[1]

    @property
    def headroom(self) -> int | None:
        """The concurrency that the new template leaves to reserve; negative for a shortfall."""
        return self.room.reservable - self.room.reserved_by_neighbours - self.total_new if self.room else None


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
    effect: Effect


@dataclass(frozen=True, slots=True)
class Rate:
    """The rate in an environment file."""

    webhooks_per_hour: int
    peak_per_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """The monthly cost of both templates, in US dollars."""

    old: Decimal
    new: Decimal
    without_sms: bool = False
    """Whether SMS have no price in an environment file, so that the cost leaves them out."""
    by_service: tuple[tuple[str, Decimal], ...] = ()
    """The change of each service, the largest first."""


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
    rates: tuple[Rate | None, Rate | None] = (None, None)
    """The rate of each side; None for a file and for a side that does not exist."""
    whole: Change = Change.CHANGED
    """Added if the old side does not exist, and removed if the new one does not."""

    @property
    def is_different(self) -> bool:
        """Whether the templates differ in meaning."""
        changes = (self.resources, self.parts, self.iam, self.iam_not_compared, self.handlers, self.alarms)
        return any(changes) or self.reservations.has_changed

    def replaced(self, certainty: Certainty) -> list[Resource]:
        """Return the resources that are replaced with this certainty."""
        return [resource for resource in self.resources if resource.replacement == certainty]

    def accesses(self, change: AccessChange, certainty: Certainty | None = None) -> list[Access]:
        """Return the statements that changed this way, with this certainty or with any."""
        return [access for access in self.iam if access.change == change and certainty in (None, access.certainty)]
