"""Read the topology of a parsed template.

A resource that cannot be read is left out and listed in `Topology.not_understood` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from generator.errors import Fault, UnreadableTemplate
from generator.simulation.topology import api_gateway, event_sources
from generator.simulation.topology.functions import note_provisioned, read_function
from generator.simulation.topology.model import Refusal, Throttle, Topology
from generator.simulation.topology.resources import ALIAS, FUNCTION, MALFORMED, NOT_LISTED, SERVICES, VERSION
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json
from generator.template.reading import parse

T = TypeVar("T")


def read_topology(template: Json, where: str = "template") -> Topology:
    """Return the topology of a parsed template. `where` names the template in faults.

    Raises UnreadableTemplate if it is not a template or if no API method in it invokes a function.
    """
    if not isinstance(template, Mapping) or not isinstance(template.get("Resources"), Mapping):
        raise UnreadableTemplate([Fault(where, "it has no Resources", "name a CloudFormation template")])
    try:
        topology = _Reader(Evaluator(parse(template))).topology()
    except RecursionError as error:
        raise UnreadableTemplate([Fault(where, "it is nested too deeply", "write it with fewer levels")]) from error
    if not topology.webhook_functions:
        why = "; ".join(("no API method in it invokes a function", *topology.not_understood))
        raise UnreadableTemplate([Fault(where, why, "simulate a template whose API invokes a function")])
    return topology


class _Reader:
    """Reads one template and collects a note for each resource that raises Unknown."""

    def __init__(self, template: Evaluator) -> None:
        self._template = template
        self._unclear: list[str] = []
        self._read = set(NOT_LISTED)

    def topology(self) -> Topology:
        functions = {function.logical_id: function for function in self._each(read_function, FUNCTION)}
        methods: dict[str, str] = {}
        for function, method in self._each(api_gateway.integration, api_gateway.METHOD):
            if function in functions:
                methods.setdefault(function, method)
        plans: Sequence[Throttle] = [*self._each(api_gateway.usage_plan, api_gateway.USAGE_PLAN)]
        if methods:
            plans = self._applying(plans, next(iter(methods.values())))
        retry_after_s = self._retry_after_s(next(iter(methods.values()), ""))
        self._unclear += [
            *self._each(note_provisioned, ALIAS),
            *self._each(note_provisioned, VERSION),
        ]
        unclear_roles = (f"{name}: {function.unclear}" for name, function in functions.items() if function.unclear)
        return Topology(
            functions=functions,
            webhook_functions=tuple(methods),
            throttles=(*plans, *self._stages(next(iter(methods.values()), ""))),
            mappings=tuple(self._each(event_sources.stream_mapping, event_sources.MAPPING)),
            subscriptions=tuple(self._each(event_sources.subscription, event_sources.SUBSCRIPTION)),
            schedules=(
                *self._each(event_sources.schedule, event_sources.SCHEDULE),
                *self._each(event_sources.schedule, event_sources.RULE),
            ),
            not_understood=tuple(dict.fromkeys((*self._unclear, *unclear_roles, *self._others()))),
            retry_after_s=retry_after_s,
        )

    def _each(self, read: Callable[[Evaluator, str, Json], T | None], kind: str) -> Iterator[T]:
        """Yield what `read` returns for each resource of one type, except None, which stands for no effect."""
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

    def _stages(self, method: str) -> Iterator[Throttle]:
        """Yield the limits of the stages on a method, and note their limits on others, which get no webhooks."""
        for stage, others in self._each(partial(api_gateway.stage, method=method), api_gateway.STAGE):
            if others:
                reason = f"all simulated webhooks come through {method}"
                self._unclear.append(f"{method}: the limits on {', '.join(others)} are not simulated; {reason}")
            if stage is not None:
                yield stage

    def _retry_after_s(self, method: str) -> Mapping[Refusal, float]:
        """Return the Retry-After headers of the method's API, each with the type that applies."""
        template = self._template
        api = template.references(template.properties(method).get("RestApiId")) if method else set()
        found = self._each(api_gateway.gateway_response, api_gateway.GATEWAY_RESPONSE)
        stated = {kind: wait_s for owner, kind, wait_s in found if owner == api and isinstance(kind, str)}
        waits_s = {refusal: stated.get(refusal, stated.get(refusal.default)) for refusal in Refusal}
        return {refusal: wait_s for refusal, wait_s in waits_s.items() if wait_s is not None}

    def _applying(self, plans: Sequence[Throttle], method: str) -> Sequence[Throttle]:
        """Return the usage plans that limit a method, and note why the others do not.

        Source: Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs": a plan limits the
        requests that come with its keys, and a key belongs to one plan of a stage.
        """
        if not api_gateway.requires_key(self._template, method):
            self._leave_out(plans, f"no effect, because {method} requires no API key")
            return []
        api = self._template.references(self._template.properties(method).get("RestApiId"))
        own = [plan for plan in plans if api_gateway.covers(self._template, plan, api)]
        self._leave_out([plan for plan in plans if plan not in own], "no effect, because it belongs to another API")
        own = [self._for_method(plan, method, api) for plan in own]
        if len(own) < 2:
            return own
        keys = map(self._template.properties, self._template.ids(api_gateway.USAGE_PLAN_KEY))
        keyed = self._template.references([*keys])
        named = [plan for plan in own if plan.logical_id in keyed]
        if len(named) == 1:
            self._leave_out([plan for plan in own if plan not in named], "no effect, because it has no key")
            return named
        self._leave_out(own, "the template does not determine which usage plan has the senders' key")
        return []

    def _for_method(self, plan: Throttle, method: str, api: set[str]) -> Throttle:
        """Return the plan with its limits for the method, if it has any, in place of those for all methods."""
        try:
            return api_gateway.limited(self._template, plan, method, api)
        except Unknown as unknown:
            self._leave_out([plan], f"its throttle of single methods is not simulated: {unknown}")
        except MALFORMED as error:
            self._leave_out([plan], f"its throttle of single methods has an unknown shape ({error!r})")
        return plan

    def _leave_out(self, plans: Sequence[Throttle], reason: str) -> None:
        self._unclear += (f"{plan.logical_id}: {reason}" for plan in plans)

    def _others(self) -> Iterator[str]:
        template = self._template.template
        no_resources = (*template.opaque, *template.malformed)
        yield from (f"{name}: not simulated, because it is not a resource" for name in no_resources)
        for logical_id, resource in template.resources.items():
            kind = str(resource.get("Type"))
            if kind.startswith(SERVICES) and kind not in self._read:
                yield f"{logical_id}: {kind} is not simulated"
