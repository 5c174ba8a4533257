"""SQS event source mappings that ask for more than their function reserves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from generator.aws import MIN_RECEIVES, STARTING_POLLERS
from generator.checks.quota.deployed import Deployed
from generator.checks.quota.functions import (
    RESERVED,
    deducted,
    functions,
    poller_name,
    reservations,
    sam_events,
    stated_above_0,
    usage,
    within,
)
from generator.checks.quota.provisioned import LEFT_OUT
from generator.template.alternatives import Location, Missing, Option, branches, options
from generator.template.dependencies import names
from generator.template.guards import Guard
from generator.template.model import Template
from generator.template.search import Candidate, Combination, heaviest

QUEUE = "AWS::SQS::Queue"

MAXIMUM = ("ScalingConfig", "MaximumConcurrency")

REDRIVE = ("RedrivePolicy", "maxReceiveCount")

PROVISIONED_POLLERS = "ProvisionedPollerConfig"
"""With it, a mapping starts with as many pollers as it states. Source: AWS Lambda Developer Guide, "Using provisioned
mode with an Amazon SQS event source mapping"."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A deployment in which SQS may invoke a function more often at once than it reserves."""

    function: str
    reserved: int
    demand: int
    """What the mapping states or, for a queue that loses messages, what all pollers of the function start with."""
    location: Location
    """Of the mapping's maximum, or of the queue's maxReceiveCount."""
    scenario: Guard
    receives: int = 0
    """The queue's maxReceiveCount."""

    @property
    def name(self) -> str:
        """The logical id of the mapping or of the queue; for an event of SAM, the function's and the event's name."""
        return poller_name(self.location)


@dataclass(frozen=True, slots=True)
class _Source:
    """An event source mapping of a function, or an event of SAM, where its guard holds."""

    owner: str
    prefix: tuple[str, ...]
    queue: str
    """The property that names the queue."""
    guard: Guard


def above_reservation(stacks: Iterable[Deployed]) -> list[Demand]:
    """Return the worst deployment of each mapping that states a maximum concurrency above its function's reservation.

    Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings". Lambda refuses
    such a mapping.
    """
    return _worst(stacks, _above)


def throttled_pollers(stacks: Iterable[Deployed]) -> list[Demand]:
    """Return the worst deployment of each queue whose messages reach the dead-letter queue because of throttles.

    A throttled poller has received its messages, so each throttle counts towards the queue's maxReceiveCount. Source:
    AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping": a maxReceiveCount of at
    least 5, and a reservation of at least five. The concurrency of FIFO queues depends on their message groups, which
    no template states.
    """
    return _worst(stacks, _throttled)


def _worst(stacks: Iterable[Deployed], found_in: Callable[[Deployed, str], Iterator[Demand]]) -> list[Demand]:
    worst: dict[tuple[str, str], Demand] = {}
    for stack in stacks:
        for function in functions(stack.template):
            for found in found_in(stack, function):
                key = (function, found.name)
                if key not in worst or found.demand - found.reserved > worst[key].demand - worst[key].reserved:
                    worst[key] = found
    return list(worst.values())


def _above(stack: Deployed, function: str) -> Iterator[Demand]:
    reserved = deducted(reservations(stack.template, function))
    for source in _sources(stack.template, function) if reserved else ():
        maxima = within(options(stack.template, source.owner, *source.prefix, *MAXIMUM), [source.guard])
        demands = stated_above_0(maxima)
        found = heaviest(stack.deployments, [demands, reserved]) if demands else None
        if found and found.weight > 0:
            maximum, units = _picked(found, MAXIMUM[0]), _known(_picked(found, RESERVED))
            yield Demand(function, units, _known(maximum), maximum.location, found.guard)


def _throttled(stack: Deployed, function: str) -> Iterator[Demand]:
    reserved = [one for one in deducted(reservations(stack.template, function)) if one.weight < 0]
    sources = list(_sources(stack.template, function)) if reserved else []
    demands = [_starting(stack.template, source) for source in sources]
    for own, source in enumerate(sources):
        receives = [option for queue in _queues(stack.template, source) for option in queue]
        low = [Candidate(0, option.guard, option) for option in receives if 0 < _known(option) < MIN_RECEIVES]
        others = [[LEFT_OUT, *demand] for number, demand in enumerate(demands) if number != own]
        if not low or not demands[own]:
            continue
        found = heaviest(stack.deployments, [low, reserved, demands[own], *others])
        if found and found.weight > 0:
            queue, units = _picked(found, REDRIVE[0]), _known(_picked(found, RESERVED))
            yield Demand(function, units, found.weight + units, queue.location, found.guard, _known(queue))


def _starting(template: Template, source: _Source) -> list[Candidate[Option]]:
    """Return how many batches the pollers of a mapping run at once when they start."""
    pollers = branches(template, source.owner, *source.prefix, PROVISIONED_POLLERS)
    if any(side.value is not Missing.ABSENT for side in pollers):
        return []
    found = within(options(template, source.owner, *source.prefix, *MAXIMUM), [source.guard])
    starts = [(STARTING_POLLERS if one.number is Missing.ABSENT else one.known() or 0, one) for one in found]
    return [Candidate(start, option.guard, option) for start, option in starts if start]


def _queues(template: Template, source: _Source) -> Iterator[list[Option]]:
    """Yield the maxReceiveCount of each standard queue of the template that a mapping may read."""
    for side in branches(template, source.owner, *source.prefix, source.queue):
        for queue in sorted({*names(side.value)}):
            is_queue = queue in template.resources and template.resources[queue].get("Type") == QUEUE
            if is_queue and all(
                fifo.value in (Missing.ABSENT, False) for fifo in branches(template, queue, "FifoQueue")
            ):
                yield within(options(template, queue, *REDRIVE), [side.guard])


def _sources(template: Template, function: str) -> Iterator[_Source]:
    used = usage(template)
    own = [function, *used.qualifiers(function)]
    for mapping in used.mappings(own):
        for side in branches(template, mapping, "FunctionName"):
            if used.referenced(side.value) & {*own}:
                yield _Source(mapping, (), "EventSourceArn", side.guard)
    for event in sam_events(template, function):
        for side in branches(template, function, "Events", event, "Type"):
            if side.value == "SQS":
                yield _Source(function, ("Events", event, "Properties"), "Queue", side.guard)


def _picked(found: Combination[Option], key: str) -> Option:
    return next(pick.option for pick in found.picks if pick.option and key in pick.option.location)


def _known(option: Option) -> int:
    return option.known() or 0
