"""Questions to a live AWS account, none of which changes anything. What cannot be answered says why."""

from __future__ import annotations

import shlex
from typing import Any

from generator.errors import Fault, UnreachableAccount

ACTIONS = {
    ("sts", "GetCallerIdentity"): "sts:GetCallerIdentity",
    ("cloudformation", "DescribeStacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "DescribeStackResources"): "cloudformation:DescribeStackResources",
    ("lambda", "GetAccountSettings"): "lambda:GetAccountSettings",
    ("lambda", "GetFunctionConcurrency"): "lambda:GetFunctionConcurrency",
    ("sns", "GetSMSSandboxAccountStatus"): "sns:GetSMSSandboxAccountStatus",
    ("sns", "GetSMSAttributes"): "sns:GetSMSAttributes",
    ("apigateway", "GetAccount"): "apigateway:GET",
    ("apigateway", "GetRestApis"): "apigateway:GET",
    ("dynamodb", "DescribeLimits"): "dynamodb:DescribeLimits",
    ("kms", "DescribeKey"): "kms:DescribeKey",
    ("kms", "ListKeys"): "kms:ListKeys",
}
"""Every call that is made, and the IAM action that allows it. Source: AWS Service Authorization Reference."""

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": sorted(set(ACTIONS.values()) - {"apigateway:GET"}),
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": "apigateway:GET",
            "Resource": ["arn:aws:apigateway:*::/account", "arn:aws:apigateway:*::/restapis"],
        },
    ],
}
"""What to allow whoever runs a preflight, and no more. All of it reads."""

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
"""CloudFormation's and STS's word; Lambda's, KMS's, DynamoDB's and API Gateway's; SNS's."""

_BUSY = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException"),
}
"""What may be answered a little later, as server errors may. Source: botocore's retries in standard mode."""

_REJECTED_CREDENTIALS = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    *(
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
        "IncompleteSignature",
        "MissingAuthenticationToken",
    ),
}
_UNKNOWN_CALL = {"InvalidAction", "UnknownOperation", "UnknownOperationException", "NotImplemented"}
_UNKNOWN_CALL_STATUS = {404, 405, 501}


class Unanswered(Exception):
    """A question without an answer: `reason` for a person, `remedy`, and AWS's error code where it gave one."""

    def __init__(self, reason: str, remedy: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.code = reason, remedy, code


class Account:
    """An account in one Region. Each question is asked once, however often it is put."""

    def __init__(self, session: Any, region: str, profile: str | None, endpoint_url: str | None) -> None:
        self.session, self.region, self.endpoint_url = session, region, endpoint_url
        self.id = "unknown"
        options = {"--profile": profile, "--endpoint-url": endpoint_url}
        self.cli = " ".join(["aws", *(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)])
        self._clients: dict[str, Any] = {}
        self._answers: dict[tuple[object, ...], dict[str, Any] | Unanswered] = {}

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer of one call, all its pages joined where it has pages. Raises Unanswered."""
        question = (service, operation, *sorted(arguments.items()))
        if question not in self._answers:
            try:
                self._answers[question] = self._call(service, operation, arguments)
            except Unanswered as unanswered:
                self._answers[question] = unanswered
        answer = self._answers[question]
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def _call(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        method = xform_name(operation)
        try:
            client = self._client(service)
            if client.can_paginate(method) and "Limit" not in arguments:
                answer: dict[str, Any] = client.get_paginator(method).paginate(**arguments).build_full_result()
            else:
                answer = getattr(client, method)(**arguments)
        except ClientError as error:
            raise self._unanswered(service, operation, error.response) from error
        except (BotoCoreError, ResponseParserError) as error:
            remedy = "see whether the endpoint, the Region and the network are right, then run this again"
            raise Unanswered(f"{service} {operation} was not answered: {error}", remedy) from error
        return answer

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        if service not in self._clients:
            config = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 3, "mode": "standard"})
            self._clients[service] = self.session.client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )
        return self._clients[service]

    def _unanswered(self, service: str, operation: str, response: Any) -> Unanswered:
        error = response.get("Error", {})
        code, message = str(error.get("Code", "")), error.get("Message", "")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        action = ACTIONS[service, operation]
        if code in _DENIED:
            return Unanswered(f"no permission for {action}", f"allow {action}: see the policy in the README", code)
        if code in _UNKNOWN_CALL or (status in _UNKNOWN_CALL_STATUS and "NotFound" not in code):
            where = self.endpoint_url or f"the Region {self.region}"
            return Unanswered(f"{where} does not support {service} {operation}", "ask the real account", code)
        is_busy = code in _BUSY or (isinstance(status, int) and status >= 500)
        remedy = "wait a minute, then run this again" if is_busy else "mend that, then run this again"
        return Unanswered(f"{service} {operation} was refused: {code} {message}".strip(), remedy, code)


def connect(region: str, profile: str | None = None, endpoint_url: str | None = None) -> Account:
    """The account that the credentials of this machine, or of the profile, belong to.

    It is asked who it is: that needs no permission, so that no answer means no account.
    Raises UnreachableAccount if there are no credentials, they are not accepted, or nothing answers.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        account = Account(session, region, profile, endpoint_url)
        account.id = account.ask("sts", "GetCallerIdentity").get("Account", account.id)
    except Unanswered as unanswered:
        if not unanswered.code:
            raise _unreachable(account, unanswered.reason) from unanswered
        if unanswered.code in _REJECTED_CREDENTIALS:
            what = f"the credentials are not accepted ({unanswered.code}), or the Region is not enabled for the account"
            raise _unreachable(account, what) from unanswered
    except (BotoCoreError, ValueError) as error:
        fault = Fault(f"AWS account in {region}", str(error), "correct --profile or --endpoint-url")
        raise UnreachableAccount([fault]) from error
    return account


def _unreachable(account: Account, what: str) -> UnreachableAccount:
    ask = f"{account.cli} --region {account.region} sts get-caller-identity"
    return UnreachableAccount([Fault(f"AWS account in {account.region}", what, f"see what this says: {ask}")])
