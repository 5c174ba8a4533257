"""Turns a template into what the simulation needs of it: who is invoked by whom, and within which limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from generator.errors import Fault, UnreadableTemplate
from generator.simulation import resources
from generator.simulation.resources import Function, Schedule, StreamMapping, Subscription, Throttle
from generator.simulation.usage_plans import applying
from generator.simulation.values import MALFORMED, Json, Template, Unknown

T = TypeVar("T")

WITHOUT_EFFECT = ("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::LayerVersion")
"""Resources of the services below that are read elsewhere or change nothing in the hour."""

SERVICES = ("AWS::Lambda::", "AWS::Serverless::", "AWS::Scheduler::", "AWS::Events::", "AWS::ApiGatewayV2::")
"""Services of which every resource is either understood or listed as not understood."""


@dataclass(frozen=True, slots=True)
class Topology:
    """One template, as far as the simulation goes. `not_understood` lists what is left out, each with the reason."""

    functions: Mapping[str, Function]
    webhook_functions: tuple[str, ...]
    throttles: tuple[Throttle, ...]
    mappings: tuple[StreamMapping, ...]
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...]
    not_understood: tuple[str, ...]

    @property
    def total_reserved(self) -> int:
        """The sum of all reservations: what must fit the account for the stack to be created."""
        return sum(function.reserved_concurrency or 0 for function in self.functions.values())


def read_topology(template: Json, where: str = "template") -> Topology:
    """Reads a parsed template, which faults call `where`.

    Raises UnreadableTemplate where it is none or nothing in it takes webhooks.
    """
    if not isinstance(template, Mapping) or not isinstance(template.get("Resources"), Mapping):
        raise UnreadableTemplate([Fault(where, "it has no Resources", "name a CloudFormation template")])
    try:
        topology = _Reader(Template(template)).topology()
    except RecursionError as error:
        raise UnreadableTemplate([Fault(where, "it is nested too deeply", "write it with fewer levels")]) from error
    if not topology.webhook_functions:
        why = "; ".join(("no API method in it invokes a function", *topology.not_understood))
        raise UnreadableTemplate([Fault(where, why, "simulate a template whose API invokes a function")])
    return topology


class _Reader:
    """One reading: whatever raises Unknown is noted and left out."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._unclear: list[str] = []
        self._read = set(WITHOUT_EFFECT)

    def topology(self) -> Topology:
        functions = {function.logical_id: function for function in self._each(resources.function, resources.FUNCTION)}
        invoked = dict.fromkeys(self._each(resources.integration, resources.METHOD))
        webhook_functions = tuple(name for name in invoked if name in functions)
        return Topology(
            functions=functions,
            webhook_functions=webhook_functions,
            throttles=(*self._usage_plans(webhook_functions), *self._each(resources.stage, resources.STAGE)),
            mappings=tuple(self._each(resources.stream_mapping, resources.MAPPING)),
            subscriptions=tuple(self._each(resources.subscription, resources.SUBSCRIPTION)),
            schedules=(
                *self._each(resources.schedule, resources.SCHEDULE),
                *self._each(resources.rule, resources.RULE),
            ),
            not_understood=tuple(dict.fromkeys((*self._unclear, *self._unclear_roles(functions), *self._others()))),
        )

    def _usage_plans(self, webhook_functions: tuple[str, ...]) -> list[Throttle]:
        """Those that limit the function that gets the webhooks."""
        plans = [*self._each(resources.usage_plan, resources.USAGE_PLAN)]
        found, notes = applying(self._template, plans, webhook_functions[0]) if webhook_functions else ([], [])
        self._unclear += notes
        return found

    def _each(self, read: Callable[[Template, str, Json], T | None], kind: str) -> Iterator[T]:
        """What `read` makes of every resource of one type; None is a resource that has no effect here."""
        self._read.add(kind)
        for logical_id in self._template.ids(kind):
            try:
                found = read(self._template, logical_id, self._template.properties(logical_id))
            except Unknown as unknown:
                self._unclear.append(f"{logical_id}: {unknown}")
            except MALFORMED as error:
                self._unclear.append(f"{logical_id}: its properties have an unknown shape ({error!r})")
            else:
                if found is not None:
                    yield found

    def _unclear_roles(self, functions: Mapping[str, Function]) -> Iterator[str]:
        return (f"{name}: {function.unclear}" for name, function in functions.items() if function.unclear)

    def _others(self) -> Iterator[str]:
        yield from (
            f"{name}: it is not written as a resource, and is not simulated" for name in self._template.malformed
        )
        for logical_id, resource in self._template.resources.items():
            kind = str(resource.get("Type"))
            if kind.startswith(SERVICES) and kind not in self._read:
                yield f"{logical_id}: {kind} is not simulated"
