"""Collect every grant of a template by its holder: the identity of a policy, or else the resource with the policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from generator.diff.iam.endpoints import BODIES, endpoint_grants, needs_authorization
from generator.diff.iam.grants import (
    ACTING,
    EVERYTHING,
    HOLDER,
    MANAGED_POLICY,
    OPAQUE_POLICY,
    Clause,
    Grant,
    GrantScope,
    alternatives,
    entries,
    grants,
    in_partition,
    is_document,
    under,
)
from generator.diff.iam.not_compared import compared
from generator.template.dependencies import VARIABLE, walk
from generator.template.intrinsics import SAM, Json, as_mapping, canonical, is_intrinsic, template_text, text
from generator.template.model import Template

Kind = Literal["policy", "role", "endpoint"]
GrantsByHolder = dict[tuple[str, Kind], list[Grant]]
"""Grants by holder and kind. Grants of different kinds never cover each other: all actions do not include a role."""

POLICIES = ("Policy", "Permission")
"""Suffixes of types that are a policy by themselves and name its holders."""

ATTACHED_BY = (
    *("Roles", "RoleName", "Users", "UserName", "Groups", "GroupName"),
    *("Queues", "Queue", "Topics", "TopicArn", "Bucket", "SecretId", "FunctionName", "LayerVersionArn"),
    *("EventBusName", "ResourceArn", "ResourceIdentifier", "TargetIds"),
)
"""Properties in which such a policy names its holders."""

NAMED_AS = {"Users": "user ", "UserName": "user ", "Groups": "group ", "GroupName": "group "}
"""Prefixes for the literal names of users and groups, which would otherwise look like names of roles."""

PERMISSIONS = {
    "AWS::Lambda::Permission": (
        "FunctionName",
        *("SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken", "FunctionUrlAuthType"),
        "InvokedViaFunctionUrl",
    ),
    "AWS::Lambda::LayerVersionPermission": ("LayerVersionArn", "OrganizationId"),
    "AWS::Events::EventBusPolicy": ("EventBusName", "Condition"),
}
"""Types that are one statement in properties of their own: the property with its resource, then its conditions."""

DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy")
"""Properties whose whole value is a policy document."""

ADMINISTRATOR = ("arn:aws:iam::aws:policy/AdministratorAccess", "AdministratorAccess")

INCLUDED_POLICIES = {
    "CodeCommitCrudPolicy": ("CodeCommitReadPolicy",),
    "DynamoDBCrudPolicy": ("DynamoDBReadPolicy", "DynamoDBWritePolicy"),
    "FirehoseCrudPolicy": ("FirehoseWritePolicy",),
    "S3CrudPolicy": ("S3ReadPolicy", "S3WritePolicy"),
    "TextractPolicy": ("TextractDetectAnalyzePolicy", "TextractGetResultPolicy"),
}
"""SAM policy templates, each with the templates whose permissions it includes.

Source: policy_templates.json of https://github.com/aws/serverless-application-model.
"""

ACTS = re.compile(r".*(Role|RoleArn|RoleARN)s?|.*InstanceProfile(Arn)?|(Authorizer)?Credentials|ExecutionRoleName")
"""Properties with a role that the resource acts as. Another role counts as both wider and narrower, because the
permissions of two roles are not compared."""

NOT_ACTING = ("Environment", "Tags")
"""Properties whose keys the user chooses, so a key that looks like a role is none."""

ROOT = GrantScope(("AWS ${AWS::AccountId}",))
WITHOUT_POLICY = {
    "AWS::EC2::VPCEndpoint": ("PolicyDocument", Grant("Allow", EVERYTHING, EVERYTHING)),
    "AWS::ApiGateway::RestApi": ("Policy", Grant("Allow", EVERYTHING, GrantScope(("execute-api:Invoke",)))),
    "AWS::KMS::Key": ("KeyPolicy", Grant("Allow", ROOT, GrantScope(("kms:*",)))),
}
"""The permissions that a resource without a policy grants to others.

Source: Amazon VPC, "Control access to VPC endpoints"; API Gateway,
"Authorization flow: resource policy"; KMS, "Default key policy"."""


def grants_by_holder(template: Template, other: Template) -> GrantsByHolder:
    """Return all grants of a template. Default permissions of a resource count only if `other` has the resource too."""
    found: GrantsByHolder = {}
    for name, resource in template.resources.items():
        condition = resource.get("Condition")
        conditions = (condition,) if isinstance(condition, str) else ()
        for holder, kind, grant in _granted_by(name, resource, template, other):
            found.setdefault((in_partition(holder), kind), []).append(under(conditions, grant))
    return found


def _granted_by(
    name: str, resource: Mapping[str, Json], template: Template, other: Template
) -> Iterator[tuple[str, Kind, Grant]]:
    """Yield each grant of a resource with its holder and kind."""
    kind, is_in_both = str(resource.get("Type")), name in other.resources
    properties = compared(kind, as_mapping(resource.get("Properties")))
    # A resource acts as the roles that it names, but a policy of IAM belongs to them.
    acts = not kind.startswith("AWS::IAM::") or kind == "AWS::IAM::InstanceProfile"
    for conditions, role, key in _roles(properties) if acts else ():
        if is_in_both or not _is_new(role, template, other):
            clause = Clause(ACTING, "the role it runs as", (key,))
            acting = Grant("Allow", HOLDER, GrantScope(("sts:AssumeRole",)), GrantScope((role,)), (clause,))
            yield name, "role", under(conditions, acting)
    granted = [*_granted(kind, properties), *(_by_default(kind, properties) if is_in_both else ())]
    for conditions, holder in _holders(name, kind, properties, template) if granted else ():
        yield from ((holder, "policy", under(conditions, grant)) for grant in granted)
    for grant in endpoint_grants(name, resource, template.resources):
        if is_in_both or not needs_authorization(grant):
            yield name, "endpoint", grant


def _holders(
    name: str, kind: str, properties: Mapping[str, Json], template: Template
) -> list[tuple[tuple[str, ...], str]]:
    """Return the holders of a policy: the logical id of each reference to a resource, and other holders by name."""
    holders: list[tuple[tuple[str, ...], str]] = []
    for key in ATTACHED_BY if kind.endswith(POLICIES) else ():
        for conditions, who in entries(properties.get(key)):
            holder = who if isinstance(who, str) else re.sub(r"^\$\{([^{}]*?)(\.Arn)?\}$", r"\1", text(who))
            is_resource = holder in template.resources and not isinstance(who, str)
            holders.append((conditions, holder if is_resource else NAMED_AS.get(key, "") + holder))
    return holders or [((), name)]


def _granted(kind: str, properties: Mapping[str, Json]) -> Iterator[Grant]:
    """Yield the grants of all policies in a resource: inline, managed, those of SAM, and the permissions boundary."""
    yield from _documents(properties)
    if kind in PERMISSIONS and "Statement" not in properties:
        yield _permission(properties, *PERMISSIONS[kind])
    for document in _opaque_documents(properties):
        yield Grant("Allow", HOLDER, GrantScope((f"{OPAQUE_POLICY}{text(document)}",)))
    for conditions, policy in entries(properties.get("ManagedPolicyArns")):
        yield under(conditions, _managed(text(policy)))
    for conditions, policy in entries(properties.get("Policies")) if kind.startswith((SAM, "AWS::IAM::")) else ():
        if not isinstance(policy, Mapping) or is_intrinsic(policy):
            yield under(conditions, _managed(text(policy)))
        elif not policy.keys() & {"PolicyDocument", "Statement"}:
            for template, parameters in policy.items():
                on = ", ".join(f"{key} {text(value)}" for key, value in sorted(as_mapping(parameters).items()))
                names = [f"SAM policy template {name}" for name in (template, *INCLUDED_POLICIES.get(template, ()))]
                scopes = [(GrantScope((name,)), GrantScope((on or "*",))) for name in names]
                yield from (under(conditions, Grant("Allow", HOLDER, *scope)) for scope in scopes)
    for conditions, boundary in alternatives(properties.get("PermissionsBoundary")):
        if boundary is not None:
            outside = GrantScope((f"everything outside the boundary {text(boundary)}",))
            yield under(conditions, Grant("Deny", HOLDER, outside))


def _documents(value: Json) -> Iterator[Grant]:
    """Yield the grants of every policy document in a value: as a structure, inside an Fn::If, or as text."""
    for conditions, content in alternatives(value):
        if (document := _document(content)) is not None:
            yield from (under(conditions, grant) for grant in grants(document))
        elif isinstance(content, dict | list):
            for inner in content.values() if isinstance(content, dict) else content:
                if isinstance(inner, dict | list) or _mentions_statements(inner):
                    yield from (under(conditions, grant) for grant in _documents(inner))


def _opaque_documents(value: Json) -> Iterator[Json]:
    """Yield the policies that cannot be read, such as a parameter, whose value may be any policy."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key in DOCUMENTS:
            policies = (policy for _, policy in alternatives(inner) if _document(policy) is None)
            yield from (policy for policy in policies if isinstance(policy, str) or is_intrinsic(policy))
        elif isinstance(inner, dict | list):
            yield from _opaque_documents(inner)


def _document(value: Json) -> Mapping[str, Json] | None:
    """Return a value as a policy document, also if it is text, which AWS::Logs::ResourcePolicy requires."""
    if is_document(value):
        return as_mapping(value)
    if not (isinstance(value, str) or is_intrinsic(value)) or not _mentions_statements(value):
        return None
    content = template_text(value) or ""
    try:
        document = json.loads(content) if content.lstrip().startswith("{") else None
    except ValueError:
        return None
    return _substituted(document) if is_document(document) else None


def _mentions_statements(value: Json) -> bool:
    """Return whether a text may be a policy document. Parsing the others would cost time."""
    return any(isinstance(inner, str) and '"Statement"' in inner for inner in walk(value))


def _substituted(value: Json) -> Json:
    """Return a value whose texts are Fn::Subs, because they stood inside one."""
    if isinstance(value, dict):
        return {key: _substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(item) for item in value]
    return canonical({"Fn::Sub": value}) if isinstance(value, str) else value


def _managed(policy: str) -> Grant:
    """Return the grant that represents a managed policy, by its ARN or its name.

    Source: AWS Managed Policy Reference Guide, "AdministratorAccess": it allows every action on every resource.
    """
    is_administrator = in_partition(policy) in ADMINISTRATOR
    return Grant("Allow", HOLDER, EVERYTHING if is_administrator else GrantScope((f"{MANAGED_POLICY}{policy}",)))


def _is_new(role: str, template: Template, other: Template) -> bool:
    """Return whether only this template creates the role. Its own grants are reported in that case."""
    named = {reference.partition(".")[0] for reference in VARIABLE.findall(role)}
    return not named.isdisjoint(template.resources.keys() - other.resources.keys())


def _roles(value: Json, key: str = "") -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield the roles of a resource and its parts, from anywhere in its properties, each with its key."""
    if ACTS.fullmatch(key):
        for conditions, content in entries(value):
            if isinstance(content, str) or is_intrinsic(content):
                yield conditions, text(content), key
            elif isinstance(content, Mapping):
                yield from ((conditions, text(role), f"{key}.{name}") for name, role in content.items())
    elif isinstance(value, list):
        for inner in value:
            yield from _roles(inner)
    elif isinstance(value, Mapping) and not is_intrinsic(value):
        for name, inner in value.items():
            if name not in NOT_ACTING:
                yield from _roles(inner, name)


def _by_default(kind: str, properties: Mapping[str, Json]) -> Iterator[Grant]:
    """Yield the permissions that a resource grants because it has no policy."""
    key, grant = WITHOUT_POLICY.get(kind, ("", None))
    if grant is None or any(any(_documents(properties.get(body))) for body in BODIES):
        return
    yield from (under(conditions, grant) for conditions, policy in alternatives(properties.get(key)) if policy is None)


def _permission(properties: Mapping[str, Json], resource: str, *conditions: str) -> Grant:
    """Return a permission as a statement in the policy of the resource that it names."""
    return Grant(
        "Allow",
        GrantScope((text(properties.get("Principal", "*")),)),
        GrantScope((text(properties.get("Action", "*")),)),
        GrantScope((text(properties.get(resource, "*")),)),
        tuple(sorted(Clause("equals", key, (text(properties[key]),)) for key in conditions if key in properties)),
    )
