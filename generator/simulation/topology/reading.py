"""Read the topology of a parsed template.

A resource that cannot be read is left out and listed in `Topology.not_understood` with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.errors import Fault, UnreadableTemplate
from generator.simulation.topology import api_gateway, event_sources
from generator.simulation.topology.functions import note_provisioned, read_function
from generator.simulation.topology.model import Topology
from generator.simulation.topology.resources import ALIAS, FUNCTION, VERSION, Resources
from generator.template.evaluation import Evaluator
from generator.template.intrinsics import Json
from generator.template.reading import parse


def read_topology(template: Json, where: str = "template") -> Topology:
    """Return the topology of a parsed template. `where` names the template in faults.

    Raises UnreadableTemplate if it is not a template or if no API method in it invokes a function.
    """
    if not isinstance(template, Mapping) or not isinstance(template.get("Resources"), Mapping):
        raise UnreadableTemplate([Fault(where, "it has no Resources", "name a CloudFormation template")])
    try:
        topology = _topology(Resources(Evaluator(parse(template))))
    except RecursionError as error:
        raise UnreadableTemplate([Fault(where, "it is nested too deeply", "write it with fewer levels")]) from error
    if not topology.webhook_functions:
        why = "; ".join(("no API method in it invokes a function", *topology.not_understood))
        raise UnreadableTemplate([Fault(where, why, "simulate a template whose API invokes a function")])
    return topology


def _topology(resources: Resources) -> Topology:
    functions = {function.logical_id: function for function in resources.each(read_function, FUNCTION)}
    methods = api_gateway.methods_by_function(resources, functions)
    method = next(iter(methods.values()), "")
    usage_plans = api_gateway.usage_plans(resources, method)
    retry_after_s = api_gateway.retry_after_s(resources, method)
    resources.notes += [*resources.each(note_provisioned, ALIAS, VERSION)]
    unclear_roles = (f"{name}: {function.unclear}" for name, function in functions.items() if function.unclear)
    return Topology(
        functions=functions,
        webhook_functions=tuple(methods),
        throttles=(*usage_plans, *api_gateway.stages(resources, method)),
        mappings=tuple(resources.each(event_sources.stream_mapping, event_sources.MAPPING)),
        subscriptions=tuple(resources.each(event_sources.subscription, event_sources.SUBSCRIPTION)),
        schedules=tuple(resources.each(event_sources.schedule, event_sources.SCHEDULE, event_sources.RULE)),
        not_understood=tuple(dict.fromkeys((*resources.notes, *unclear_roles, *resources.unread()))),
        retry_after_s=retry_after_s,
    )
