"""Who may do more, and who less: every policy of a template as grants by the resource that holds them, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from generator.review.diff_documents import documents, opaque_documents
from generator.review.diff_intrinsics import is_intrinsic, text
from generator.review.diff_model import Access, Json, Template
from generator.review.diff_policies import (
    EVERYTHING,
    HOLDER,
    PRINCIPALS,
    Clause,
    Grant,
    Scope,
    listed,
    merged,
    under,
)

IDENTITY_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
PERMISSION_CONDITIONS = (
    *("SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken", "FunctionUrlAuthType"),
    "InvokedViaFunctionUrl",
)
ROLES = ("Role", "RoleArn", "Credentials", "AuthorizerCredentials", "ExecutionRoleArn", "TaskRoleArn")
"""Where a resource says as whom it acts. Another role is reported both ways: what it may is not compared."""

ATTACHED_BY = {
    **dict.fromkeys(IDENTITY_POLICIES, ("Roles", "RoleName")),
    "AWS::SQS::QueuePolicy": ("Queues",),
    "AWS::SQS::QueueInlinePolicy": ("Queue",),
    "AWS::SNS::TopicPolicy": ("Topics",),
    "AWS::SNS::TopicInlinePolicy": ("TopicArn",),
    "AWS::S3::BucketPolicy": ("Bucket",),
}
"""Where a policy of its own says whom it belongs to."""

WRITTEN = ("Statement", "Fn::If")
ACTING = Clause("is", "the role it runs as", ())


def accesses(old: Template, new: Template) -> list[Access]:
    """What became wider and what narrower, by resource. A grant that another one covers is neither."""
    before, after = _held(old), _held(new)
    both = old["Resources"].keys() & new["Resources"].keys()
    found: list[Access] = []
    for holder in dict.fromkeys([*after, *before]):
        had = [one for one in before.get(holder, []) if holder in both or not _acts(one)]
        has = [one for one in after.get(holder, []) if holder in both or not _acts(one)]
        more, less = _uncovered(has, had), _uncovered(had, has)
        found += _reported(holder, "widened", _effect(more, "Allow") + _effect(less, "Deny"))
        found += _reported(holder, "narrowed", _effect(less, "Allow") + _effect(more, "Deny"))
    return found


def _uncovered(found: list[Grant], by: list[Grant]) -> list[Grant]:
    known = set(by)
    return [one for one in dict.fromkeys(found) if one not in known and not any(other.covers(one) for other in by)]


def _effect(found: list[Grant], effect: str) -> list[Grant]:
    return [one for one in found if one.effect == effect]


def _reported(holder: str, change: Literal["widened", "narrowed"], found: list[Grant]) -> Iterator[Access]:
    for grant in merged(found):
        yield Access(holder, change, _statement(grant))


def _held(template: Template) -> dict[str, list[Grant]]:
    """All grants, by the role that has them or else by the resource that they are written in."""
    held: dict[str, list[Grant]] = {}
    for name, resource in template["Resources"].items():
        found = list(_grants(resource))
        condition = resource.get("Condition")
        if isinstance(condition, str):
            found = [grant if _acts(grant) else under(condition, grant) for grant in found]
        for holder in _holders(name, resource) if found else ():
            held.setdefault(holder, []).extend(found)
    return held


def _holders(name: str, resource: Mapping[str, Json]) -> list[str]:
    properties = resource.get("Properties", {})
    attached = [one for key in ATTACHED_BY.get(str(resource.get("Type")), ()) for one in listed(properties.get(key))]
    return [text(role).removeprefix("${").removesuffix("}") for role in attached] or [name]


def _grants(resource: Mapping[str, Json]) -> Iterator[Grant]:
    properties = resource.get("Properties", {})
    yield from documents(properties)
    opaque = [f"policy {text(one)}" for one in opaque_documents(properties)]
    if resource.get("Type") == "AWS::Lambda::Permission":
        yield _permission(properties)
    policies = (*listed(properties.get("ManagedPolicyArns")), *_named_policies(properties))
    for policy in (*opaque, *(f"managed policy {text(one)}" for one in policies)):
        yield Grant("Allow", HOLDER, Scope((policy,)), EVERYTHING, ())
    if boundary := properties.get("PermissionsBoundary"):
        yield Grant("Deny", HOLDER, Scope((f"what is outside the boundary {text(boundary)}",)), EVERYTHING, ())
    for role in dict.fromkeys(map(text, _roles(properties))):
        yield Grant("Allow", HOLDER, Scope(("sts:AssumeRole",)), Scope((role,)), (ACTING,))


def _named_policies(properties: Mapping[str, Json]) -> Iterator[Json]:
    """Policies that AWS::Serverless::Function takes by name or as a policy template."""
    for policy in listed(properties.get("Policies")):
        if isinstance(policy, str) or (
            isinstance(policy, Mapping) and not policy.keys() & {"PolicyDocument", *WRITTEN}
        ):
            yield policy


def _acts(grant: Grant) -> bool:
    return ACTING in grant.condition


def _roles(value: Json) -> Iterator[Json]:
    """The roles as which a resource and its parts act, wherever in its properties."""
    if isinstance(value, list):
        for inner in value:
            yield from _roles(inner)
    elif isinstance(value, Mapping) and not is_intrinsic(value):
        for key, inner in value.items():
            if key in ROLES and (isinstance(inner, str) or (isinstance(inner, Mapping) and is_intrinsic(inner))):
                yield inner
            elif key != "Environment":
                yield from _roles(inner)


def _permission(properties: Mapping[str, Json]) -> Grant:
    """A Lambda permission is a statement in the function's policy, written in words of its own."""
    conditions = {key: properties[key] for key in PERMISSION_CONDITIONS if key in properties}
    return Grant(
        "Allow",
        Scope((text(properties.get("Principal", "*")),)),
        Scope((text(properties.get("Action", "*")),)),
        Scope((text(properties.get("FunctionName", "*")),)),
        tuple(sorted(Clause("equals", key, (text(value),)) for key, value in conditions.items())),
    )


def _statement(grant: Grant) -> dict[str, Json]:
    """The grant as a statement, with references as Fn::Sub writes them."""
    statement: dict[str, Json] = {"Effect": grant.effect}
    elements = (("Principal", grant.principal), ("Action", grant.action), ("Resource", grant.resource))
    for element, scope in elements:
        if element != "Principal" or scope != HOLDER:
            written = _principals(scope) if element == "Principal" else list(scope.patterns)
            statement[f"Not{element}" if scope.inverted else element] = written
    if grant.condition:
        conditions: dict[str, dict[str, list[str]]] = {}
        for clause in grant.condition:
            conditions.setdefault(clause.operator, {})[clause.key] = list(clause.values)
        statement["Condition"] = conditions
    return statement


def _principals(scope: Scope) -> Json:
    """As IAM writes them: by kind, or the plain name where there is no kind, such as `*` for everyone."""
    by_kind: dict[str, list[str]] = {}
    for pattern in scope.patterns:
        kind, _, name = pattern.partition(" ")
        if kind not in PRINCIPALS:
            return pattern if len(scope.patterns) == 1 else list(scope.patterns)
        by_kind.setdefault(kind, []).append(name)
    return by_kind
