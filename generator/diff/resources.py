"""Find resources that were added, removed, changed or replaced, with the reason and the loss."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from generator.diff.losses import changed_notes, removal_notes, replacement_notes
from generator.diff.model import MAKERS, Property, Resource
from generator.diff.properties import changes, literal, typed, untyped
from generator.template.intrinsics import Json, mapping, text
from generator.template.model import Template
from generator.template.references import dependencies
from generator.template.schemas import TYPED, Certainty, schema

DEPLOYMENT = "AWS::ApiGateway::Deployment"
TABLE = "AWS::DynamoDB::Table"
CODE = ("Properties.Code.ZipFile", "Properties.InlineCode")
CONDITION = "Condition"
RANK = {Certainty.NONE: 0, Certainty.POSSIBLE: 1, Certainty.CERTAIN: 2}


def resources(
    old: Template, new: Template, apart: tuple[Template, Template], renamed: Mapping[str, str]
) -> list[Resource]:
    """Return all resources that differ: replaced ones first, tables at the top.

    `apart` are the same templates with redefined names made distinct, `renamed` the deployments with a new logical id.
    """
    found = [_deployed(*ids) for ids in renamed.items()]
    before, after = old.resources, new.resources
    for name in dict.fromkeys([*after, *before]):
        if name not in before:
            found.append(Resource(name, _type(after[name]), "added", Certainty.NONE, (), ()))
        elif name not in after:
            notes = tuple(removal_notes(before[name]))
            found.append(Resource(name, _type(before[name]), "removed", Certainty.NONE, (), notes, Certainty.CERTAIN))
        else:
            left, right = (side.resources[name] for side in apart)
            redefined = (left, right) if (left, right) != (before[name], after[name]) else None
            found += _changed(name, before[name], after[name], redefined)
    return sorted(_with_dependants(found, new), key=_urgency)


def with_new_deployment(old: Template, new: Template) -> tuple[Template, dict[str, str]]:
    """Return the old template with its deployment under the new logical id, and that renaming.

    API Gateway never updates a deployment; a template makes a new one by giving it a new logical id.
    """
    gone = _only_in(old, new)
    come = _only_in(new, old)
    if len(gone) != 1 or len(come) != 1:
        return old, {}
    renamed = {gone[0]: come[0]}
    return replace(old, resources=_renamed(old.resources, renamed)), renamed


def _only_in(one: Template, other: Template) -> list[str]:
    return [
        name
        for name, resource in one.resources.items()
        if _type(resource) == DEPLOYMENT and name not in other.resources
    ]


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _deployed(old_id: str, new_id: str) -> Resource:
    note = "expected: the API changed, and a new deployment brings the change to the stage"
    return Resource(new_id, DEPLOYMENT, "changed", Certainty.NONE, (Property("LogicalId", old_id, new_id),), (note,))


def _changed(name: str, old: Json, new: Json, redefined: tuple[Json, Json] | None) -> Iterator[Resource]:
    """Yield the resource if it differs, or if a redefined name it uses may replace or remove it."""
    kind = _type(new)
    found = list(_changes(old, new))
    replacement, notes = _replacement(old, new, found)
    if redefined is not None:
        decisive = [one for one in _changes(*redefined) if _is_decisive(kind, one.path)]
        found += [one for one in decisive if one.path not in {known.path for known in found}]
        if any(one.path != CONDITION for one in decisive):
            replacement = max(replacement, Certainty.POSSIBLE, key=RANK.__getitem__)
    if not found:
        return
    condition = next((one.new for one in found if one.path == CONDITION), None)
    if condition is not None:
        notes += [f"exists only if {text(condition)} holds, and is removed otherwise", *removal_notes(old)]
    if replacement != Certainty.NONE:
        notes += replacement_notes(old, new)
    if kind in MAKERS:
        notes = ["creates resources that are not compared one by one: any of them may be replaced or removed"]
    notes += changed_notes(old, new)
    removal: Certainty = Certainty.NONE if condition is None and kind not in MAKERS else Certainty.POSSIBLE
    yield Resource(name, kind, "changed", replacement, tuple(map(_readable, found)), tuple(notes), removal)


def _changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Property]:
    before, after = (_with_properties(side) for side in (old, new))
    for found in changes(before, after, "", schema(_type(new)).unordered):
        yield replace(found, old=untyped(found.old), new=untyped(found.new))


def _with_properties(resource: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the resource with Properties, so that each property is compared by itself."""
    properties = resource.get("Properties") or {}
    key = TYPED.get(_type(resource))
    return {**resource, "Properties": {**properties, key: typed(properties[key])} if key in properties else properties}


def _is_decisive(kind: str, path: str) -> bool:
    return path == CONDITION or schema(kind).replacement(path) != Certainty.NONE


def _replacement(
    old: Mapping[str, Json], new: Mapping[str, Json], found: Iterable[Property]
) -> tuple[Certainty, list[str]]:
    kind = _type(new)
    if _type(old) != kind:
        return Certainty.CERTAIN, [f"was {_type(old)}: CloudFormation rejects another type under the same logical id"]
    worst: Certainty = Certainty.NONE
    for one in found:
        here = _key_type(old, new, one.path) if kind == TABLE else None
        here = here or schema(kind).replacement(one.path)
        worst = max(worst, here, key=RANK.__getitem__)
    is_guess = worst == Certainty.POSSIBLE and not schema(kind).known
    return worst, [f"no schema states which change replaces a {kind}"] if is_guess else []


def _key_type(old: Mapping[str, Json], new: Mapping[str, Json], path: str) -> Certainty | None:
    """A key attribute of another type is another key. Source: CloudFormation template reference,
    AWS::DynamoDB::Table, AttributeDefinitions: "Replacement if you edit an existing AttributeDefinition".
    """
    found = re.fullmatch(r"Properties\.AttributeDefinitions\[(\d+)\]\.AttributeType", path)
    if not found:
        return None
    attribute = new["Properties"]["AttributeDefinitions"][int(found[1])].get("AttributeName")
    keys = old.get("Properties", {}).get("KeySchema", ())
    is_key = isinstance(keys, list) and any(mapping(key).get("AttributeName") == attribute for key in keys)
    return Certainty.CERTAIN if is_key else Certainty.POSSIBLE


def _readable(found: Property) -> Property:
    """Return the change with code replaced by its hash; the report shows code as a line diff."""
    return replace(found, old=_hashed(found.old), new=_hashed(found.new)) if found.path in CODE else found


def _hashed(code: Json) -> Json:
    lines = literal(code)
    if lines is None:
        return code
    return f"{len(lines.splitlines())} lines, sha256 {hashlib.sha256(lines.encode()).hexdigest()[:12]}"


def _with_dependants(found: list[Resource], new: Template) -> list[Resource]:
    """Add resources that may be replaced in turn, because a create-only property refers to a replaced one."""
    by_id = {one.id: one for one in found}
    queue = [one.id for one in found if one.replacement == Certainty.CERTAIN]
    while queue:
        root = queue.pop(0)
        for name, path in _create_only_references(new, root):
            one = by_id.get(name) or Resource(name, _type(new.resources[name]), "changed", Certainty.NONE, (), ())
            note = f"{path} refers to {root}, which is replaced"
            if one.change != "changed" or note in one.notes:
                continue
            if one.replacement == Certainty.NONE:
                one = replace(one, replacement=Certainty.POSSIBLE)
                queue.append(name)
            by_id[name] = replace(one, notes=(*one.notes, note))
    return list(by_id.values())


def _create_only_references(template: Template, name: str) -> Iterator[tuple[str, str]]:
    for other, resource in template.resources.items():
        for key, value in resource.get("Properties", {}).items():
            path = f"Properties.{key}"
            if name in dependencies(value) and schema(_type(resource)).replacement(path) == Certainty.CERTAIN:
                yield other, path


def _urgency(resource: Resource) -> tuple[int, bool, int]:
    return -RANK[resource.replacement], resource.type != TABLE, -RANK[resource.removal]


def _type(resource: Mapping[str, Json]) -> str:
    return str(resource.get("Type"))
