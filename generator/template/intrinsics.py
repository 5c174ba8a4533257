"""CloudFormation's intrinsic functions: one canonical form for values that mean the same, and their reduction.

A value is resolved when no intrinsic function is left in it. A function that cannot be resolved stays, with its
arguments resolved as far as possible. Ref, Fn::Sub, Fn::If and conditions depend on the parameters of a template, so
`generator.template.evaluation` resolves them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from generator.template.dependencies import MAPPING_TYPES, VARIABLE, walk

Json = Any
"""A value of a template, as JSON has it. Other packages pass it on or compare it; only this one evaluates it."""

NO_VALUE = {"Ref": "AWS::NoValue"}
"""Stands for the absence of a property."""

SAM = "AWS::Serverless::"
"""The prefix of SAM's resource types."""

ESCAPED = re.compile(r"\$\{!([^{}]*)\}")

_PART = re.compile(r"\$\{(!?)([^{}]*)\}")


def is_intrinsic(value: Json) -> bool:
    """Return whether the value is an intrinsic function, which stands for another value."""
    if not isinstance(value, MAPPING_TYPES) or len(value) != 1:
        return False
    name = str(next(iter(value)))
    return name == "Ref" or name.startswith("Fn::")


def as_mapping(value: Json) -> Mapping[str, Json]:
    """Return the value if it is a mapping, and an empty mapping otherwise."""
    return value if isinstance(value, MAPPING_TYPES) else {}


def as_list(value: Json) -> list[Json]:
    """Return the value as a list: many properties take one entry or a list of them."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def literal_text(value: Json) -> str | None:
    """Return a scalar as the text that CloudFormation compares (true equals "true", 1 equals "1"), else None."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    return None


def split_commas(value: Json) -> Json:
    """Return the list that CloudFormation makes of a parameter's value: its parts between commas, without spaces."""
    literal = literal_text(value)
    return [part.strip() for part in literal.split(",")] if literal is not None else value


def whole_number(value: Json) -> int | None:
    """Return a literal as the whole number that CloudFormation reads ("100" is 100), or None."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,30}", value):
        return int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 10**30 and value == int(value):
        return int(value)
    return None


def canonical(value: Json) -> Json:
    """Return a form that is equal for values with the same meaning. It is for comparison only."""
    match value:
        case {"Fn::GetAtt": target, **rest} if not rest:
            return _attribute(target)
        case {"Fn::Sub": content, **rest} if not rest:
            return _substitution(content)
        case {"Fn::Join": [str(delimiter), list(parts)], **rest} if not rest:
            return _joined(delimiter, parts)
        case dict():
            return {str(key): canonical(inner) for key, inner in value.items()}
        case list():
            return [canonical(item) for item in value]
        case bool() | int() | float():
            return literal_text(value)
    return value


def text(value: Json) -> str:
    """Return a value as one line: like the text of an Fn::Sub, with ${Name} for references, or else as JSON."""
    simple = canonical(value)
    if isinstance(simple, str):
        return simple.replace("${", "${!")  # Not a reference: IAM takes ${...} as it is written.
    line = template_text(simple)
    return json.dumps(simple, sort_keys=True) if line is None else line


def template_text(value: Json) -> str | None:
    """Return a value as the content of a Fn::Sub, or None if it cannot be written that way."""
    match canonical(value):
        case {"Ref": str(name), **rest} if not rest:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(content), **rest} if not rest:
            return content
        case str(content):
            return content.replace("${", "${!")
    return None


def parts_of(content: Json) -> list[Json] | None:
    """Split the argument of a Fn::Sub into text, references and the values of its own variables; None if malformed.

    The concatenation of the parts is the value of the Fn::Sub.
    """
    variables: Mapping[str, Json] = {}
    if isinstance(content, list) and len(content) == 2 and isinstance(content[1], Mapping):
        content, variables = content
    if not isinstance(content, str):
        return None
    parts: list[Json] = []
    end = 0
    for match in _PART.finditer(content):
        parts.append(content[end : match.start()])
        escape, name = match.groups()
        parts.append(f"${{{name}}}" if escape else variables[name] if name in variables else reference(name))
        end = match.end()
    return [part for part in (*parts, content[end:]) if part != ""]


def reference(name: str) -> Json:
    """Return the Ref to a name, or the Fn::GetAtt of Name.Attribute."""
    resource, dot, attribute = name.partition(".")
    return {"Fn::GetAtt": [resource, attribute]} if dot else {"Ref": name}


def plain_reference(value: Json) -> str | None:
    """Return the name in a Ref, or in an Fn::Sub of a single variable; None for anything else."""
    match value:
        case {"Ref": str(name)} if len(value) == 1:
            return name
        case {"Fn::Sub": content} if len(value) == 1:
            parts = parts_of(content)
            return plain_reference(parts[0]) if parts is not None and len(parts) == 1 else None
    return None


def parameters_in(*values: Json) -> Iterator[str]:
    """Yield the names of all parameters that expressions refer to, pseudo parameters included."""
    for value in values:
        match value:
            case {"Ref": str(name)} if len(value) == 1:
                yield name
            case {"Fn::Sub": content} if len(value) == 1 and (parts := parts_of(content)) is not None:
                yield from parameters_in(*parts)
            case Mapping():
                yield from parameters_in(*value.values())
            case list():
                yield from parameters_in(*value)


def lookups_in(value: Json) -> Iterator[Sequence[Json]]:
    """Yield the arguments of every Fn::FindInMap within an expression."""
    for inner in walk(value):
        match inner:
            case {"Fn::FindInMap": [_, _, _, *_] as arguments} if len(inner) == 1:
                yield arguments


def concatenation(parts: Iterable[Json]) -> Json:
    """Return resolved parts as one text, or as an Fn::Join if some of them are not literal."""
    joined: list[Json] = []
    for part in parts:
        literal = literal_text(part)
        if literal is not None and joined and isinstance(joined[-1], str):
            joined[-1] += literal
        else:
            joined.append(part if literal is None else literal)
    if not joined:
        return ""
    return joined[0] if len(joined) == 1 else {"Fn::Join": ["", joined]}


def reduce(function: str, arguments: Json, mappings: Mapping[str, Json]) -> Json:
    """Return the value of a function with resolved arguments, or the function itself if its value is not known.

    Handles Join, Select, Split, FindInMap and Length; Sub, Ref, If and conditions depend on more than the arguments.
    Source: AWS CloudFormation Template Reference, "Intrinsic functions".
    """
    match function, arguments:
        case "Fn::Join", [str(delimiter), list(parts)]:
            if any(isinstance(part, list) for part in parts):
                return {function: arguments}
            if all(isinstance(part, str) for part in parts):
                return delimiter.join(parts)
            separated = [piece for part in parts for piece in (delimiter, part)][1:]
            return concatenation(piece for piece in separated if piece != "")
        case "Fn::Split", [str(delimiter), str(whole)] if delimiter:
            return whole.split(delimiter)
        case "Fn::Select", [index, list(items)]:
            position = whole_number(index)
            if position is None or position >= len(items) or any(map(_may_vanish, items[: position + 1])):
                return {function: arguments}
            return items[position]
        case "Fn::Length", list(items) if not any(map(_may_vanish, items)):
            return len(items)
        case "Fn::FindInMap", [_, _, _, *_] if (entry := looked_up(mappings, arguments[:3])) is not None:
            return entry
    return {function: arguments}


def _may_vanish(item: Json) -> bool:
    """Return whether an item of a list may be AWS::NoValue, so that those behind it move up."""
    match item:
        case {"Fn::If": [_, yes, no]}:
            return NO_VALUE in (yes, no) or _may_vanish(yes) or _may_vanish(no)
    return False


def looked_up(mappings: Mapping[str, Json], keys: Iterable[Json]) -> Json:
    """Return what a mapping's name and two keys find; None if one of them is open or missing."""
    entry: Json = mappings
    for key in map(literal_text, keys):
        entry = None if key is None else as_mapping(entry).get(key)
    return entry


def _attribute(target: Json) -> Json:
    name, attribute = target.split(".", 1) if isinstance(target, str) and "." in target else (target, None)
    if isinstance(target, list) and len(target) == 2:
        name, attribute = target
    if attribute == "TopicArn":  # Only AWS::SNS::Topic has it, and its Ref is the same ARN.
        return {"Ref": name}
    return {"Fn::GetAtt": [canonical(name), canonical(attribute)]} if attribute is not None else {"Fn::GetAtt": target}


def _substitution(content: Json) -> Json:
    if isinstance(content, str):
        return _from_text(content)
    if isinstance(content, list) and len(content) == 2 and isinstance(content[0], str) and isinstance(content[1], dict):
        values = {name: template_text(value) for name, value in content[1].items()}
        if None not in values.values():
            return _from_text(VARIABLE.sub(lambda match: str(values.get(match[1], match[0])), content[0]))
    return {"Fn::Sub": [canonical(item) for item in content] if isinstance(content, list) else content}


def _joined(delimiter: str, parts: list[Json]) -> Json:
    texts = [template_text(part) for part in parts]
    known = [text for text in texts if text is not None]
    if len(known) == len(texts):
        return _from_text(delimiter.replace("${", "${!").join(known))
    return {"Fn::Join": [delimiter, [canonical(part) for part in parts]]}


def _from_text(text: str) -> Json:
    """Return the simplest form of an Fn::Sub of this text."""
    if not VARIABLE.search(text):
        return ESCAPED.sub(r"${\1}", text)
    if whole := VARIABLE.fullmatch(text):
        name, dot, attribute = whole[1].partition(".")
        return _attribute([name, attribute]) if dot else {"Ref": name}
    return {"Fn::Sub": VARIABLE.sub(lambda match: f"${{{match[1].removesuffix('.TopicArn')}}}", text)}
