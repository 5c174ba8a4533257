"""Read a template file, in JSON or in YAML with CloudFormation's short forms, into plain values."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from generator._format import counted
from generator.errors import Fault, MalformedTemplate, OversizedTemplate, UnreadableTemplate
from generator.template.constraints import GIVEN
from generator.template.dependencies import MAPPING_TYPES, measured
from generator.template.evaluation import Evaluator, Unknown
from generator.template.guards import ALWAYS, Guard
from generator.template.intrinsics import as_list, as_mapping, literal_text
from generator.template.model import Template, is_list, is_stored
from generator.template.transforms import LOOP, Lists, Loops, with_sam_defaults

OPAQUE = (LOOP, "Fn::Transform")
"""Keys among the resources that may create any number of resources."""

SUFFIXES = (".json", ".yaml", ".yml", ".template")
"""Suffixes of files that may be templates."""

MAX_CHARACTERS = 5_000_000
"""Five times what CloudFormation accepts. Source: AWS CloudFormation User Guide, "Quotas", template body size in S3."""

MAX_VALUES = 100_000
"""Values of a template with its YAML aliases written out. A YAML template of one megabyte has half as many."""

MAX_DEPTH = 200
"""Levels of nesting. The deepest templates have about 40."""

MAX_DIGITS = 300
"""Digits of a number. A longer one is beyond any floating-point number, and so beyond any property."""

PLACE = re.compile(r"line (\d+) column \d+")
"""The place of a syntax error, in the reason that JSON's or YAML's reader gives."""

KNOWN_TRANSFORMS = (
    *("AWS::LanguageExtensions", "AWS::Serverless-", "AWS::CodeDeployBlueGreen", "AWS::SecretsManager-"),
    "AWS::ServiceCatalog",
)
"""Prefixes of transforms that are expanded here, or that create no function with a reservation.

AWS::Include may add anything. Source: AWS CloudFormation Template Reference, "Transform reference".
"""

MODULES = ("Modules", "Packages", "Rain")
"""Sections that Rain and the AWS CLI replace by resources of other files.

Sources: AWS CLI, awscli/customizations/cloudformation/modules_readme.md; Rain, "How Rain modules work".
"""


def status(path: Path) -> os.stat_result | None:
    """Return the result of stat(), or None if the path does not exist. Raises UnreadableTemplate if stat() fails."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise unreadable(
            str(path), f"cannot be read ({error.strerror})", "correct the path or its permissions"
        ) from None


def is_file(path: Path) -> bool:
    """Return whether the path is a regular file. Raises UnreadableTemplate if the path cannot be examined."""
    stats = status(path)
    return stats is not None and stat.S_ISREG(stats.st_mode)


def bounded_text(path: Path, errors: str = "strict", most: int = MAX_CHARACTERS) -> str:
    """Return the text of a file, which may be endless, up to one character more than `parsed` accepts."""
    with path.open(encoding="utf-8", errors=errors) as file:
        return file.read(most + 1)


def text_of(path: Path, if_missing: str = "correct the path", errors: str = "strict") -> str:
    """Return the file's text as `bounded_text` does. `if_missing` is the remedy if there is no such file.

    Raises UnreadableTemplate.
    """
    try:
        return bounded_text(path, errors)
    except FileNotFoundError:
        raise unreadable(str(path), "no such file", if_missing) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise unreadable(str(path), f"cannot be read ({reason})", "correct the path or the file") from None


def parsed(where: str, text: str) -> Any:
    """Return the value of JSON or YAML text. Short forms such as !Ref become long ones.

    Raises UnreadableTemplate: its subclass MalformedTemplate for a syntax error, and OversizedTemplate if the text is
    valid but larger than any template.
    """
    if len(text) > MAX_CHARACTERS:
        raise _oversized(
            where,
            f"more than {counted(MAX_CHARACTERS, 'character')}",
            "remove everything that is not part of the template",
        )
    try:
        return _from_json(where, text)
    except json.JSONDecodeError as error:
        json_reason = str(error)
    except RecursionError:
        json_reason = "nested too deeply"
    except _LongNumber:
        raise _oversized(where, f"a number with more than {MAX_DIGITS} digits", "correct the number") from None
    try:
        value = json.loads(json.dumps(_load_yaml(where, text), default=str), parse_int=_whole)
    except OversizedTemplate:
        raise
    except _LongNumber:
        raise _oversized(where, f"a number with more than {MAX_DIGITS} digits", "quote or correct it") from None
    except Exception as error:  # PyYAML raises many types of errors. The file is the cause of all of them.
        reason = json_reason if text.lstrip().startswith("{") else _yaml_reason(error)
        raise MalformedTemplate([Fault(where, f"neither JSON nor YAML ({reason})", "correct the file")]) from None
    return _serializable(where, value)


def _from_json(where: str, text: str) -> Any:
    numbers: list[float] = []

    def number(digits: str) -> float:
        numbers.append(float(digits))
        return numbers[-1]

    value = json.loads(text, parse_int=_whole, parse_float=number, parse_constant=number)
    _require(where, *measured(value, MAX_VALUES, MAX_DEPTH))
    is_plain = text.isascii() and "\\u" not in text and all(map(math.isfinite, numbers))
    return value if is_plain else _serializable(where, value)


def json_value(where: str, text: str) -> Any:
    """Return the value of JSON text of any size. Raises UnreadableTemplate."""
    try:
        return json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise unreadable(where, f"not JSON ({error})", "correct the file") from None
    except RecursionError:
        raise unreadable(where, "nested too deeply", "correct the file") from None
    except _LongNumber:
        raise unreadable(where, f"a number with more than {MAX_DIGITS} digits", "correct the number") from None


def template(where: str, value: Any) -> dict[str, Any]:
    """Return the value if it has Resources, each with a Type. Raises UnreadableTemplate."""
    resources = value.get("Resources") if isinstance(value, dict) else None
    malformed = [
        name
        for name, resource in as_mapping(resources).items()
        if not (name.startswith(OPAQUE) or (_is_structure(resource) and "Type" in resource))
    ]
    if not isinstance(resources, dict) or (malformed and len(malformed) == len(resources)):
        raise unreadable(
            where, "not a template: it has no Resources, each with a Type", "name a CloudFormation template"
        )
    if malformed:
        what, remedy = "needs a Type, and its Properties must be a mapping", "correct the resource"
        raise UnreadableTemplate([Fault(f"{where}: Resources.{name}", what, remedy) for name in malformed])
    return dict(value)


def parse(
    document: Any,
    values: Mapping[str, Any] | None = None,
    around: Template | None = None,
    lists: Callable[[Template], Lists] | None = None,
) -> Template:
    """Return a template's model. `values` pin parameters; the others then have their defaults.

    Loops may use the parameters, mappings and conditions of the template `around`, by default those of the document.
    `lists` returns what they run over in a template; by default, parameters have their defaults.
    """
    document = as_mapping(document)
    parameters = as_mapping(document.get("Parameters"))
    if values is not None:
        parameters = {name: _given(parameter, values.get(name)) for name, parameter in parameters.items()}
    unexpanded = Template(
        document=document,
        parameters=parameters,
        mappings=as_mapping(document.get("Mappings")),
        conditions=as_mapping(document.get("Conditions")),
        rules=as_mapping(document.get("Rules")),
        resources={},
        outputs=as_mapping(document.get("Outputs")),
        opaque={},
        macros=(
            *_macros(document.get("Transform")),
            *_macros(document.get("Fn::Transform")),
            *(section for section in MODULES if section in document),
        ),
    )
    loops = Loops((lists or _default_list)(around or unexpanded))
    entries = loops.expanded(as_mapping(document.get("Resources")))
    opaque = {name: entry for name, entry in entries.items() if name.startswith(OPAQUE)}
    resources = {
        name: {key: part for key, part in entry.items() if key != "Properties" or part is not None}
        for name, entry in entries.items()
        if name not in opaque and _is_structure(entry)
    }
    conditions = loops.expanded(unexpanded.conditions, is_of_conditions=True)
    outputs = loops.expanded(unexpanded.outputs)
    return replace(
        unexpanded,
        conditions={**conditions, **loops.conditions},
        resources=with_sam_defaults(resources, document.get("Globals")),
        outputs=outputs,
        opaque=opaque,
        malformed=tuple(name for name in entries if name not in resources and name not in opaque),
    )


def _default_list(template: Template) -> Lists:
    """Return a function that returns the list of a loop if all parameters have their defaults."""
    evaluator = Evaluator(template)

    def lists(collection: Any) -> list[tuple[Any, Guard]]:
        try:
            return [(evaluator.value(collection), ALWAYS)]
        except Unknown:
            return []

    return lists


def _given(parameter: Any, value: Any) -> Any:
    """Return a parameter with the given value as its only allowed value, or with its default."""
    if not isinstance(parameter, Mapping) or is_stored(parameter):
        return parameter
    value = parameter.get("Default") if value is None else value
    items = [literal_text(item) for item in (as_list(value) if is_list(parameter) else [value])]
    if not items or None in items:
        return parameter
    text = ",".join(map(str, items))
    return {**parameter, "Default": text, GIVEN: text}


def _macros(transforms: Any) -> Iterator[str]:
    for transform in as_list(transforms):
        name = str(transform.get("Name") if isinstance(transform, Mapping) else transform)
        if not name.startswith(KNOWN_TRANSFORMS):
            yield name


def unreadable(where: str, what: str, remedy: str) -> UnreadableTemplate:
    """Return the error for a single fault."""
    return UnreadableTemplate([Fault(where, what, remedy)])


def _is_structure(value: Any) -> bool:
    if not isinstance(value, MAPPING_TYPES):
        return False
    properties = value.get("Properties")
    return properties is None or isinstance(properties, MAPPING_TYPES)


class _LongNumber(ValueError):
    """A number has more digits than MAX_DIGITS."""


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _LongNumber
    return int(digits)


def _oversized(where: str, what: str, remedy: str) -> OversizedTemplate:
    return OversizedTemplate([Fault(where, what, remedy)])


def _require(where: str, values: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _oversized(where, f"nested more than {MAX_DEPTH} levels deep", "flatten it")
    if values > MAX_VALUES:
        what = f"more than {counted(MAX_VALUES, 'value')}, with aliases written out"
        raise _oversized(where, what, "split the template")


def _require_bounded_yaml(where: str, text: str, loader: Any) -> None:
    """Count the values and levels of a YAML text, as its aliases multiply them, before any of them is built.

    Raises OversizedTemplate.
    """
    import yaml

    known: dict[str, tuple[int, int]] = {}  # The values and levels of each anchor, which its aliases repeat.
    open_: list[list[Any]] = [[None, 0, 0]]  # For each open collection: the anchor, and the values and levels so far.
    for event in yaml.parse(text, loader):
        values, levels = 0, 0
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append([event.anchor, 1, 1])
            _require(where, 0, len(open_))
            continue
        if isinstance(event, yaml.ScalarEvent):
            values = 1
        elif isinstance(event, yaml.AliasEvent):
            values, levels = known.get(event.anchor, (1, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, values, levels = open_.pop()
            if anchor:
                known[anchor] = values, levels
        open_[-1][1] += values
        open_[-1][2] = max(open_[-1][2], levels + 1)
        _require(where, open_[-1][1], len(open_) + levels)


def _load_yaml(where: str, text: str) -> Any:
    import yaml

    _require_bounded_yaml(where, text, loader())
    return yaml.load(text, loader())  # noqa: S506 - a subclass of SafeLoader


@cache
def loader() -> Any:
    """Return PyYAML's safe loader with CloudFormation's short forms, and without YAML 1.1's timestamps."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: Any) -> None:
            _merge(self, node)
            super().flatten_mapping(node)

    for kind in ("int", "float"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", partial(_short_number, kind))
    Loader.add_multi_constructor("!", _long_form)
    return Loader


def _merge(loader: Any, node: Any) -> None:
    """Replace each merge key of a mapping by the pairs that it merges. A later pair of a key overrides an earlier one.

    PyYAML 6.0.4 lets a later mapping override an earlier one. Source: YAML 1.1, "Merge key language-independent type":
    of several mappings, the earlier ones override the later ones.
    """
    from yaml.constructor import ConstructorError

    merged: list[Any] = []
    own: list[Any] = []
    for key, value in node.value:
        if key.tag != "tag:yaml.org,2002:merge":
            own.append((key, value))
            continue
        for source in value.value if value.id == "sequence" else [value]:
            if source.id != "mapping":
                raise ConstructorError(None, None, f"a merge key with a {source.id} in it", source.start_mark)
            loader.flatten_mapping(source)
            merged[:0] = source.value
    node.value = [*merged, *own]


def _short_number(kind: str, loader: Any, node: Any) -> Any:
    """Return a number in any notation of YAML 1.1. Limits its length, because one notation takes quadratic time."""
    if len(str(node.value)) > MAX_DIGITS:
        raise _LongNumber
    return getattr(loader, f"construct_yaml_{kind}")(node)


def _long_form(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    """Return {"Ref": ...} for !Ref, {"Fn::Sub": ...} for !Sub and so on, with any content."""
    if hasattr(node.value, "isalnum"):
        value: Any = loader.construct_scalar(node)
    elif node.id == "sequence":
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _yaml_reason(error: Exception) -> str:
    """Return the YAML reader's error and its place on one line."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"{problem}: line {mark.line + 1} column {mark.column + 1}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _serializable(where: str, value: Any) -> Any:
    """Return the value if JSON can represent it: no infinity, no half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise unreadable(
            where, "not text: half of a surrogate pair", "correct the escapes that begin with \\uD"
        ) from None
    except ValueError:
        raise unreadable(where, "a number that is infinite or not a number", "correct the number") from None
    return value


def nulls_in(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each null within a document."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, content in inner:
        if content is None:
            yield (key,)
        else:
            yield from ((key, *path) for path in nulls_in(content))
