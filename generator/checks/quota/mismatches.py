"""Functions whose reservation contradicts something else in the template: each kind in its worst deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from generator.aws import MIN_RECEIVES, STARTING_POLLERS
from generator.checks.quota.functions import (
    EVENT_SOURCE_MAPPING,
    LEFT_OUT,
    EventSource,
    added,
    deducted,
    function_references,
    functions,
    provisions,
    reservations,
    within,
)
from generator.checks.quota.variants import Variant
from generator.template.alternatives import (
    Figure,
    Location,
    Missing,
    alternatives,
    branches,
    present,
    stated_figures,
)
from generator.template.dependencies import VARIABLE, names
from generator.template.guards import Guard, merge, when
from generator.template.intrinsics import Json, literal_text, template_text
from generator.template.model import Template
from generator.template.search import Choice, Decision, heaviest, possible

STREAM_ARNS = {
    "AWS::Kinesis::Stream": "Arn",
    "AWS::DynamoDB::Table": "StreamArn",
    "AWS::DynamoDB::GlobalTable": "StreamArn",
    "AWS::Serverless::SimpleTable": "StreamArn",
}
"""The attribute of each stream, or table with a stream, that an event source mapping names."""

STREAM_KINDS = (EVENT_SOURCE_MAPPING, "Kinesis", "DynamoDB")

QUEUE_KINDS = (EVENT_SOURCE_MAPPING, "SQS")

MAX_TRIED = 20
"""Event sources of one function to try in turn: as the one that exists, or as the one whose queue loses messages."""

SQS_MAXIMUM = ("ScalingConfig", "MaximumConcurrency")

REDRIVE = ("RedrivePolicy", "maxReceiveCount")

PROVISIONED_POLLERS = "ProvisionedPollerConfig"
"""With it, a mapping starts with as many pollers as it states. Source: AWS Lambda Developer Guide, "Using provisioned
mode with an Amazon SQS event source mapping"."""


class Mismatch(NamedTuple):
    """A deployment in which a function reserves too much or too little for something else."""

    function: str
    reserved: int
    gap: int
    """The part of the reservation that is too much, or what it lacks."""
    location: Location
    """The place to report."""
    scenario: Guard
    source: str = ""
    """The mapping or queue, or another name for what may be wrong several times with one function."""
    parts: tuple[tuple[str, int], ...] = ()
    """The figures that the reservation does not match, each with its name."""
    receives: int = 0
    """The maxReceiveCount of the queue."""


_Found = tuple[Mismatch, list[tuple[Figure, int]]]
"""A mismatch with the figures beside the reservation, each with the absolute value of its weight."""

Finder = Callable[..., Iterable[Mismatch]]
"""Called with a variant, the id of a function and the settings of a rule."""


def mismatches(find: Finder, variants: Iterable[Variant], **settings: int) -> list[Mismatch]:
    """Return the worst of the mismatches that `find` yields for each function and source."""
    worst: dict[tuple[str, str], Mismatch] = {}
    for variant in variants:
        for function in functions(variant.template):
            for found in find(variant, function, **settings):
                known = worst.setdefault((function, found.source), found)
                if found.gap > known.gap:
                    worst[function, found.source] = found
    return list(worst.values())


def excess(variant: Variant, function: str) -> Iterator[Mismatch]:
    """Yield the deployment in which provisioned concurrency exceeds a function's reservation the most."""
    choices = [added(figures) for figures in provisions(variant.template, function)]
    provisioned = [[LEFT_OUT, *figures] for figures in choices if figures]
    reserved = deducted(reservations(variant.template, function)) if provisioned else []
    for mismatch, figures in _heaviest(variant, reserved, provisioned):
        figures.sort(key=lambda chosen: (-chosen[1], str(chosen[0].location[1])))
        parts = tuple((str(figure.location[1]), number) for figure, number in figures)
        yield mismatch._replace(location=figures[0][0].location, parts=parts)


def switched_off(variant: Variant, function: str) -> Iterator[Mismatch]:
    """Yield every place that gives a function a reservation of 0."""
    for figure in reservations(variant.template, function):
        if figure.number == 0 and possible(variant.space, figure.guard):
            yield Mismatch(function, 0, 0, figure.location, figure.guard, source=str(figure.location))


def surplus(variant: Variant, function: str, shards: int = 0) -> Iterator[Mismatch]:
    """Yield the deployment in which a function that only streams invoke reserves most beyond what they can use.

    `shards` is the number for streams whose shards the template does not state; 0 leaves such functions alone.
    """
    reserved = added(reservations(variant.template, function))
    pollers = (_pollers(variant.template, function, shards) if reserved else None) or []
    found: list[_Found] = []
    for poller in pollers[:MAX_TRIED]:
        # A function whose mappings are all absent is no stream consumer, so one of them has to exist.
        running = [choice for choice in poller if choice.figure]
        others = [other for other in pollers if other is not poller]
        found += _heaviest(variant, reserved, [running, *others])
    if found:
        mismatch, lanes = max(found, key=lambda one: one[0].gap)
        parts = sorted((_source_name(figure.location), number) for figure, number in lanes)
        yield mismatch._replace(parts=tuple(parts))


def above_reservation(variant: Variant, function: str) -> Iterator[Mismatch]:
    """Yield the worst deployment of each mapping that states a maximum concurrency above its function's reservation.

    Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings". Lambda refuses
    such a mapping.
    """
    reserved = deducted(reservations(variant.template, function))
    for source in function_references(variant.template).event_sources(function) if reserved else ():
        maxima = added(_maxima(variant.template, source))
        for mismatch, ((maximum, _),) in _heaviest(variant, reserved, [maxima]):
            yield mismatch._replace(location=maximum.location, source=_source_name(maximum.location))


def throttled_pollers(variant: Variant, function: str) -> Iterator[Mismatch]:
    """Yield the worst deployment of each queue whose messages reach the dead-letter queue because of throttles.

    A throttled poller has received its messages, so each throttle counts towards the queue's maxReceiveCount. Source:
    AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping": a maxReceiveCount of at
    least 5, and a reservation of at least five. The concurrency of FIFO queues depends on their message groups, which
    no template states.
    """
    template = variant.template
    # A reservation of 0 is another finding.
    reserved = [choice for choice in deducted(reservations(template, function)) if choice.weight < 0]
    events = function_references(template).event_sources(function) if reserved else []
    sources = [source for source in events if any(kind in QUEUE_KINDS for kind, _ in source.kinds)]
    started = [_started(template, source) for source in sources]
    for source, pollers in zip(sources[:MAX_TRIED], started, strict=False):
        counts = [figure for figure in _receive_counts(template, source) if 0 < (figure.known() or 0) < MIN_RECEIVES]
        low = [Choice(0, figure.guard, figure) for figure in counts]
        others = [[LEFT_OUT, *other] for other in started if other is not pollers]
        for mismatch, figures in _heaviest(variant, reserved, [low, pollers, *others]):
            for count in (figure for figure, _ in figures if figure in counts):
                name, receives = _source_name(count.location), count.known() or 0
                yield mismatch._replace(location=count.location, source=name, receives=receives)


def _heaviest(variant: Variant, reserved: Decision, others: Sequence[Decision]) -> Iterator[_Found]:
    """Yield the mismatch of the reservation in the heaviest combination with the others, if that weighs more than 0."""
    decisions = [reserved, *others]
    combination = heaviest(variant.space, decisions) if all(decisions) else None
    if combination is None or combination.weight <= 0:
        return
    figures = [choice.figure for choice in reserved]
    chosen = [(choice.figure, abs(choice.weight)) for choice in combination.choices if choice.figure]
    beside = [one for one in chosen if one[0] not in figures]
    for figure, units in chosen:
        if figure in figures:
            location = figure.location
            yield Mismatch(str(location[1]), units, combination.weight, location, combination.guard), beside


def _source_name(location: Location) -> str:
    """Return a mapping's or queue's logical id, or that of a SAM function and its event's name."""
    return f"{location[1]}.{location[4]}" if location[3] == "Events" else str(location[1])


def _maxima(template: Template, source: EventSource) -> list[Figure]:
    """Return the maximum concurrency of a mapping, where it may read a queue for the function."""
    guards = [guard for kind, guard in source.kinds if kind in QUEUE_KINDS]
    return within(stated_figures(template, *source.place, *SQS_MAXIMUM), guards)


def _started(template: Template, source: EventSource) -> list[Choice]:
    """Return the number of batches that the pollers of a mapping run at once when they start."""
    if any(side.value is not Missing.ABSENT for side in branches(template, *source.place, PROVISIONED_POLLERS)):
        return []
    enabled = alternatives(template, *source.place, "Enabled")
    polling = [side.guard for side in enabled if literal_text(side.value) != "false"]
    starts = [
        (STARTING_POLLERS if maximum.number is Missing.ABSENT else maximum.known(), maximum)
        for maximum in within(_maxima(template, source), polling)
    ]
    return [Choice(start, figure.guard, figure) for start, figure in starts if start]


def _receive_counts(template: Template, source: EventSource) -> Iterator[Figure]:
    """Yield every maxReceiveCount of each standard queue of the template that a mapping may read."""
    for side in branches(template, *source.place, "Queue" if source.is_sam else "EventSourceArn"):
        for queue in sorted({*names(side.value)}):
            is_queue = template.resources.get(queue, {}).get("Type") == "AWS::SQS::Queue"
            fifo = (branch.value for branch in branches(template, queue, "FifoQueue")) if is_queue else (True,)
            if all(value in (Missing.ABSENT, False) for value in fifo):
                yield from within(stated_figures(template, queue, *REDRIVE), [side.guard])


def _pollers(template: Template, function: str, shards: int) -> list[list[Choice]] | None:
    """Return the batches that each event source of a function may run at once; None if anything but streams invokes it.

    They count negative, because they reduce the surplus.
    """
    references = function_references(template)
    sources = references.event_sources(function)
    kinds = {kind for source in sources for kind, _ in source.kinds}
    if not kinds.issubset(STREAM_KINDS) or references.has_other_invoker(function):
        return None
    pollers = [_lanes(template, source, shards) for source in sources]
    known = [poller for poller in pollers if poller is not None]
    return known if len(known) == len(pollers) else None


def _lanes(template: Template, source: EventSource, shards: int) -> list[Choice] | None:
    """Return shards times parallelization factor where both are known, or None if the source is not a stream.

    A mapping with a condition may also be absent, which is a choice of 0.

    The factor is 1 unless stated. Source: Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis
    Data Streams": a factor of 2 and 100 shards make at most 200 concurrent invocations.
    """
    choices = []
    factors = stated_figures(template, *source.place, "ParallelizationFactor")
    for arn in branches(template, *source.place, "Stream" if source.is_sam else "EventSourceArn"):
        stream = _stream(template, arn.value)
        if stream is None:
            return None
        for factor, (count, guard) in product(factors, list(_shards(template, stream, shards))):
            lanes = count * (1 if factor.number is Missing.ABSENT else factor.known() or 0)
            both = merge(arn.guard, factor.guard, guard)
            if lanes and both is not None:
                choices.append(Choice(-lanes, both, Figure(lanes, both, arn.location)))
    condition = template.resources[source.place[0]].get("Condition")
    if isinstance(condition, str) and not source.is_sam:
        choices.append(Choice(0, when(condition, holds=False), None))
    return choices


def _shards(template: Template, stream: str, unstated: int) -> Iterator[tuple[int, Guard]]:
    """Yield the shards that a stream may have. Where none is stated, assume `unstated` + 1, as such streams split."""
    guess = unstated + 1 if unstated > 0 else 0
    if template.resources[stream].get("Type") == "AWS::Kinesis::Stream":
        figures = stated_figures(template, stream, "ShardCount")
        counts = [(figure.known() or guess, figure.guard) for figure in figures]
    else:
        guard = present(template, stream)
        counts = [(guess, guard)] if guard is not None else []
    return (one for one in counts if one[0])


def _stream(template: Template, arn: Json) -> str | None:
    """Return the Kinesis stream or DynamoDB table of this template behind an ARN, or behind a stream consumer's."""
    name, attribute = _attribute(arn)
    if template.resources.get(name, {}).get("Type") == "AWS::Kinesis::StreamConsumer":
        is_consumer = attribute in ("ConsumerARN", "")
        name, attribute = _attribute(template.properties(name).get("StreamARN")) if is_consumer else ("", "")
    kind = str(template.resources.get(name, {}).get("Type"))
    return name if attribute and attribute == STREAM_ARNS.get(kind) else None


def _attribute(value: Json) -> tuple[str, str]:
    """Return the logical id and the attribute that an expression refers to; empty for anything else."""
    whole = VARIABLE.fullmatch(template_text(value) or "")
    name, _, attribute = whole[1].partition(".") if whole else ("", "", "")
    return name, attribute
