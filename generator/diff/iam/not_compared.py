"""Find changed resources whose permissions the comparison does not read, so that a reviewer looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.diff.model import RESOURCE_GENERATORS, NotCompared
from generator.diff.properties import same
from generator.template.dependencies import walk
from generator.template.intrinsics import SAM, Json, as_mapping
from generator.template.model import Template

OTHER_TEMPLATE = "creates resources of another template"
CUSTOM = "calls code that may do anything"
THIRD_PARTY = "runs code of its publisher, with a role of its own"
UNKNOWN = "creates resources that the template does not list"

NOT_COMPARED: Mapping[str, str] = {
    "AWS::CloudFormation::Stack": OTHER_TEMPLATE,
    "AWS::CloudFormation::StackSet": OTHER_TEMPLATE,
    f"{SAM}Application": OTHER_TEMPLATE,
    "AWS::ServiceCatalog::CloudFormationProvisionedProduct": OTHER_TEMPLATE,
    "AWS::CloudFormation::CustomResource": CUSTOM,
    **dict.fromkeys(RESOURCE_GENERATORS, UNKNOWN),
    "AWS::AccountAccess::Entitlement": "gives identities access to accounts",
    "AWS::ACMPCA::Permission": "lets a service use a certificate authority",
    "AWS::BedrockAgentCore::Policy": "is written in Cedar",
    "AWS::Cognito::UserPoolUserToGroupAttachment": "adds a user to a group",
    "AWS::Config::AggregationAuthorization": "lets another account collect configuration data",
    "AWS::Connect::DataLakeAssociation": "shares data with another account",
    "AWS::DataZone::PolicyGrant": "grants rights within Amazon DataZone",
    "AWS::DataZone::ProjectMembership": "adds a member to a project",
    "AWS::EC2::NetworkInterfacePermission": "lets another account use a network interface",
    "AWS::EC2::VPCEndpointServicePermissions": "lets principals connect to an endpoint service",
    "AWS::EFS::FileSystem": "has a policy that replaces open access by default",
    "AWS::EKS::AccessEntry": "gives an IAM principal access to a cluster",
    "AWS::EntityResolution::PolicyStatement": "is one statement of a policy elsewhere",
    "AWS::GlobalAccelerator::CrossAccountAttachment": "lets other accounts use resources",
    "AWS::IAM::AccessKey": "creates credentials for a user",
    "AWS::IAM::OIDCProvider": "lets identities of another provider assume roles",
    "AWS::IAM::SAMLProvider": "lets identities of another provider assume roles",
    "AWS::IAM::User": "is in groups, whose policies apply to it",
    "AWS::IAM::UserToGroupAddition": "adds users to a group",
    "AWS::IdentityStore::GroupMembership": "adds a user to a group",
    "AWS::IoT::PolicyPrincipalAttachment": "attaches a policy to a certificate",
    "AWS::IoT::ThingPrincipalAttachment": "attaches a certificate to a thing, which policies may name",
    "AWS::IoTSiteWise::AccessPolicy": "gives an identity access to a portal or project",
    "AWS::LakeFormation::DataLakeSettings": "names administrators and default permissions",
    "AWS::LakeFormation::Permissions": "grants access to data",
    "AWS::LakeFormation::PrincipalPermissions": "grants access to data",
    "AWS::LakeFormation::TagAssociation": "tags data, and grants may go by tag",
    "AWS::LicenseManager::Grant": "grants a license to principals",
    "AWS::MediaConnect::FlowEntitlement": "lets other accounts subscribe to a flow",
    "AWS::OpenSearchServerless::AccessPolicy": "is written in a policy language of its own",
    "AWS::OpenSearchServerless::SecurityPolicy": "is written in a policy language of its own",
    "AWS::PCAConnectorAD::TemplateGroupAccessControlEntry": "lets a directory group enroll certificates",
    "AWS::QBusiness::DataAccessor": "lets a principal read an application's data",
    "AWS::QBusiness::Permission": "lets principals use an application",
    "AWS::QuickSight::Assignment": "assigns an IAM policy to users and groups",
    "AWS::RAM::Permission": "lists the actions that a resource share allows",
    "AWS::RAM::PermissionAssociation": "attaches permissions to a resource share",
    "AWS::RAM::PrincipalAssociation": "adds a principal to a resource share",
    "AWS::RAM::ResourceAssociation": "adds a resource to a resource share",
    "AWS::RAM::ResourceShare": "shares resources with other accounts",
    "AWS::Redshift::EndpointAuthorization": "lets another account connect to a cluster",
    "AWS::RolesAnywhere::TrustAnchor": "lets holders of certificates assume roles",
    "AWS::S3::AccessGrant": "gives an identity access to a location",
    "AWS::S3::Bucket": "has an access control list",
    "AWS::S3ObjectLambda::AccessPointPolicy": "belongs to an access point in front of another one",
    f"{SAM}Connector": "stands for policies that SAM generates",
    "AWS::ServiceCatalog::PortfolioPrincipalAssociation": "gives a principal access to a portfolio",
    "AWS::ServiceCatalog::PortfolioShare": "shares a portfolio with another account",
    "AWS::Signer::ProfilePermission": "lets another account use a signing profile",
    "AWS::SSO::ApplicationAssignment": "gives a user or group access to an application",
    "AWS::SSO::Assignment": "gives a user or group a permission set in an account",
    "AWS::SSO::PermissionSet": "holds the permissions of users and groups in other accounts",
    "AWS::VerifiedPermissions::Policy": "is written in Cedar",
    "AWS::VerifiedPermissions::PolicyTemplate": "is written in Cedar",
}
"""Types that grant access in a way that the comparison does not read, each with the reason.

The list holds what grants access through AWS's own authorization but is neither a policy document nor one of the
statements in `holders.PERMISSIONS`. It leaves out network rules and logins to databases. Source: the resource schemas
that cfn-lint ships and the CloudFormation template reference.
"""

OF_AMAZON = ("AWS::", "Alexa::", "AMZN::")
"""Starts of the types that Amazon publishes. A third party's type runs as the role with which it was activated.

Source: CloudFormation User Guide, "Use third-party public extensions from the CloudFormation registry".
"""

ONLY = {"AWS::EFS::FileSystem": "FileSystemPolicy", "AWS::IAM::User": "Groups", "AWS::S3::Bucket": "AccessControl"}
"""Types of which only one property grants access that is not compared."""

INCLUDE = "Fn::Transform"
HANDLED_SEPARATELY = ("Resources", "Transform")

CONNECTORS = "Connectors"
"""The attribute by which SAM generates policies for any resource. Source: AWS SAM specification, "Connectors"."""

CONNECTORS_REASON = "has Connectors, which stand for policies that SAM generates"
INCLUDE_REASON = "includes text from outside the template"
MACRO_REASON = "may change or create any resource of the template"


def not_compared(old: Template, new: Template) -> Iterator[NotCompared]:
    """Yield each resource that was added, removed or changed and grants access that is not compared.

    So does everything that the template does not show: macros, and sections or resources that include other text.
    """
    for name in dict.fromkeys([*new.resources, *old.resources]):
        before, after = (side.resources.get(name, {}) for side in (old, new))
        kinds = dict.fromkeys(str(resource.get("Type")) for resource in (before, after) if resource)
        for kind in kinds:
            reason = _reason(kind)
            if reason is not None and not same(_granting(before, kind), _granting(after, kind)):
                yield NotCompared(name, kind, reason)
                break
        else:
            kind = str((after or before).get("Type"))
            if not same(before.get(CONNECTORS), after.get(CONNECTORS)):
                yield NotCompared(name, kind, CONNECTORS_REASON)
            elif (_includes(before) or _includes(after)) and not same(before, after):
                yield NotCompared(name, kind, INCLUDE_REASON)
    for section in dict.fromkeys([*new.document, *old.document]):
        contents = [side.document.get(section) for side in (old, new)]
        if section not in HANDLED_SEPARATELY and any(map(_includes, contents)) and not same(*contents):
            yield NotCompared(section, INCLUDE, INCLUDE_REASON)
    macros = dict.fromkeys([*new.macros, *old.macros])
    if macros and not same(old.document, new.document):
        yield from (NotCompared("Transform", macro, MACRO_REASON) for macro in macros)


def compared(kind: str, properties: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the properties whose policies and roles are compared."""
    if kind in ONLY:
        return {key: value for key, value in properties.items() if key != ONLY[kind]}
    return properties if _reason(kind) is None else {}


def _reason(kind: str) -> str | None:
    if kind.startswith("Custom::"):
        return CUSTOM
    if kind.endswith("::MODULE"):
        return OTHER_TEMPLATE
    is_third_party = "::" in kind and not kind.startswith(OF_AMAZON)
    return THIRD_PARTY if is_third_party else NOT_COMPARED.get(kind)


def _includes(value: Json) -> bool:
    return any(isinstance(inner, Mapping) and INCLUDE in inner for inner in walk(value))


def _granting(resource: Mapping[str, Json], kind: str) -> Json:
    """Return the granting part of a resource of this type: one property, or all of it. None for another type."""
    if resource.get("Type") != kind or kind not in ONLY:
        return resource if resource.get("Type") == kind else None
    value = as_mapping(resource.get("Properties")).get(ONLY[kind])
    return None if value is None else [value, resource.get("Condition")]
