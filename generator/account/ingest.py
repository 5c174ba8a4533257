"""API Gateway: the logging role that the whole Region shares, and a name that must tell this API from others."""

from __future__ import annotations

from generator.account import stack
from generator.account.subject import Check, Opinion, Subject, bad, good
from generator.stack import names


def logging_role(subject: Subject) -> Opinion:
    """Whether `api_logging_role` is the right choice for this account.

    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging": one role per account and Region.
    """
    role = subject.account.ask("apigateway", "GetAccount").get("cloudwatchRoleArn")
    choice, name = subject.environment.operations.api_logging_role, subject.environment.name
    own = (
        stack.physical_ids(subject, subject.stack_name, "AWS::IAM::Role").get(names.API_LOGGING_ROLE) if role else None
    )
    is_own = bool(own) and str(role).endswith(f"/{own}")
    if choice == "existing" and not role:
        return bad(
            "the Region has no API Gateway logging role, and the stage cannot be created without one",
            f'write api_logging_role = "create" under [operations], then run: generator template {name}',
        )
    if choice == "create" and role and not is_own:
        return bad(
            f"the Region has a logging role already ({role}), and this stack would put its own in its place",
            f'write api_logging_role = "existing" under [operations], then run: generator template {name}',
        )
    if choice == "existing" and is_own:
        return bad(
            f"the Region's logging role ({role}) is this stack's own; not to create it any more leaves it unmanaged",
            f'write api_logging_role = "create" under [operations], then run: generator template {name}',
        )
    return good(f"the logging role is {role}" if role else "the stack will create the Region's logging role")


def api_name(subject: Subject) -> Opinion:
    """Whether another API has this one's name: metrics and alarms know an API by its name alone.

    Source: API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics".
    """
    name = names.API_NAME.replace(f"${{{names.ENVIRONMENT_SUFFIX}}}", _suffix(subject))
    own = stack.physical_ids(subject, subject.stack_name, "AWS::ApiGateway::RestApi").get(names.API)
    found = subject.account.ask("apigateway", "GetRestApis").get("items", [])
    others = [api["id"] for api in found if api.get("name") == name and api["id"] != own]
    if not others:
        return good(f"no other API has the name {name}")
    rename = f"apigateway update-rest-api --rest-api-id {others[0]} --patch-operations op=replace,path=/name,value=NEW"
    return bad(
        f"the API {', '.join(others)} has the name {name} too: its errors would set off this one's alarms",
        f"rename that one: {subject.aws(rename)}; or deploy with another EnvironmentSuffix",
    )


def _suffix(subject: Subject) -> str:
    """What the live stack was deployed with, which it keeps; otherwise the template's default."""
    found = stack.live(subject, subject.stack_name) or {}
    given = {row["ParameterKey"]: row.get("ParameterValue") for row in found.get("Parameters", [])}
    return given.get(names.ENVIRONMENT_SUFFIX) or subject.environment.name


CHECKS = (Check("api-logging-role", logging_role), Check("api-name", api_name))
