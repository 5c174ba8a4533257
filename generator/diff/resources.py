"""Find resources that were added, removed, changed or replaced, with the reason and the loss."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from generator.diff.equality import DeploymentComparison
from generator.diff.iam.grants import in_words
from generator.diff.losses import changed_notes, protection_notes, removal_notes, replacement_notes
from generator.diff.model import API_DEPLOYMENT_TYPES, CODE, RESOURCE_GENERATORS, TABLE, Change, Property, Resource
from generator.diff.properties import changes, literal
from generator.diff.redefinitions import Pair, Redefinitions, Replacements
from generator.diff.rejections import Rejections, stale_deployments
from generator.diff.sam import CREATED, WRITTEN, as_made, may_stay, with_created
from generator.template.dependencies import dependencies
from generator.template.intrinsics import Json, as_mapping, text
from generator.template.model import Template
from generator.template.schemas import TYPED, Certainty, least, schema, worst

CONDITION = "Condition"

ResourcePair = tuple[Json, Json]
"""One resource in the old and in the new template."""


def resources(old: Template, new: Template, redefinitions: Redefinitions, renamed: Mapping[str, str]) -> list[Resource]:
    """Return all resources that differ: replaced ones first, tables at the top.

    `renamed` are the deployments with a new logical id.
    """
    note = "expected: the API changed, and a new deployment brings the change to the stage"
    differing = [
        Resource(
            new_id,
            _type(new.resources[new_id]),
            Change.CHANGED,
            properties=(Property("LogicalId", old_id, new_id),),
            notes=(note,),
        )
        for old_id, new_id in renamed.items()
    ]
    written = with_created((old, new), (old, new))
    distinct = with_created(redefinitions.with_distinct_names, (old, new))
    before, after = (side.resources for side in written)
    for name in dict.fromkeys([*after, *before]):
        if name in before and name in after:
            sides, distinct_sides = (_comparable(pair, name) for pair in (written, distinct))
            unprotected = _unprotected(name, redefinitions.views, redefinitions.comparison)
            differing += _changed(name, sides, distinct_sides, redefinitions.comparison, unprotected)
        elif name in after:
            notes = (after[name][CREATED],) if CREATED in after[name] else ()
            differing.append(Resource(name, _type(after[name]), Change.ADDED, notes=notes))
        else:
            differing.append(_removed(name, before[name], written[1]))
    differing = _with_dependants(differing, written[1])
    differing += [stale for stale in stale_deployments(differing, *written) if stale.id not in renamed.values()]
    rejections = Rejections(written, distinct, redefinitions.comparison)
    return sorted(
        map(rejections.added_to, differing),
        key=lambda resource: (-resource.replacement.rank, resource.type != TABLE, -resource.removal.rank),
    )


def _comparable(sides: Pair, name: str) -> ResourcePair:
    """Return a resource of both templates, with types that can be compared."""
    old, new = (side.resources[name] for side in sides)
    return (old, new) if _type(old) == _type(new) else (as_made(old), as_made(new))


def _removed(name: str, old: Mapping[str, Json], new: Template) -> Resource:
    notes = [old[CREATED]] if CREATED in old else []
    notes += [_existence(old[CONDITION])] if CONDITION in old else []
    removal = Certainty.POSSIBLE if CONDITION in old or may_stay(old, new) else Certainty.CERTAIN
    return Resource(name, _type(old), Change.REMOVED, notes=(*notes, *removal_notes(old)), removal=removal)


def with_new_deployment(old: Template, new: Template) -> tuple[Template, dict[str, str]]:
    """Return the old template with its deployment under the new logical id, and the renaming.

    API Gateway never updates a deployment; a template makes a new one by giving it a new logical id.
    """
    renamed: dict[str, str] = {}
    for kind in API_DEPLOYMENT_TYPES:
        gone, come = (
            [name for name in template.of_type(kind) if name not in other.resources]
            for template, other in ((old, new), (new, old))
        )
        if len(gone) == len(come) == 1:
            renamed[gone[0]] = come[0]
    if not renamed:
        return old, {}
    replacements = Replacements(parameters={name: {"Ref": new_name} for name, new_name in renamed.items()})
    resources_ = {renamed.get(name, name): replacements.value(resource) for name, resource in old.resources.items()}
    return replace(old, resources=resources_), renamed


def _unprotected(name: str, views: Iterable[Pair], comparison: DeploymentComparison) -> list[str]:
    """Return the notes on protections that the update removes, and on those that a new default removes."""
    by_update, *by_default = (
        [*protection_notes(old.resources[name], new.resources[name], comparison.are_possible)]
        if name in old.resources and name in new.resources
        else []
        for old, new in views
    )
    more = dict.fromkeys(note for notes in by_default for note in notes if note not in by_update)
    return [*by_update, *(f"{note}, where the new default of a parameter applies" for note in more)]


def _changed(
    name: str, sides: ResourcePair, distinct: ResourcePair, comparison: DeploymentComparison, unprotected: Sequence[str]
) -> Iterator[Resource]:
    """Yield the resource if it differs, or if a redefined name in it may replace, remove or expose it.

    `distinct` is the same resource with its own names for whatever is redefined. `unprotected` are the notes on its
    protections.
    """
    old, new = sides
    kind = _type(new)
    differing = _differing_properties(sides, distinct, comparison)
    is_decisive = any(_is_decisive(kind, path) for path in differing)
    if not (differing or unprotected) or (CREATED in new and not is_decisive):
        return
    replacement = worst(_replacements(old, new, differing.values()))
    is_guess = replacement == Certainty.POSSIBLE and not schema(kind).known
    notes = [f"no schema states which change replaces {kind}"] if is_guess else []
    removal = Certainty.NONE
    condition = differing[CONDITION][0].new if CONDITION in differing else None
    if condition is not None and not comparison.implies(*(side.get(CONDITION) for side in distinct)):
        removal = Certainty.POSSIBLE
        notes += [f"{_existence(condition)}, and is removed otherwise", *removal_notes(old)]
    if replacement != Certainty.NONE:
        notes += replacement_notes(old, new)
    if kind in RESOURCE_GENERATORS:
        removal = Certainty.POSSIBLE
        notes = ["creates resources that are not compared one by one: any of them may be replaced or removed"]
    notes += [*unprotected, *changed_notes(old, new)]
    properties = tuple(_readable(change) for change, _ in differing.values())
    yield Resource(name, kind, Change.CHANGED, replacement, properties, tuple(notes), removal)


def _differing_properties(
    sides: ResourcePair, distinct: ResourcePair, comparison: DeploymentComparison
) -> dict[str, tuple[Property, Certainty]]:
    """Return by path the properties that differ in some deployment, each with how certain that is.

    Among them are those with the same text and a redefined name in it, if they may replace or remove the resource.
    """
    distinct_changes = {change.path: change for change in _changes(*distinct)}
    written_changes = distinct_changes if sides == distinct else {change.path: change for change in _changes(*sides)}
    decisive = {path: change for path, change in distinct_changes.items() if _is_decisive(_type(sides[1]), path)}
    conditions = [side.get(CONDITION) for side in distinct]
    return comparison.differing({**decisive, **written_changes}.values(), distinct_changes.values(), conditions)


def _existence(condition: Json) -> str:
    return f"exists only if {in_words(text(condition))}"


def _changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Property]:
    """Yield what differs, property by property even if one side has none. The new type decides which one is typed."""
    before, after = (
        {
            key: value
            for key, value in {**side, "Properties": side.get("Properties") or {}}.items()
            if key not in (CREATED, WRITTEN)
        }
        for side in (old, new)
    )
    typed = f"Properties.{TYPED[_type(new)]}" if _type(new) in TYPED else None
    return changes(before, after, "", schema(_type(new)).unordered, typed)


def _is_decisive(kind: str, path: str) -> bool:
    return path == CONDITION or schema(kind).replacement(path) != Certainty.NONE


def _replacements(
    old: Mapping[str, Json], new: Mapping[str, Json], differing: Iterable[tuple[Property, Certainty]]
) -> Iterator[Certainty]:
    """Yield how certain it is that each of the differing properties replaces the resource."""
    kind = _type(new)
    if _type(old) != kind:
        yield Certainty.CERTAIN
    for change, differs in differing:
        effect = _key_type(old, new, change.path) if kind == TABLE else None
        yield least([effect or schema(kind).replacement(change.path), differs])


def _key_type(old: Mapping[str, Json], new: Mapping[str, Json], path: str) -> Certainty | None:
    """Return how certain it is that a changed attribute type replaces the table; None for another path.

    The type of a key attribute certainly does.

    Source: CloudFormation template reference, AWS::DynamoDB::Table, AttributeDefinitions:
    "Replacement if you edit an existing AttributeDefinition".
    """
    match = re.fullmatch(r"Properties\.AttributeDefinitions\[(\d+)\]\.AttributeType", path)
    if not match:
        return None
    attribute = new["Properties"]["AttributeDefinitions"][int(match[1])].get("AttributeName")
    keys = old.get("Properties", {}).get("KeySchema", ())
    is_key = isinstance(keys, list) and any(as_mapping(key).get("AttributeName") == attribute for key in keys)
    return Certainty.CERTAIN if is_key else Certainty.POSSIBLE


def _readable(change: Property) -> Property:
    """Return the change with code replaced by its hash, because the report shows the code itself as a line diff."""
    if change.path.removeprefix("Properties.") not in CODE:
        return change
    values = [
        code
        if (lines := literal(code)) is None
        else f"{len(lines.splitlines())} lines, sha256 {hashlib.sha256(lines.encode()).hexdigest()[:12]}"
        for code in (change.old, change.new)
    ]
    return Property(change.path, *values)


def _with_dependants(resources: list[Resource], new: Template) -> list[Resource]:
    """Add resources that may be replaced in turn, because a create-only property refers to a replaced one."""
    by_id = {resource.id: resource for resource in resources}
    queue = [resource.id for resource in resources if resource.replacement == Certainty.CERTAIN]
    while queue:
        root = queue.pop(0)
        for name, path in _create_only_references(new, root):
            resource = by_id.get(name) or Resource(name, _type(new.resources[name]), Change.CHANGED)
            note = f"{path} refers to {root}, which is replaced"
            if resource.change != Change.CHANGED or note in resource.notes:
                continue
            if resource.replacement == Certainty.NONE:
                resource = replace(resource, replacement=Certainty.POSSIBLE)
                queue.append(name)
            by_id[name] = replace(resource, notes=(*resource.notes, note))
    return list(by_id.values())


def _create_only_references(template: Template, name: str) -> Iterator[tuple[str, str]]:
    for other, resource in template.resources.items():
        for key, value in resource.get("Properties", {}).items():
            path = f"Properties.{key}"
            if name in dependencies(value) and schema(_type(resource)).replacement(path) == Certainty.CERTAIN:
                yield other, path


def _type(resource: Mapping[str, Json]) -> str:
    return str(resource.get("Type"))
