"""Stream consumers that reserve more than the pollers of their streams can use, and functions that a 0 switches off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product
from operator import attrgetter
from typing import NamedTuple

from generator.checks.quota.functions import (
    added,
    function_references,
    functions,
    poller_name,
    reservations,
    sam_events,
    worst_of_each,
)
from generator.checks.quota.variants import Variant
from generator.template.alternatives import Alternative, Figure, Location, Missing, branches, present, stated_figures
from generator.template.dependencies import VARIABLE
from generator.template.guards import Guard, merge, when
from generator.template.intrinsics import Json, template_text
from generator.template.model import Template
from generator.template.search import Choice, heaviest, possible

STREAM_ARNS = {
    "AWS::Kinesis::Stream": "Arn",
    "AWS::DynamoDB::Table": "StreamArn",
    "AWS::DynamoDB::GlobalTable": "StreamArn",
    "AWS::Serverless::SimpleTable": "StreamArn",
}
"""The attribute of each stream, or table with a stream, that an event source mapping names."""

SAM_STREAM_EVENTS = ("Kinesis", "DynamoDB")

MAX_TRIED = 20
"""Mappings of one function of which each is tried as the one that exists."""

Poller = list[Choice]
"""The batches that one mapping or event may run at once. They count negative, because they reduce the surplus."""


class Surplus(NamedTuple):
    """A deployment in which a function reserves more than its streams' pollers can run at once."""

    function: str
    reserved: int
    location: Location
    pollers: tuple[tuple[str, int], ...]
    """Each mapping, or SAM event, with the most that it runs at once."""

    scenario: Guard

    @property
    def usable(self) -> int:
        """The most that all pollers together run at once."""
        return sum(lanes for _, lanes in self.pollers)

    @property
    def unused(self) -> int:
        """The part of the reservation that no poller can ever use."""
        return self.reserved - self.usable


def surpluses(variants: Iterable[Variant], shards: int = 0) -> list[Surplus]:
    """Return the worst deployment of each function that only streams invoke and that reserves more than they can use.

    `shards` is the number for streams whose shards the template does not state; 0 leaves such functions alone.
    """
    return worst_of_each(variants, partial(_surplus, shards=shards), attrgetter("function"), attrgetter("unused"))


def switched_off(variants: Iterable[Variant]) -> list[Figure]:
    """Return every place that gives a function a reservation of 0, with the first deployment that has it."""
    found = (
        figure
        for variant in variants
        for function in functions(variant.template)
        for figure in reservations(variant.template, function)
        if figure.number == 0 and possible(variant.space, figure.guard)
    )
    by_location: dict[Location, Figure] = {}
    for figure in found:
        by_location.setdefault(figure.location, figure)
    return list(by_location.values())


def _surplus(variant: Variant, function: str, shards: int) -> Iterator[Surplus]:
    reserved = added(reservations(variant.template, function))
    pollers = _pollers(variant.template, function, shards) if reserved else None
    if not pollers:
        return
    combinations_ = (
        heaviest(variant.space, [reserved, *_with_first_running(pollers, first)])
        for first in range(min(len(pollers), MAX_TRIED))
    )
    combinations = [combination for combination in combinations_ if combination and combination.weight > 0]
    if not combinations:
        return
    combination = max(combinations, key=lambda combination: combination.weight)
    chosen = [(choice.weight, choice.figure) for choice in combination.choices if choice.figure]
    weight, figure = next(one for one in chosen if one[0] > 0)
    yield Surplus(
        function=function,
        reserved=weight,
        location=figure.location,
        pollers=tuple(sorted((poller_name(figure.location), -weight) for weight, figure in chosen if weight < 0)),
        scenario=combination.guard,
    )


def _with_first_running(pollers: list[Poller], first: int) -> list[Poller]:
    """Demand that one of the mappings exists: a function whose mappings are all absent is no stream consumer."""
    running = [choice for choice in pollers[first] if choice.figure]
    return [running, *pollers[:first], *pollers[first + 1 :]]


def _pollers(template: Template, function: str, shards: int) -> list[Poller] | None:
    """Return the pollers of a function; None if anything else invokes it, or may."""
    references = function_references(template)
    targets = [function, *references.qualifiers(function)]
    pollers = [_sam_event(template, function, event, shards) for event in sam_events(template, function)]
    pollers += [
        _event_source(template, event_source, targets, shards) for event_source in references.event_sources(targets)
    ]
    streams = [poller for poller in pollers if poller is not None]
    return streams if len(streams) == len(pollers) and not references.has_other_invoker(function, targets) else None


def _sam_event(template: Template, function: str, name: str, shards: int) -> Poller | None:
    kinds = branches(template, function, "Events", name, "Type")
    if any(kind.value not in SAM_STREAM_EVENTS for kind in kinds):
        return None
    return _lanes(template, function, ("Events", name, "Properties"), "Stream", shards)


def _event_source(template: Template, logical_id: str, targets: list[str], shards: int) -> Poller | None:
    """Return the poller of an event source mapping. A conditional one may also be absent."""
    sides = branches(template, logical_id, "FunctionName")
    if not all(function_references(template).referenced(side.value) & {*targets} for side in sides):
        return None
    running = _lanes(template, logical_id, (), "EventSourceArn", shards)
    condition = template.resources[logical_id].get("Condition")
    if running is None or not isinstance(condition, str):
        return running
    return [*running, Choice(0, when(condition, holds=False), None)]


def _lanes(template: Template, owner: str, prefix: tuple[str, ...], stream: str, shards: int) -> Poller | None:
    """Return shards times parallelization factor; empty if one is not stated, None if the source is not a stream.

    The factor is 1 unless stated. Source: Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis
    Data Streams": a factor of 2 and 100 shards make at most 200 concurrent invocations.
    """
    arns = list(branches(template, owner, *prefix, stream))
    if any(_stream(template, arn.value) is None for arn in arns):
        return None
    choices = []
    for arn, factor in product(arns, stated_figures(template, owner, *prefix, "ParallelizationFactor")):
        lanes_per_shard = 1 if factor.number is Missing.ABSENT else factor.known() or 0
        for count, guard in _shards(template, arn, shards) if lanes_per_shard else []:
            both = merge(arn.guard, factor.guard, guard)
            if both is not None:
                choices.append(Choice(-count * lanes_per_shard, both, Figure(count, both, arn.location)))
    return choices


def _shards(template: Template, arn: Alternative, unstated: int) -> Iterable[tuple[int, Guard]]:
    """Yield the shards that a stream may have. Where none is stated, assume `unstated` + 1, as such streams split."""
    stream = _stream(template, arn.value)
    if stream is None:
        return
    guess = [unstated + 1] if unstated > 0 else []
    if template.resources[stream].get("Type") != "AWS::Kinesis::Stream":
        guard = present(template, stream)
        yield from ((count, guard) for count in guess if guard is not None)
        return
    for figure in stated_figures(template, stream, "ShardCount"):
        counts = [number] if (number := figure.known()) else guess
        yield from ((count, figure.guard) for count in counts)


def _stream(template: Template, arn: Json) -> str | None:
    """Return the Kinesis stream or DynamoDB table of this template behind an ARN, or behind a stream consumer's."""
    name, attribute = _attribute(arn)
    if name not in template.resources:
        return None
    if template.resources[name].get("Type") == "AWS::Kinesis::StreamConsumer":
        is_consumer = attribute in ("ConsumerARN", None)
        name, attribute = _attribute(template.properties(name).get("StreamARN")) if is_consumer else ("", None)
    kind = template.resources.get(name, {}).get("Type")
    return name if attribute is not None and attribute == STREAM_ARNS.get(str(kind)) else None


def _attribute(value: Json) -> tuple[str, str | None]:
    """Return the logical id and the attribute that an expression refers to; ("", None) for anything else."""
    whole = VARIABLE.fullmatch(template_text(value) or "")
    name, _, attribute = whole[1].partition(".") if whole else ("", "", "")
    return name, attribute or None
