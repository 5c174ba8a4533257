"""SQS event source mappings that ask for more than their function reserves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from generator.aws import MIN_RECEIVES, STARTING_POLLERS
from generator.checks.quota.functions import (
    RESERVED,
    added,
    deducted,
    function_references,
    poller_name,
    reservations,
    sam_events,
    within,
    worst_of_each,
)
from generator.checks.quota.provisioned import LEFT_OUT
from generator.checks.quota.variants import Variant
from generator.template.alternatives import Figure, Location, Missing, alternatives, branches, stated_figures
from generator.template.dependencies import names
from generator.template.guards import Guard
from generator.template.intrinsics import literal_text
from generator.template.model import Template
from generator.template.search import Choice, Combination, heaviest

QUEUE = "AWS::SQS::Queue"

_KEY = attrgetter("function", "name")

MAXIMUM = ("ScalingConfig", "MaximumConcurrency")

REDRIVE = ("RedrivePolicy", "maxReceiveCount")

MAX_SOURCES = 20
"""Mappings of one function whose queues are judged. Each is judged together with all others of the function."""

PROVISIONED_POLLERS = "ProvisionedPollerConfig"
"""With it, a mapping starts with as many pollers as it states. Source: AWS Lambda Developer Guide, "Using provisioned
mode with an Amazon SQS event source mapping"."""


class Demand(NamedTuple):
    """A deployment in which SQS may invoke a function more often at once than it reserves."""

    function: str
    reserved: int
    demand: int
    """The mapping's maximum or, for a queue that loses messages, the concurrency with which all pollers start."""
    location: Location
    """Of the mapping's maximum, or of the queue's maxReceiveCount."""
    scenario: Guard
    receives: int = 0
    """The queue's maxReceiveCount."""

    @property
    def missing(self) -> int:
        """The shortfall of the reservation."""
        return self.demand - self.reserved

    @property
    def name(self) -> str:
        """The logical id of the mapping or of the queue; for an event of SAM, the function's and the event's name."""
        return poller_name(self.location)


class _EventSource(NamedTuple):
    """An event source mapping of a function, or an event of SAM, where its guard holds."""

    owner: str
    prefix: tuple[str, ...]
    queue: str
    """The property that names the queue."""
    guard: Guard


def above_reservation(variants: Iterable[Variant]) -> list[Demand]:
    """Return the worst deployment of each mapping that states a maximum concurrency above its function's reservation.

    Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings". Lambda refuses
    such a mapping.
    """
    return worst_of_each(variants, _above, _KEY, attrgetter("missing"))


def throttled_pollers(variants: Iterable[Variant]) -> list[Demand]:
    """Return the worst deployment of each queue whose messages reach the dead-letter queue because of throttles.

    A throttled poller has received its messages, so each throttle counts towards the queue's maxReceiveCount. Source:
    AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping": a maxReceiveCount of at
    least 5, and a reservation of at least five. The concurrency of FIFO queues depends on their message groups, which
    no template states.
    """
    return worst_of_each(variants, _throttled, _KEY, attrgetter("missing"))


def _above(variant: Variant, function: str) -> Iterator[Demand]:
    reserved = deducted(reservations(variant.template, function))
    for source in _event_sources(variant.template, function) if reserved else ():
        maxima = within(stated_figures(variant.template, source.owner, *source.prefix, *MAXIMUM), [source.guard])
        demands = added(maxima)
        combination = heaviest(variant.space, [demands, reserved]) if demands else None
        if combination and combination.weight > 0:
            maximum, units = _picked(combination, MAXIMUM[0]), _known(_picked(combination, RESERVED))
            yield Demand(function, units, _known(maximum), maximum.location, combination.guard)


def _throttled(variant: Variant, function: str) -> Iterator[Demand]:
    reserved = [choice for choice in deducted(reservations(variant.template, function)) if choice.weight < 0]
    sources = list(_event_sources(variant.template, function)) if reserved else []
    demands = [_starting(variant.template, source) for source in sources]
    for index, source in enumerate(sources[:MAX_SOURCES]):
        receives = [figure for queue in _queues(variant.template, source) for figure in queue]
        low = [Choice(0, figure.guard, figure) for figure in receives if 0 < _known(figure) < MIN_RECEIVES]
        others = [[LEFT_OUT, *demand] for number, demand in enumerate(demands) if number != index]
        if not low or not demands[index]:
            continue
        combination = heaviest(variant.space, [low, reserved, demands[index], *others])
        if combination and combination.weight > 0:
            queue, units = _picked(combination, REDRIVE[0]), _known(_picked(combination, RESERVED))
            yield Demand(function, units, combination.weight + units, queue.location, combination.guard, _known(queue))


def _starting(template: Template, source: _EventSource) -> list[Choice]:
    """Return the number of batches that the pollers of a mapping run at once when they start."""
    pollers = branches(template, source.owner, *source.prefix, PROVISIONED_POLLERS)
    if any(side.value is not Missing.ABSENT for side in pollers):
        return []
    enabled = alternatives(template, source.owner, *source.prefix, "Enabled")
    polling = [side.guard for side in enabled if literal_text(side.value) != "false"]
    maxima = within(stated_figures(template, source.owner, *source.prefix, *MAXIMUM), [source.guard])
    starts = [
        (STARTING_POLLERS if maximum.number is Missing.ABSENT else maximum.known() or 0, maximum)
        for maximum in within(maxima, polling)
    ]
    return [Choice(start, figure.guard, figure) for start, figure in starts if start]


def _queues(template: Template, source: _EventSource) -> Iterator[list[Figure]]:
    """Yield the maxReceiveCount of each standard queue of the template that a mapping may read."""
    for side in branches(template, source.owner, *source.prefix, source.queue):
        for queue in sorted({*names(side.value)}):
            is_queue = queue in template.resources and template.resources[queue].get("Type") == QUEUE
            if is_queue and all(
                fifo.value in (Missing.ABSENT, False) for fifo in branches(template, queue, "FifoQueue")
            ):
                yield within(stated_figures(template, queue, *REDRIVE), [side.guard])


def _event_sources(template: Template, function: str) -> Iterator[_EventSource]:
    references = function_references(template)
    targets = [function, *references.qualifiers(function)]
    for event_source in references.event_sources(targets):
        for side in branches(template, event_source, "FunctionName"):
            if references.referenced(side.value) & {*targets}:
                yield _EventSource(event_source, (), "EventSourceArn", side.guard)
    for event in sam_events(template, function):
        for side in branches(template, function, "Events", event, "Type"):
            if side.value == "SQS":
                yield _EventSource(function, ("Events", event, "Properties"), "Queue", side.guard)


def _picked(combination: Combination, key: str) -> Figure:
    return next(choice.figure for choice in combination.choices if choice.figure and key in choice.figure.location)


def _known(figure: Figure) -> int:
    return figure.known() or 0
