"""Wider access is found for holders of policies, roles of resources, and callers of public endpoints."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from generator.diff.iam.not_compared import NOT_COMPARED
from generator.diff.markdown import as_markdown
from generator.diff.model import Access, AccessChange
from generator.diff.summary import as_dict, headlines
from generator.template.schemas import schema
from tests.diff.comparing import difference

ANYONE = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
OPEN = {"Statement": [ANYONE]}
ONE = {"Statement": [{**ANYONE, "Principal": {"AWS": "arn:aws:iam::1:role/one"}}]}
POLICY = {"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
NO_VALUE = {"Ref": "AWS::NoValue"}
W, N = "widened", "narrowed"
IAM, SAM = "AWS::IAM::", "AWS::Serverless::"


def template(kind: str, properties: Any, **more: Any) -> dict[str, Any]:
    return {"Resources": {"One": {"Type": kind, "Properties": properties}, **more}}


def accesses(kind: str, old: Any, new: Any, **more: Any) -> tuple[Access, ...]:
    return difference(template(kind, old, **more), template(kind, new, **more)).iam


def changes(found: tuple[Access, ...]) -> set[tuple[str, str]]:
    return {(one.resource, one.change) for one in found}


def either(one: Any, other: Any) -> dict[str, Any]:
    return {"Fn::If": ["C", one, other]}


HOLDERS = [
    pytest.param(f"{IAM}Policy", {**POLICY, "Users": ["a"]}, {"Users": ["a", "eve"]}, {("user eve", W)}, id="a user"),
    pytest.param(f"{IAM}ManagedPolicy", {**POLICY, "Roles": ["r"]}, {"Groups": ["g"]}, {("group g", W)}, id="a group"),
    pytest.param(
        f"{IAM}Policy",
        {**POLICY, "Roles": ["eve"]},
        {"Roles": [], "Users": ["eve"]},
        {("eve", N), ("user eve", W)},
        id="a user of the role's name",
    ),
    pytest.param(
        f"{IAM}Policy",
        {**POLICY, "Users": [either("a", NO_VALUE)]},
        {"Users": ["a"]},
        {("user a", W)},
        id="a user under a condition",
    ),
    pytest.param(
        f"{IAM}UserPolicy",
        {**POLICY, "UserName": "a"},
        {"UserName": {"Ref": "Eve"}},
        {("user a", N), ("user Eve", W)},
        id="a user's policy",
    ),
    pytest.param(
        f"{IAM}GroupPolicy",
        {**POLICY, "GroupName": "a"},
        {"GroupName": "b"},
        {("group a", N), ("group b", W)},
        id="a group's policy",
    ),
    pytest.param(
        "AWS::SecretsManager::ResourcePolicy",
        {"SecretId": "a", "ResourcePolicy": OPEN},
        {"SecretId": "b"},
        {("a", N), ("b", W)},
        id="another secret",
    ),
    pytest.param(
        "AWS::Lambda::LayerVersionPermission",
        {"LayerVersionArn": "l", "Action": "x", "Principal": "1"},
        {"Principal": "*"},
        {("l", W)},
        id="a layer for everyone",
    ),
    pytest.param(
        "AWS::Lambda::LayerVersionPermission",
        {"LayerVersionArn": "l", "Principal": "*", "OrganizationId": "o"},
        {"OrganizationId": None},
        {("l", W)},
        id="a layer beyond the organization",
    ),
    pytest.param(
        "AWS::Events::EventBusPolicy",
        {"EventBusName": "b", "Action": "x", "Principal": "1"},
        {"Principal": "*"},
        {("b", W)},
        id="a bus for everyone",
    ),
    pytest.param(
        "AWS::Events::EventBusPolicy", {"EventBusName": "b", **ONE}, OPEN, {("b", W)}, id="a bus, as a statement"
    ),
]


def replaced(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}


@pytest.mark.parametrize(("kind", "old", "new", "expected"), HOLDERS)
def test_a_policy_belongs_to_its_holder(kind: str, old: Any, new: Any, expected: set[tuple[str, str]]) -> None:
    turned = {(holder, N if change == W else W) for holder, change in expected}
    assert changes(accesses(kind, old, replaced(old, new))) >= expected
    assert changes(accesses(kind, replaced(old, new), old)) >= turned


def test_adding_a_holder_of_a_policy_narrows_nothing() -> None:
    assert changes(accesses(f"{IAM}Policy", {**POLICY, "Users": ["a"]}, {**POLICY, "Users": ["a", "b"]})) == {
        ("user b", W)
    }


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (f"{IAM}InstanceProfile", lambda role: {"Roles": [role]}),
        ("AWS::EC2::Instance", lambda role: {"IamInstanceProfile": role}),
        ("AWS::EC2::LaunchTemplate", lambda role: {"LaunchTemplateData": {"IamInstanceProfile": {"Arn": role}}}),
        ("AWS::DLM::LifecyclePolicy", lambda role: {"ExecutionRoleArn": role}),
        ("AWS::CodeBuild::Project", lambda role: {"ServiceRole": role}),
        ("AWS::KinesisFirehose::DeliveryStream", lambda role: {"S3DestinationConfiguration": {"RoleARN": role}}),
        ("AWS::ApiGateway::Account", lambda role: {"CloudWatchRoleArn": role}),
        ("AWS::Cognito::IdentityPoolRoleAttachment", lambda role: {"Roles": {"unauthenticated": role}}),
        ("AWS::Lambda::Function", lambda role: {"Role": either(role, "arn:other")}),
    ],
)
def test_a_changed_role_of_a_resource_is_reported(kind: str, properties: Any) -> None:
    assert changes(accesses(kind, properties("arn:a"), properties("arn:b"))) == {("One", W), ("One", N)}


def test_two_resources_that_swap_their_roles_change_access() -> None:
    kind, old = "AWS::Cognito::IdentityPoolRoleAttachment", {"authenticated": "arn:a", "unauthenticated": "arn:b"}
    new = {"authenticated": "arn:b", "unauthenticated": "arn:a"}
    assert changes(accesses(kind, {"Roles": old}, {"Roles": new})) == {("One", W), ("One", N)}


def test_permission_for_all_actions_does_not_include_another_role() -> None:
    old = {"Policies": [POLICY["PolicyDocument"]], "Role": "arn:a"}
    found = accesses(f"{SAM}Function", old, {**old, "Role": "arn:b"})
    assert [one.statement["Resource"] for one in found if one.change == W] == [["arn:b"]]


METHOD, KEYED = "AWS::ApiGateway::Method", {"AuthorizationType": "NONE", "ApiKeyRequired": True}
BODY: dict[str, Any] = {"paths": {"/": {"get": {"security": [{"token": []}]}}}}


def of_api(auth: Any) -> dict[str, Any]:
    """The other resource: an API with this default, of which the function has an event."""
    return {"Other": {"Type": f"{SAM}Api", "Properties": {"StageName": "v1", "Auth": auth}}}


def event(auth: Any, api: Any = "Other") -> dict[str, Any]:
    content = {"RestApiId": {"Ref": api}, **({"Auth": auth} if auth else {})}
    return {"Events": {"Hook": {"Type": "Api", "Properties": content}}}


ENDPOINTS = [
    pytest.param(METHOD, KEYED, {**KEYED, "ApiKeyRequired": False}, {W}, id="no key"),
    pytest.param(METHOD, KEYED, {**KEYED, "ApiKeyRequired": {"Ref": "P"}}, {W, N}, id="a key, as a parameter states"),
    pytest.param(METHOD, {"AuthorizationType": "AWS_IAM"}, {"AuthorizationType": "NONE"}, {W}, id="no authorization"),
    pytest.param(METHOD, {"AuthorizationType": "AWS_IAM"}, {**KEYED}, {W, N}, id="a key for a signature"),
    pytest.param(
        METHOD, {"AuthorizationType": "AWS_IAM"}, {"AuthorizationType": {"Ref": "P"}}, {W, N}, id="a parameter"
    ),
    pytest.param(
        METHOD,
        {"AuthorizationType": "AWS_IAM"},
        {"AuthorizationType": either("NONE", "AWS_IAM")},
        {W},
        id="open where C holds",
    ),
    pytest.param(
        METHOD,
        {"AuthorizationType": "CUSTOM", "AuthorizerId": "a"},
        {"AuthorizationType": "CUSTOM", "AuthorizerId": "b"},
        {W, N},
        id="another authorizer",
    ),
    pytest.param(
        "AWS::ApiGatewayV2::Route",
        {"AuthorizationType": "JWT", "AuthorizationScopes": ["a"]},
        {"AuthorizationType": "JWT", "AuthorizationScopes": ["a", "b"]},
        {W},
        id="another scope",
    ),
    pytest.param("AWS::ApiGatewayV2::Route", {"AuthorizationType": "JWT"}, {}, {W}, id="a route"),
    pytest.param("AWS::Lambda::Url", {"AuthType": "AWS_IAM"}, {"AuthType": "NONE"}, {W}, id="a function's URL"),
    pytest.param(f"{SAM}Function", {}, {"FunctionUrlConfig": {"AuthType": "NONE"}}, {W}, id="a URL that is new"),
    pytest.param(
        f"{SAM}Function",
        {"FunctionUrlConfig": {"AuthType": "AWS_IAM"}},
        {"FunctionUrlConfig": {"AuthType": "NONE"}},
        {W},
        id="a URL of SAM",
    ),
    pytest.param(f"{SAM}Api", {"Auth": {"DefaultAuthorizer": "AWS_IAM"}}, {}, {W}, id="an API of SAM"),
    pytest.param(f"{SAM}Api", {"Auth": {"ApiKeyRequired": True}}, {"Auth": {}}, {W}, id="an API of SAM with a key"),
    pytest.param(
        f"{SAM}HttpApi",
        {"Auth": {"DefaultAuthorizer": "a"}},
        {"Auth": either({"DefaultAuthorizer": "a"}, NO_VALUE)},
        {W},
        id="an API of SAM, open where C does not hold",
    ),
    pytest.param(f"{SAM}Function", event({"Authorizer": "A"}), event({"Authorizer": "NONE"}), {W}, id="an event"),
    pytest.param(
        f"{SAM}Function", event(None), event({"Authorizer": "NONE"}), {W}, id="an event that is open unlike its API"
    ),
    pytest.param(
        f"{SAM}Function",
        event(None, "Foreign"),
        event({"Authorizer": "NONE"}, "Foreign"),
        {W},
        id="an event of an API elsewhere",
    ),
    pytest.param(
        "AWS::ApiGateway::RestApi",
        {"Body": BODY},
        {"Body": {"paths": {"/": {"get": {}}}}},
        {W},
        id="an operation of a description",
    ),
    pytest.param(
        "AWS::ApiGateway::RestApi",
        {"Body": {**BODY, "security": [{"a": []}]}},
        {"Body": {"paths": {"/": {"get": {}}}}},
        {W},
        id="all operations",
    ),
    pytest.param(
        "AWS::ApiGateway::RestApi",
        {"Body": BODY},
        {"Body": {"paths": {"/": {"get": {"security": [{"token": []}, {}]}}}}},
        {W},
        id="an operation for anonymous callers too",
    ),
]


@pytest.mark.parametrize(("kind", "old", "new", "expected"), ENDPOINTS)
def test_an_endpoint_that_drops_its_authorization_is_a_widening(
    kind: str, old: Any, new: Any, expected: set[str]
) -> None:
    more = of_api({"DefaultAuthorizer": "Users"})
    found = accesses(kind, old, new, **more)
    assert {one.change for one in found} == expected
    assert all(one.statement["Principal"] == "*" for one in found)
    turned = {N if change == W else W for change in expected}
    assert {one.change for one in accesses(kind, new, old, **more)} == turned


def test_an_api_that_drops_its_authorization_opens_its_events() -> None:
    old, new = (template(f"{SAM}Function", event(None), **of_api(auth)) for auth in ({"DefaultAuthorizer": "A"}, {}))
    assert changes(difference(old, new).iam) == {("One", W), ("Other", W)}


def test_globals_can_open_the_api_that_an_event_implies() -> None:
    function = {"Type": f"{SAM}Function", "Properties": {"Events": {"Hook": {"Type": "Api", "Properties": {}}}}}
    old, new = (
        {"Globals": {"Api": {"Auth": auth}}, "Resources": {"One": function}}
        for auth in ({"DefaultAuthorizer": "A"}, {})
    )
    assert changes(difference(old, new).iam) == {("One", W), ("ServerlessRestApi", W)}


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        (METHOD, {"AuthorizationType": "AWS_IAM"}, set()),
        (METHOD, {"AuthorizationType": "NONE"}, {("New", W)}),
        (METHOD, {"AuthorizationType": {"Ref": "P"}}, {("New", W)}),
        (METHOD, KEYED, {("New", W)}),
        ("AWS::Lambda::Url", {"AuthType": "NONE"}, {("New", W)}),
        ("AWS::Lambda::Url", {"AuthType": "AWS_IAM"}, set()),
        (f"{SAM}Function", {}, set()),
        ("AWS::EC2::VPCEndpoint", {}, set()),
    ],
)
def test_a_new_endpoint_is_a_widening_only_without_authorization(kind: str, properties: Any, expected: Any) -> None:
    old: dict[str, Any] = {"Resources": {}}
    new = {"Resources": {"New": {"Type": kind, "Properties": properties}}}
    assert changes(difference(old, new).iam) == expected


@pytest.mark.parametrize(
    ("kind", "key", "policy", "expected"),
    [
        ("AWS::EC2::VPCEndpoint", "PolicyDocument", ONE, {W}),
        ("AWS::EC2::VPCEndpoint", "PolicyDocument", OPEN, set()),
        ("AWS::EC2::VPCEndpoint", "PolicyDocument", either(ONE, NO_VALUE), {W}),
        ("AWS::ApiGateway::RestApi", "Policy", {"Statement": [{**ANYONE, "Effect": "Deny"}]}, {W}),
        ("AWS::KMS::Key", "KeyPolicy", ONE, {W, N}),
    ],
)
def test_a_resource_without_a_policy_has_its_default_permissions(
    kind: str, key: str, policy: Any, expected: set[str]
) -> None:
    assert {one.change for one in accesses(kind, {key: policy}, {})} == expected


def test_a_policy_inside_an_openapi_body_is_compared() -> None:
    old, new = ({"Body": {"x-amazon-apigateway-policy": policy}} for policy in (ONE, OPEN))
    assert changes(accesses("AWS::ApiGateway::RestApi", old, new)) == {("One", W)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([either("ReadOnlyAccess", NO_VALUE)], [either("PowerUserAccess", NO_VALUE)], {W, N}),
        ([either("ReadOnlyAccess", NO_VALUE)], ["ReadOnlyAccess"], {W}),
        ([either({"SQSPollerPolicy": {}}, NO_VALUE)], [either({"SQSSendMessagePolicy": {}}, NO_VALUE)], {W, N}),
        (either(["ReadOnlyAccess"], []), either(["ReadOnlyAccess", "PowerUserAccess"], []), {W}),
    ],
)
def test_policies_of_sam_under_conditions(old: Any, new: Any, expected: set[str]) -> None:
    assert {one.change for one in accesses(f"{SAM}Function", {"Policies": old}, {"Policies": new})} == expected


NOT_COMPARED_CHANGES = [
    pytest.param("AWS::SSO::Assignment", {"PermissionSetArn": "a"}, {"PermissionSetArn": "b"}, id="SSO assignment"),
    pytest.param("AWS::SSO::PermissionSet", {"ManagedPolicies": []}, {"ManagedPolicies": ["arn:a"]}, id="permissions"),
    pytest.param(f"{IAM}User", {"Groups": []}, {"Groups": ["admins"]}, id="a member of a group"),
    pytest.param(f"{IAM}User", {"Groups": ["a"]}, {"Groups": [either("a", NO_VALUE)]}, id="perhaps a member"),
    pytest.param(
        f"{IAM}UserToGroupAddition",
        {"GroupName": "g", "Users": ["a"]},
        {"GroupName": "g", "Users": ["a", "eve"]},
        id="another member",
    ),
    pytest.param("AWS::IoT::PolicyPrincipalAttachment", {"PolicyName": "a"}, {"PolicyName": "b"}, id="IoT policy"),
    pytest.param("AWS::EFS::FileSystem", {"FileSystemPolicy": ONE}, {"FileSystemPolicy": OPEN}, id="EFS policy"),
    pytest.param("AWS::EFS::FileSystem", {"FileSystemPolicy": ONE}, {}, id="EFS policy removed"),
    pytest.param("AWS::S3::Bucket", {}, {"AccessControl": "PublicRead"}, id="access control list of a bucket"),
    pytest.param(
        "AWS::S3ObjectLambda::AccessPointPolicy", {"PolicyDocument": ONE}, {"PolicyDocument": OPEN}, id="Object Lambda"
    ),
    pytest.param(f"{SAM}Connector", {"Permissions": ["Read"]}, {"Permissions": ["Write"]}, id="SAM connector"),
    pytest.param("AWS::RAM::ResourceShare", {"Principals": ["1"]}, {"Principals": ["2"]}, id="resource share"),
    pytest.param("AWS::LakeFormation::Permissions", {"Permissions": []}, {"Permissions": ["ALL"]}, id="data lake"),
]


@pytest.mark.parametrize(("kind", "old", "new"), NOT_COMPARED_CHANGES)
def test_a_change_of_access_that_is_not_compared_is_listed(kind: str, old: Any, new: Any) -> None:
    found = difference(template(kind, old), template(kind, new))
    assert [(one.id, one.type) for one in found.iam_not_compared] == [("One", kind)]
    assert found.iam == ()
    assert headlines(found)["IAM"] == f"no other permissions changed; not compared: One ({kind})"
    assert f"- `One` ({kind}): {found.iam_not_compared[0].reason}" in as_markdown(found, "old", "new").splitlines()
    report = as_dict(found, None)
    assert [(one["id"], one["type"]) for one in report["iam_not_compared"]] == [("One", kind)]
    assert {"iam-widening", "iam-narrowing"} <= set(report["summary"]["kinds"])


def test_an_added_or_removed_resource_that_is_not_compared_is_listed() -> None:
    none: dict[str, Any] = {"Resources": {}}
    share = template("AWS::RAM::ResourceShare", {"Name": "shared"})
    for found in (difference(none, share), difference(share, none)):
        assert [(one.id, one.type) for one in found.iam_not_compared] == [("One", "AWS::RAM::ResourceShare")]


@pytest.mark.parametrize("kind", ["AWS::SSO::Assignment", "AWS::EFS::FileSystem", "AWS::S3::Bucket"])
def test_a_resource_without_a_change_of_access_is_not_listed(kind: str) -> None:
    is_partial = kind != "AWS::SSO::Assignment"
    old, new = ({"PrincipalId": "p", **({"Tags": [tag]} if is_partial else {})} for tag in "ab")
    found = difference(template(kind, old), template(kind, new))
    assert (found.iam_not_compared, found.is_different) == ((), is_partial)


def test_changed_connectors_of_a_resource_are_not_compared() -> None:
    old = template(f"{SAM}Function", {})
    new = copy.deepcopy(old)
    new["Resources"]["One"]["Connectors"] = {
        "ToTable": {"Properties": {"Destination": {"Id": "T"}, "Permissions": ["Write"]}}
    }
    found = difference(old, new)
    assert [(one.id, one.type) for one in found.iam_not_compared] == [("One", f"{SAM}Function")]
    assert difference(new, new).iam_not_compared == ()


def test_the_types_that_are_not_compared_exist() -> None:
    opaque = (SAM, "Fn::", "AWS::CloudFormation::")
    assert [kind for kind in NOT_COMPARED if not kind.startswith(opaque) and not schema(kind).known] == []


ROOT, ACCOUNT = {"AWS": "arn:aws:iam::123456789012:root"}, {"AWS": "123456789012"}
PERMISSION = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {"FunctionName": {"Ref": "F"}, "Principal": "sns.amazonaws.com"},
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({**ANYONE, "Principal": ROOT}, {**ANYONE, "Principal": ACCOUNT}, id="an account"),
        pytest.param(
            {**ANYONE, "Condition": {"StringEquals": {"aws:SourceArn": "a"}}},
            {**ANYONE, "Condition": {"StringEquals": {"AWS:sourcearn": "a"}}},
            id="case of a condition key",
        ),
    ],
)
def test_policies_with_the_same_meaning_in_iam_are_equal(old: Any, new: Any) -> None:
    before, after = (template("AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": [one]}}) for one in (old, new))
    assert not difference(before, after).is_different


def test_names_of_template_conditions_are_case_sensitive() -> None:
    sides = ({"Fn::If": [name, ANYONE, NO_VALUE]} for name in ("Admin", "admin"))
    old, new = (template("AWS::S3::BucketPolicy", {"PolicyDocument": {"Statement": [one]}}) for one in sides)
    assert {one.change for one in difference(old, new).iam} == {W, N}


def test_a_permission_under_another_id_is_the_same_permission() -> None:
    found = difference({"Resources": {"Old": PERMISSION}}, {"Resources": {"New": PERMISSION}})
    assert ({one.id for one in found.resources}, found.iam) == ({"New", "Old"}, ())


@pytest.mark.slow
def test_thousands_of_grants_are_compared_in_time() -> None:
    """Comparing all pairs would be twelve million comparisons, which take minutes."""
    actions = [f"s3:Do{number}" for number in range(60)]
    old, new = (
        {
            "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": [f"arn:{number + start}" for number in range(60)]}
            ]
        }
        for start in (0, 1)
    )
    found = accesses(f"{IAM}Role", {"Policies": [{"PolicyDocument": old}]}, {"Policies": [{"PolicyDocument": new}]})
    assert [(one.change, one.statement["Resource"]) for one in found] == [(W, ["arn:60"]), (N, ["arn:0"])]


ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


def levels(found: tuple[Access, ...]) -> set[tuple[str, str]]:
    return {(one.change, one.certainty) for one in found}


def test_a_removed_managed_policy_may_have_denied() -> None:
    found = difference(template(f"{IAM}Role", {"ManagedPolicyArns": [DENY_ALL]}), template(f"{IAM}Role", {}))
    assert levels(found.iam) == {(W, "possible"), (N, "possible")}
    assert "iam-widening" in as_dict(found, None)["summary"]["kinds"]
    row = f"| `One` | **possibly widened** | no longer: Deny everything in the managed policy `{DENY_ALL}` |"
    assert row in as_markdown(found, "old", "new").splitlines()


@pytest.mark.parametrize(
    "arn", [ADMINISTRATOR, {"Fn::Sub": ADMINISTRATOR.replace(":aws:iam", ":${AWS::Partition}:iam")}]
)
def test_an_administrator_may_certainly_do_everything(arn: Any) -> None:
    old, new = ({"ManagedPolicyArns": arns} for arns in ([DENY_ALL], [DENY_ALL, arn]))
    found = difference(template(f"{IAM}Role", old), template(f"{IAM}Role", new))
    assert levels(found.iam) == {(W, "certain")}
    assert "| `One` | **widened** | Allow `*` on `*` |" in as_markdown(found, "old", "new").splitlines()
    assert levels(accesses(f"{IAM}Role", new, old)) == {(N, "certain")}


@pytest.mark.parametrize(
    ("effect", "expected"), [("Allow", {(N, "possible")}), ("Deny", {(W, "possible"), (N, "possible")})]
)
def test_a_removed_policy_of_the_template_is_read(effect: str, expected: set[tuple[str, str]]) -> None:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*"}
    own = {"Own": {"Type": f"{IAM}ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}}
    found = accesses(f"{IAM}Role", {"ManagedPolicyArns": [{"Ref": "Own"}]}, {}, **own)
    assert levels(found) == expected


def test_removing_a_role_removes_its_policies() -> None:
    old = template("AWS::SNS::Topic", {}, Role={"Type": f"{IAM}Role", "Properties": {"ManagedPolicyArns": [DENY_ALL]}})
    assert levels(difference(old, template("AWS::SNS::Topic", {})).iam) == {(N, "possible")}
    conditional = copy.deepcopy(old)
    conditional["Resources"]["Role"]["Condition"] = "C"
    assert levels(difference(old, conditional).iam) == {(N, "possible")}


STATEMENT = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
BY_CONDITION = {"Fn::If": ["C", STATEMENT, NO_VALUE]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([], [STATEMENT], {(W, "certain")}, id="a statement"),
        pytest.param([], [BY_CONDITION], {(W, "possible")}, id="a statement under a condition"),
        pytest.param([BY_CONDITION], [STATEMENT], {(W, "possible")}, id="a statement no longer under a condition"),
        pytest.param([STATEMENT], [], {(N, "certain")}, id="no statement"),
    ],
)
def test_a_change_is_certain_only_in_every_deployment(old: Any, new: Any, expected: set[tuple[str, str]]) -> None:
    sides = [
        {"PolicyDocument": {"Statement": [*statements, {**STATEMENT, "Action": "a:b"}]}} for statements in (old, new)
    ]
    assert levels(accesses(f"{IAM}ManagedPolicy", *sides)) == expected


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"only if": {"not P": ["holds"]}}, "P does not hold"),
        ({"only if": {"P": ["holds"]}}, "P holds"),
        ({"only if": {"E is prod": ["holds"]}}, "E is prod"),
        ({"only if": {"ApiKeyRequired": ["true"]}}, "ApiKeyRequired is `true`"),
        (
            {"only if": {"P": ["holds"]}, "Bool": {"aws:SecureTransport": ["true"]}},
            'P holds and `{"Bool": {"aws:SecureTransport": ["true"]}}`',
        ),
    ],
)
def test_a_condition_of_the_template_is_written_in_words(condition: dict[str, Any], words: str) -> None:
    access = Access("One", AccessChange.WIDENED, {"Effect": "Allow", "Action": ["a:b"], "Condition": condition})
    nothing = difference(template(f"{IAM}Role", {}), template(f"{IAM}Role", {}))
    lines = as_markdown(replace(nothing, iam=(access,)), "old", "new").splitlines()
    assert f"| `One` | **widened** | Allow `a:b` if {words} |" in lines


def test_the_headline_counts_what_is_possible_as_the_table_does() -> None:
    old, new = (template(f"{IAM}Role", {"ManagedPolicyArns": arns}) for arns in (["a"], []))
    assert headlines(difference(old, new))["IAM"] == (
        "0 statements widened, 1 possibly widened (One), 0 narrowed, 1 possibly narrowed"
    )


def test_another_role_is_possibly_wider_and_possibly_narrower() -> None:
    found = accesses("AWS::Lambda::Function", {"Role": "arn:a"}, {"Role": "arn:b"})
    assert levels(found) == {(W, "possible"), (N, "possible")}
