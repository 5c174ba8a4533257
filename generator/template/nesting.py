"""Put nested stacks into the template that creates them, so that one evaluation sees all conditions and parameters.

A resource Fn of the nested stack Child becomes Child/Fn. Its conditions, mappings and parameters get the same prefix.
A parameter is replaced by the expression that the parent gives it, or else by its default, and an output by its value.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from generator.template.dependencies import measured, references, walk
from generator.template.intrinsics import NO_VALUE, SAM, Json, as_mapping, literal_text, reference, split_commas
from generator.template.loop_lists import every_list
from generator.template.model import Section, Template, is_list, is_stored
from generator.template.reading import MAX_DEPTH, MODULES, parse
from generator.template.renaming import Renaming
from generator.template.transforms import is_loop, with_condition

NESTED = ("AWS::CloudFormation::Stack", f"{SAM}Application")
"""Types whose template may be a local file."""

SEPARATOR = "/"

SECTIONS = ("parameters", "mappings", "conditions", "resources", "outputs", "opaque")

MAX_STACKS = 500
"""Nested stacks of one template. CloudFormation itself has a default quota of 2,000 stacks in an account."""

MAX_RESOURCES = 10_000
"""Resources of one template with its nested stacks, several times what one deployment may create: 2,500.

Source: AWS CloudFormation User Guide, "Understand CloudFormation quotas", nested stacks.
"""

MAX_LEVELS = 30
"""Levels of nesting, several times what anybody deploys."""

MAX_VALUES = 500_000
"""Values of all nested stacks, after their parameters and outputs are replaced by the given expressions."""

MAX_OUTPUT = 100
"""Values of one output, after the outputs in it are replaced. A larger one stays a reference."""

OF_THE_STACK = ("AWS::StackName", "AWS::StackId", "AWS::NotificationARNs")
"""Pseudo parameters that differ between a stack and its nested stacks."""


class NotRead(Exception):
    """A nested stack's template cannot be read; the message gives the reason."""


class Child(NamedTuple):
    """The template of a nested stack, and a function that reads the nested stacks in it."""

    document: Json
    reader: ChildReader


ChildReader = Callable[[Section], Child]
"""A function that returns the template of a nested stack, given its resource. Raises NotRead."""


class _Merged:
    """A template into which nested stacks are put, level by level. Its sections are dicts that grow."""

    def __init__(self, template: Template) -> None:
        self.sections: dict[str, Json] = {name: dict(getattr(template, name)) for name in SECTIONS}
        self.template = replace(template, **self.sections)
        self.macros, self.malformed = [*template.macros], [*template.malformed]
        self.unread: dict[str, str] = {}
        self.stacks = 0
        self.values = 0


def with_nested(template: Template, reader: ChildReader) -> tuple[Template, dict[str, str]]:
    """Return the template with its nested stacks put into it, and the reason for each stack that cannot be read.

    A stack that cannot be read stays a resource of its type.
    """
    level = [(name, reader) for name in template.of_type(*NESTED)]
    if not level:
        return template, {}
    merged = _Merged(template)
    while level:
        level = [inner for name, reader in level for inner in _put_in(merged, name, reader)]
    _write_out_outputs(merged)
    return replace(merged.template, macros=tuple(merged.macros), malformed=tuple(merged.malformed)), merged.unread


def outermost(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return a value's location in the outermost template: for a value of a nested stack, the resource of the stack."""
    section, name, *_ = location
    stack, separator, _ = str(name).partition(SEPARATOR)
    return (section, stack) if separator else location


def _put_in(merged: _Merged, name: str, reader: ChildReader) -> Iterable[tuple[str, ChildReader]]:
    """Put one nested stack into the template and return those inside it.

    The work depends on the size of the stack alone, not on that of the template so far.
    """
    template, sections = merged.template, merged.sections
    resource = template.resources[name]
    try:
        document, inner_reader = _read(merged, name, resource, reader)
    except NotRead as error:
        merged.unread[name] = str(error)
        return []
    merged.stacks += 1
    sections["parameters"] |= document["Parameters"]
    sections["mappings"] |= document["Mappings"]
    # Its loops may use its own conditions, and the conditions, parameters and mappings around it.
    around = replace(template, conditions=ChainMap(document["Conditions"], sections["conditions"]))
    inner = parse(document, around=around, lists=every_list)
    sections["conditions"] |= inner.conditions
    del sections["resources"][name]
    resources = {
        logical_id: _conditional(entry, resource, sections["conditions"])
        for logical_id, entry in inner.resources.items()
        if logical_id not in template.resources
    }
    sections["resources"] |= resources
    sections["outputs"] |= inner.outputs
    sections["opaque"] |= {f"{name}{SEPARATOR}{logical_id}": entry for logical_id, entry in inner.opaque.items()}
    merged.macros += [f"{name}{SEPARATOR}{macro}" for macro in inner.macros]
    merged.malformed += inner.malformed
    return [(logical_id, inner_reader) for logical_id, entry in resources.items() if entry.get("Type") in NESTED]


def _read(merged: _Merged, name: str, resource: Section, reader: ChildReader) -> tuple[Section, ChildReader]:
    """Return a nested stack's document as part of the template, and the reader of the stacks in it. Raises NotRead."""
    if merged.stacks >= MAX_STACKS or len(merged.template.resources) > MAX_RESOURCES:
        raise NotRead(f"more than {MAX_STACKS} nested stacks or {MAX_RESOURCES:,} resources in one template")
    if name.count(SEPARATOR) >= MAX_LEVELS:
        raise NotRead(f"nested more than {MAX_LEVELS} levels deep")
    if merged.values < MAX_VALUES:
        child = reader(resource)
        document = _renamed(merged.template.parameters, name, resource, as_mapping(child.document))
        content = [document[key] for key in ("Resources", "Outputs", "Globals", "Conditions", "Mappings")]
        values, depth = measured(content, MAX_VALUES - merged.values, MAX_DEPTH)
        if depth > MAX_DEPTH:
            raise NotRead(f"nested more than {MAX_DEPTH} levels deep, with its parameters written out")
        merged.values += values
        if merged.values <= MAX_VALUES:
            return document, child.reader
    raise NotRead(f"more than {MAX_VALUES:,} values in the nested stacks, with their parameters written out")


def _write_out_outputs(merged: _Merged) -> None:
    """Replace every reference to an output of a nested stack by the output's value, as far as it is known.

    An output that refers to itself, or to a stack that cannot be read, stays a reference.
    """
    outputs = {_output_of(name): as_mapping(entry).get("Value") for name, entry in merged.template.outputs.items()}
    values: dict[str, Json] = {}
    sizes: dict[str, int] = {}
    used = {name: outputs.keys() & {*references(value)} for name, value in outputs.items()}
    sorter = TopologicalSorter(used)
    with suppress(CycleError):
        sorter.prepare()
    while ready := sorter.get_ready():
        for name in ready:
            value = _NestedRenaming("", values).value(outputs[name]) if used[name] else outputs[name]
            size, _ = measured(value, MAX_OUTPUT, MAX_DEPTH)
            if size <= MAX_OUTPUT:
                values[name], sizes[name] = value, size
        sorter.done(*ready)
    renamer = _NestedRenaming("", values)
    for section in (merged.sections["resources"], merged.sections["conditions"]):
        for name, entry in section.items():
            added = sum(sizes.get(output, 0) for output in references(entry))
            if added and merged.values + added < MAX_VALUES:
                merged.values += added
                section[name] = renamer.value(entry)


def _output_of(name: str) -> str:
    """Return the name by which other resources refer to the output Child/Name."""
    stack, _, output = name.rpartition(SEPARATOR)
    return f"{stack}.Outputs.{output}"


def _conditional(resource: Section, stack: Section, conditions: dict[str, Json]) -> Section:
    """Return the resource with the condition of its stack added, so that it is created only with the stack."""
    if "Condition" not in stack:
        return resource
    outer = stack["Condition"]
    return with_condition(resource, outer, conditions) if isinstance(outer, str) else {**resource, "Condition": outer}


def _renamed(around: Section, name: str, resource: Section, document: Section) -> Section:
    """Return a nested stack's document with its names prefixed and its parameters replaced.

    `around` has the parameters of the template around it.
    """
    prefix = f"{name}{SEPARATOR}"
    given = as_mapping(as_mapping(resource.get("Properties")).get("Parameters"))
    declared: dict[str, Json] = {f"{prefix}{pseudo}": {"Type": "String"} for pseudo in OF_THE_STACK}
    values: dict[str, Json] = {pseudo: {"Ref": f"{prefix}{pseudo}"} for pseudo in OF_THE_STACK}
    for key, parameter in as_mapping(document.get("Parameters")).items():
        parameter = as_mapping(parameter)
        value = _or_default(given.get(key, NO_VALUE), parameter.get("Default", NO_VALUE))
        if value == NO_VALUE or is_stored(parameter):
            declared[f"{prefix}{key}"] = parameter
            values[key] = {"Ref": f"{prefix}{key}"}
        else:
            values[key] = _as_list(value, around) if is_list(parameter) else value
    entries = ((str(key), content) for inner in walk(document) for key, content in as_mapping(inner).items())
    variables = frozenset(str(content[0]) for key, content in entries if is_loop(key, content))
    renamer = _NestedRenaming(prefix, values, variables)
    return {
        **{section: document[section] for section in ("Transform", "Fn::Transform", *MODULES) if section in document},
        "Globals": renamer.value(document.get("Globals")),
        "Parameters": declared,
        "Mappings": {f"{prefix}{key}": mapping for key, mapping in as_mapping(document.get("Mappings")).items()},
        **{key: renamer.entries(document.get(key)) for key in ("Conditions", "Resources", "Outputs")},
    }


def _or_default(value: Json, default: Json) -> Json:
    """Return the given value of a parameter, with the default in place of AWS::NoValue."""
    match value:
        case {"Fn::If": [condition, yes, no]}:
            return {"Fn::If": [condition, _or_default(yes, default), _or_default(no, default)]}
    return default if value == NO_VALUE else value


def _as_list(value: Json, around: Section) -> Json:
    """Return the given value of a list parameter as a list."""
    match value:
        case {"Fn::Join": [",", items]}:
            return items
        case {"Ref": str(name)} if is_list(as_mapping(around.get(name))):
            return value
        case Mapping():
            return {"Fn::Split": [",", value]}
        case list():
            return value
    return split_commas(str(literal_text(value)))


class _NestedRenaming(Renaming):
    """Adds the prefix to the names in a nested stack's document, and replaces its parameters.

    `values` has the parent's expression for each parameter, or the value of each output by Stack.Outputs.Name. The
    variables of loops are not renamed.
    """

    def __init__(self, prefix: str, values: Mapping[str, Json], variables: Collection[str] = ()) -> None:
        self.prefix, self.values, self.variables = prefix, values, variables

    def entries(self, section: Json) -> dict[str, Json]:
        """Return a section with its entries renamed, also those in loops."""
        renamed: dict[str, Json] = {}
        for key, value in as_mapping(section).items():
            if is_loop(str(key), value):
                renamed[key] = [value[0], self.value(value[1]), self.entries(value[2])]
            else:
                renamed[key if str(key).startswith("Fn::") else self.condition(key)] = self.value(value)
        return renamed

    def reference(self, name: str) -> Json:
        if name in self.values:
            return self.values[name]
        keeps_name = name.startswith("AWS::") or name.partition(".")[0] in self.variables
        return reference(name if keeps_name else f"{self.prefix}{name}")

    def condition(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def lookup(self, arguments: list[Json]) -> list[Json]:
        name, *keys = arguments
        joined = {"Fn::Join": ["", [self.prefix, self.value(name)]]}
        return [self.condition(name) if isinstance(name, str) else joined, *map(self.value, keys)]
