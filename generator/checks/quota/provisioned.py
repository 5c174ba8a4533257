"""Provisioned concurrency: what functions may have beside their reservations.

Versions and aliases state a figure. Application Auto Scaling may raise it to the maximum of its scalable target.
"""

from __future__ import annotations

from functools import lru_cache

from generator.aws import PROVISIONED_DIMENSION
from generator.checks.quota.functions import QUALIFIERS, function_references, functions, within
from generator.template.alternatives import Figure, Missing, alternatives, branches, stated_figures
from generator.template.dependencies import names
from generator.template.guards import ALWAYS, Guard, merge
from generator.template.intrinsics import Json, as_mapping, is_intrinsic, literal_text, plain_reference, template_text
from generator.template.model import Template, is_stored
from generator.template.search import Choice

PROVISIONED = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")

TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"

MAXIMUM = "MaxCapacity"

LEFT_OUT: Choice = Choice(0, ALWAYS, None)
"""The choice of no figure. Ignoring a figure can only lower a sum."""


def provisions(template: Template, function: str) -> list[list[Figure]]:
    """Return the figures of everything that belongs to a function: SAM's own, versions and aliases."""
    return list(_owners(template).of_function.get(function, {}).values())


def without_function(template: Template) -> list[str]:
    """Return the versions, aliases and scalable targets that provision for a function outside the template."""
    return _owners(template).without_function


class _Owners:
    """The provisioned concurrency of each function, found in one pass over the template.

    The figures of one version or alias are alternatives: Application Auto Scaling replaces what the alias states.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self.of_function: dict[str, dict[str, list[Figure]]] = {name: {} for name in functions(template)}
        self.without_function: list[str] = []
        self._of_qualifier: dict[str, list[tuple[str, str, Guard]]] = {}
        for function in self.of_function:
            alias = self._text(template.properties(function).get("AutoPublishAlias"))
            if alias:
                self._of_qualifier[f"{function}Alias{alias}"] = [(function, alias, ALWAYS)]  # SAM's logical id
            self._add(function, alias, stated_figures(template, function, *PROVISIONED))
        for qualifier in template.of_type(*QUALIFIERS):
            self._add_qualifier(qualifier, stated_figures(template, qualifier, *PROVISIONED))
        targets = [target for target in template.of_type(TARGET) if _scales_functions(template, target)]
        self._by_name = {template_text(template.properties(id_).get("FunctionName")): id_ for id_ in self.of_function}
        for target in targets:
            self._add_target(target)

    def _add(self, function: str, qualifier: str, figures: list[Figure]) -> None:
        self.of_function[function].setdefault(qualifier, []).extend(figures)

    def _add_qualifier(self, qualifier: str, figures: list[Figure]) -> None:
        for side in branches(self._template, qualifier, "FunctionName"):
            owners = sorted(function_references(self._template).referenced(side.value) & self.of_function.keys())
            provisioned = within(figures, [side.guard])
            for function in owners:
                self._add(function, qualifier, provisioned)
                self._of_qualifier.setdefault(qualifier, []).append((function, qualifier, side.guard))
            if not owners and any(figure.number is not Missing.ABSENT and figure.number for figure in provisioned):
                self.without_function.append(qualifier)

    def _add_target(self, target: str) -> None:
        figures = stated_figures(self._template, target, MAXIMUM)
        for side in branches(self._template, target, "ResourceId"):
            owners = self._scaled(side.value)
            for function, qualifier, guard in owners:
                both = merge(guard, side.guard)
                self._add(function, qualifier, within(figures, [both] if both is not None else []))
            if not owners:
                self.without_function.append(target)

    def _scaled(self, resource_id: Json) -> list[tuple[str, str, Guard]]:
        """Return the functions that a target scales, each with the version or alias.

        CDK names the alias by its ARN, in an Fn::Split; others write the function's name and that of the alias.
        """
        referenced = sorted({*names(resource_id)})
        name, _, alias = (template_text(resource_id) or "").removeprefix("function:").rpartition(":")
        for qualifier in referenced:
            if owners := self._of_qualifier.get(qualifier):
                return owners
        functions_ = [name_ for name_ in referenced if name_ in self.of_function]
        if not functions_ and name in self._by_name:
            functions_ = [self._by_name[name]]
        return [(function, self._alias(function, self._text({"Fn::Sub": alias})), ALWAYS) for function in functions_]

    def _alias(self, function: str, name: str) -> str:
        """Return the logical id of a function's alias of this name, or the name itself."""
        ids = (qualifier for qualifier in self.of_function[function] if qualifier in self._template.resources)
        named = (one for one in ids if self._text(self._template.properties(one).get("Name")) == name)
        return next(named, name)

    def _text(self, value: Json) -> str:
        """Return the name of an alias as text, in the place of a parameter its default; empty if it is not there."""
        declared = as_mapping(self._template.parameters.get(plain_reference(value) or ""))
        default = None if is_stored(declared) else literal_text(declared.get("Default"))
        return template_text(value) or "" if default is None else default


@lru_cache(maxsize=2)
def _owners(template: Template) -> _Owners:
    return _Owners(template)


def _scales_functions(template: Template, target: str) -> bool:
    """Return whether a target may scale provisioned concurrency: its dimension does, or is not known."""
    dimensions = (alternative.value for alternative in alternatives(template, target, "ScalableDimension"))
    return any(
        value == PROVISIONED_DIMENSION or value is Missing.UNKNOWN or is_intrinsic(value) for value in dimensions
    )
