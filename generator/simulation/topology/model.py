"""The topology of a template as data: its functions, their event sources, and the limits on the way to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from generator import aws

QUOTA_PERIODS_S = {"DAY": 86_400.0, "WEEK": 604_800.0, "MONTH": 2_592_000.0}

STREAM_EVENTS = frozenset({"INSERT", "MODIFY", "REMOVE"})


class Refusal(StrEnum):
    """The gateway responses to a webhook that is refused or fails, by their types in API Gateway.

    Source: Amazon API Gateway Developer Guide, "Gateway response types". AWS does not document the type of the response
    to a throttle by Lambda; INTEGRATION_FAILURE is assumed.
    """

    THROTTLED = "THROTTLED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    INTEGRATION_FAILURE = "INTEGRATION_FAILURE"
    INTEGRATION_TIMEOUT = "INTEGRATION_TIMEOUT"

    @property
    def default(self) -> str:
        """The type whose response applies if the API has none for this one."""
        return "DEFAULT_5XX" if self.startswith("INTEGRATION") else "DEFAULT_4XX"


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    `reserved_concurrency` is None if the function shares the account's pool. `max_event_age_s` and `max_retries`
    apply to asynchronous events. `writes` are the tables that its role may write to, with the stream events that
    follow, `publishes` the topics it may publish to, and `unclear` the reason if both could not be read. Source of
    the defaults: CloudFormation reference, AWS::Lambda::Function and AWS::Lambda::EventInvokeConfig.
    """

    logical_id: str
    reserved_concurrency: int | None
    timeout_s: float
    writes: Mapping[str, frozenset[str]]
    publishes: frozenset[str]
    unclear: str = ""
    max_event_age_s: float = aws.MAX_ASYNC_EVENT_AGE_S
    max_retries: int = aws.DEFAULT_ASYNC_RETRIES


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """An event source mapping from a table's stream to a function.

    `events` are the stream events that pass its filter. `max_age_s` is None if records never expire before they
    leave the stream.
    """

    logical_id: str
    table: str
    function: str
    batch_size: int
    window_s: float
    parallelization_factor: int
    max_age_s: float | None
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class Throttle:
    """The limits of one usage plan or stage of API Gateway. None stands for no limit."""

    logical_id: str
    rate_per_s: float | None
    burst: float | None
    quota: int | None = None
    quota_period_s: float = QUOTA_PERIODS_S["DAY"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic that invokes a function asynchronously with each message."""

    logical_id: str
    topic: str
    function: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that invokes a function asynchronously at a fixed interval."""

    logical_id: str
    function: str
    period_s: float


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything of a template that a simulation needs.

    `webhook_functions` are the functions that API methods invoke, the entry point first. `not_understood` lists the
    resources that were left out, each with the reason. `retry_after_s` has the Retry-After header of each refusal that
    carries a number of seconds.
    """

    functions: Mapping[str, Function]
    webhook_functions: tuple[str, ...]
    throttles: tuple[Throttle, ...]
    mappings: tuple[StreamMapping, ...]
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...]
    not_understood: tuple[str, ...]
    retry_after_s: Mapping[Refusal, float] = field(default_factory=dict)

    @property
    def total_reserved(self) -> int:
        """The sum of all reservations, which the account must be able to reserve when the stack is created."""
        return sum(function.reserved_concurrency or 0 for function in self.functions.values())

    def without_reservations(self) -> Topology:
        """Return the same topology with all functions in the account's pool."""
        functions = {name: replace(one, reserved_concurrency=None) for name, one in self.functions.items()}
        return replace(self, functions=functions)
