"""Finds stream consumers that reserve more than the pollers of their streams can ever use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product
from typing import Any

from cfnlint.template import Template

from generator.checks.reservations.branches import MAX_OPTIONS, Branch, Missing, branches, present
from generator.checks.reservations.functions import is_reference, reservations, worst_of_each
from generator.checks.reservations.guards import Guard, Path, merge, when
from generator.checks.reservations.invokers import has_other_invoker, mappings, qualifiers, sam_events
from generator.checks.reservations.search import Candidate, Item, heaviest
from generator.checks.reservations.source import Source
from generator.checks.reservations.values import Option, options

SAM_STREAM_EVENTS = ("Kinesis", "DynamoDB")


@dataclass(frozen=True, slots=True)
class Surplus:
    """A deployment in which a function reserves more than its streams' pollers can run at once."""

    function: str
    reserved: int
    path: Path
    pollers: tuple[tuple[str, int], ...]
    """Each mapping, or SAM event, with the most that it runs at once."""

    scenario: Guard

    @property
    def usable(self) -> int:
        """The most that all of them run at once."""
        return sum(lanes for _, lanes in self.pollers)

    @property
    def unused(self) -> int:
        """What no poller can ever use."""
        return self.reserved - self.usable


def surpluses(template: Template, shards: int) -> list[Surplus]:
    """The worst deployment of each function that only streams invoke and that reserves more than they can use.

    `shards` is the number for streams whose shards the template does not tell; 0 leaves such functions alone.
    """
    return worst_of_each(
        template, lambda source, function: _surplus(source, function, shards), lambda surplus: surplus.unused
    )


def _surplus(source: Source, function: str, shards: int) -> Surplus | None:
    reserved: Item = [
        Candidate(number, option.guard, option)
        for option in reservations(source, function)
        if (number := option.known())
    ]
    pollers = _pollers(source, function, shards) if reserved else None
    if not pollers:
        return None
    found = (heaviest(source, [reserved, *_with_first_running(pollers, first)]) for first in range(len(pollers)))
    combinations = [combination for combination in found if combination and combination.weight > 0]
    if not combinations:
        return None
    combination = max(combinations, key=lambda combination: combination.weight)
    picks = [(pick.weight, pick.option) for pick in combination.picks if pick.option]
    weight, option = next(pick for pick in picks if pick[0] > 0)
    return Surplus(
        function=function,
        reserved=weight,
        path=option.path,
        pollers=tuple(sorted((_name(option.path), -weight) for weight, option in picks if weight < 0)),
        scenario=combination.guard,
    )


def _with_first_running(pollers: list[Item], first: int) -> list[Item]:
    """A function whose mappings are all conditional must have one that is there, or it is no stream consumer."""
    running = [candidate for candidate in pollers[first] if candidate.option]
    return [running, *pollers[:first], *pollers[first + 1 :]]


def _pollers(source: Source, function: str, shards: int) -> list[Item] | None:
    """What each mapping of a function may run at once; None when anything else invokes it, or may."""
    own = [function, *qualifiers(source, function)]
    items = [_sam_event(source, function, event, shards) for event in sam_events(source, function)]
    items += [_mapping(source, mapping, own, shards) for mapping in mappings(source, own)]
    streams = [item for item in items if item is not None]
    return streams if len(streams) == len(items) and not has_other_invoker(source, function, own) else None


def _sam_event(source: Source, function: str, name: str, shards: int) -> Item | None:
    kinds = branches(source, function, "Events", name, "Type")
    if any(kind.value not in SAM_STREAM_EVENTS for kind in kinds):
        return None
    return _lanes(source, function, ("Events", name, "Properties"), "Stream", shards)


def _mapping(source: Source, mapping: str, own: list[str], shards: int) -> Item | None:
    """A conditional mapping may also not be there."""
    targets = branches(source, mapping, "FunctionName")
    if not all(any(is_reference(source, branch.value, target) for target in own) for branch in targets):
        return None
    running = _lanes(source, mapping, (), "EventSourceArn", shards)
    condition = source.resources[mapping].get("Condition")
    if running is None or not isinstance(condition, str):
        return running
    return [*running, Candidate(0, when(condition, False), None)]


def _lanes(source: Source, owner: str, prefix: tuple[str, ...], stream: str, shards: int) -> Item | None:
    """Shards times parallelization factor; none where one is not told, and None when the source is not a stream.

    Source: Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams": a factor of 2
    and 100 shards make 200 concurrent invocations at the most. The factor is 1 unless stated.
    """
    arns = branches(source, owner, *prefix, stream)
    if any(_stream(source, arn.value) is None for arn in arns):
        return None
    found = []
    for arn, factor in product(arns, options(source, owner, *prefix, "ParallelizationFactor")):
        lanes_per_shard = 1 if factor.number is Missing.ABSENT else factor.known() or 0
        for count, guard in _shards(source, arn, shards) if lanes_per_shard else []:
            both = merge(arn.guard, factor.guard, guard)
            if both is not None:
                found.append(Candidate(-count * lanes_per_shard, both, Option(count, both, arn.path)))
    return nsmallest(MAX_OPTIONS, found, key=lambda candidate: -candidate.weight)


def _shards(source: Source, arn: Branch, unstated: int) -> Iterable[tuple[int, Guard]]:
    """How many shards a stream has; one more where the template does not tell, for such streams split by themselves."""
    stream = _stream(source, arn.value)
    if stream is None:
        return
    guess = [unstated + 1] if unstated > 0 else []
    if source.resources[stream].get("Type") != "AWS::Kinesis::Stream":
        guard = present(source, stream)
        yield from ((count, guard) for count in guess if guard is not None)
        return
    for option in options(source, stream, "ShardCount"):
        counts = [number] if (number := option.known()) else guess
        yield from ((count, option.guard) for count in counts)


def _stream(source: Source, arn: Any) -> str | None:
    """The Kinesis stream or DynamoDB table of this template behind an ARN, through a stream consumer if need be."""
    for consumer in source.of_type("AWS::Kinesis::StreamConsumer"):
        properties = source.resources[consumer].get("Properties")
        if _is_attribute(arn, consumer, "ConsumerARN") or arn == {"Ref": consumer}:
            arn = properties.get("StreamARN") if isinstance(properties, dict) else None
            break
    return next((stream for stream, attribute in _sources(source) if _is_attribute(arn, stream, attribute)), None)


def _is_attribute(value: Any, resource: str, attribute: str) -> bool:
    return value in ({"Fn::GetAtt": [resource, attribute]}, {"Fn::GetAtt": f"{resource}.{attribute}"})


def _sources(source: Source) -> Iterator[tuple[str, str]]:
    yield from ((stream, "Arn") for stream in source.of_type("AWS::Kinesis::Stream"))
    tables = source.of_type("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::Serverless::SimpleTable")
    yield from ((table, "StreamArn") for table in tables)


def _name(path: Path) -> str:
    """The mapping's logical id, or that of the function and the event's name."""
    return f"{path[1]}.{path[4]}" if path[3] == "Events" else str(path[1])
