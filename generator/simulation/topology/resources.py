"""Read the resources of a template by type, and note each one that is left out of the topology."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from generator.simulation.topology.model import Throttle
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json

T = TypeVar("T")

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""The exceptions that reading raises if a value does not have the shape that CloudFormation requires."""

FUNCTION, ALIAS, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
TABLE = "AWS::DynamoDB::Table"

SERVICES = ("AWS::Lambda::", "AWS::Serverless::", "AWS::Scheduler::", "AWS::Events::", "AWS::ApiGatewayV2::")
"""Services whose resources are either simulated or listed as not simulated."""

NOT_LISTED = ("AWS::Lambda::Permission", INVOKE_CONFIG, "AWS::Lambda::LayerVersion")
"""Resources of `SERVICES` that are read together with another resource, or that do not change a simulation."""


class Resources:
    """The resources of one template, and notes on those that are left out, each with the reason."""

    def __init__(self, template: Evaluator) -> None:
        self.template = template
        self.notes: list[str] = []
        self._types_read = set(NOT_LISTED)

    def each(self, read: Callable[[Evaluator, str, Json], T | None], *types: str) -> Iterator[T]:
        """Yield the result of `read` for each resource of these types, except None, which stands for no effect.

        A resource for which `read` raises Unknown gets a note.
        """
        self._types_read.update(types)
        for logical_id in self.template.ids(*types):
            try:
                found = read(self.template, logical_id, self.template.properties(logical_id))
            except Unknown as unknown:
                self.notes.append(f"{logical_id}: {unknown}")
            except MALFORMED as error:
                self.notes.append(f"{logical_id}: its properties have an unknown shape ({error!r})")
            else:
                if found is not None:
                    yield found

    def leave_out(self, plans: Iterable[Throttle], reason: str) -> None:
        """Note why these usage plans are left out."""
        self.notes += (f"{plan.logical_id}: {reason}" for plan in plans)

    def unread(self) -> Iterator[str]:
        """Yield a note on each resource of `SERVICES` whose type was not read, and on loops, macros and the like."""
        template = self.template.template
        no_resources = (*template.opaque, *template.malformed)
        yield from (f"{name}: not simulated, because it is not a resource" for name in no_resources)
        for logical_id, resource in template.resources.items():
            resource_type = str(resource.get("Type"))
            if resource_type.startswith(SERVICES) and resource_type not in self._types_read:
                yield f"{logical_id}: {resource_type} is not simulated"


def functions_in(template: Evaluator, value: Json) -> set[str]:
    """Return the functions that a value refers to, directly or through an alias or a version."""
    found = template.references(value)
    for qualifier in found & {*template.ids(ALIAS, VERSION)}:
        found |= template.references(template.properties(qualifier).get("FunctionName"))
    return found & {*template.ids(FUNCTION)}


def single(found: set[str], what: str) -> str:
    """Return the only element. Raises Unknown if there is none, or more than one."""
    if len(found) != 1:
        raise Unknown(f"{what} should be one resource of this template, not {len(found)}")
    return next(iter(found))
