"""Connection to a live AWS account. A preflight only reads."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from generator._runtime import OutOfTime, time_limit
from generator.errors import Fault, UnreachableAccount
from generator.template.intrinsics import Json

PAGES_S = 60
"""Time for all pages of one call, because an endpoint may send pages without end."""

SMS_VOICE = "pinpoint-sms-voice-v2"
"""The name of AWS End User Messaging SMS in the AWS CLI and boto3."""

ACTIONS = {
    ("sts", "GetCallerIdentity"): "sts:GetCallerIdentity",
    ("cloudformation", "DescribeStacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "DescribeStackResources"): "cloudformation:DescribeStackResources",
    ("lambda", "GetAccountSettings"): "lambda:GetAccountSettings",
    ("lambda", "GetFunctionConcurrency"): "lambda:GetFunctionConcurrency",
    ("sns", "GetSMSSandboxAccountStatus"): "sns:GetSMSSandboxAccountStatus",
    ("sns", "GetSMSAttributes"): "sns:GetSMSAttributes",
    ("sns", "ListSubscriptionsByTopic"): "sns:ListSubscriptionsByTopic",
    (SMS_VOICE, "DescribeAccountAttributes"): "sms-voice:DescribeAccountAttributes",
    (SMS_VOICE, "DescribeSpendLimits"): "sms-voice:DescribeSpendLimits",
    (SMS_VOICE, "DescribePhoneNumbers"): "sms-voice:DescribePhoneNumbers",
    (SMS_VOICE, "DescribePools"): "sms-voice:DescribePools",
    (SMS_VOICE, "DescribeSenderIds"): "sms-voice:DescribeSenderIds",
    (SMS_VOICE, "GetResourcePolicy"): "sms-voice:GetResourcePolicy",
    ("apigateway", "GetAccount"): "apigateway:GET",
    ("apigateway", "GetRestApis"): "apigateway:GET",
    ("iam", "GetRole"): "iam:GetRole",
    ("dynamodb", "DescribeLimits"): "dynamodb:DescribeLimits",
    ("kms", "DescribeKey"): "kms:DescribeKey",
    ("kms", "ListKeys"): "kms:ListKeys",
}
"""Every API call that a preflight makes, and the IAM action that allows it.

SNS asks AWS End User Messaging SMS on the caller's behalf: GetSMSSandboxAccountStatus also needs
sms-voice:DescribeAccountAttributes, and GetSMSAttributes probably sms-voice:DescribeSpendLimits.

Source: AWS Service Authorization Reference; the AWS managed policy AmazonSNSReadOnlyAccess, version 2.
"""


@functools.cache
def partition(region: str) -> str:
    """Return the partition of a Region, such as aws-us-gov. Raises UnreachableAccount if AWS has no such Region."""
    import botocore.session
    from botocore.exceptions import UnknownRegionError

    try:
        return str(botocore.session.get_session().get_partition_for_region(region))
    except UnknownRegionError as error:
        fault = Fault(f"AWS account in {region}", "AWS has no such Region", "correct region or --region")
        raise UnreachableAccount([fault]) from error


def policy(region: str) -> dict[str, Json]:
    """Return the least IAM policy for a preflight in the partition of a Region. It is read-only.

    Raises UnreachableAccount if AWS has no such Region.
    """
    apis = [f"arn:{partition(region)}:apigateway:*::/{resource}" for resource in ("account", "restapis")]
    return document(
        {"Effect": "Allow", "Action": sorted(set(ACTIONS.values()) - {"apigateway:GET"}), "Resource": "*"},
        statement(["apigateway:GET"], apis),
    )


def document(*statements: Mapping[str, object]) -> dict[str, Json]:
    """Return an IAM policy."""
    return {"Version": "2012-10-17", "Statement": [*statements]}


def statement(actions: Iterable[str], resources: Iterable[str]) -> dict[str, object]:
    """Return a statement of an IAM policy that allows these actions."""
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": [*resources]}


def use_of_keys(region: str, services: Iterable[str], actions: Iterable[str]) -> dict[str, object]:
    """Return the statement that lets these services use the account's keys on the caller's behalf.

    The name of a service ends with another domain in China. Source: AWS KMS Developer Guide, "kms:ViaService".
    """
    condition = {"StringLike": {"kms:ViaService": [f"{service}.{region}.*" for service in services]}}
    return {**statement(actions, [f"arn:{partition(region)}:kms:{region}:*:key/*"]), "Condition": condition}


USE_AWS = "run this against AWS itself instead of an emulator"
"""Remedy for an emulator that does not support a call."""

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
"""Error codes for a missing permission: CloudFormation, IAM and STS; services with JSON; SNS."""

_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
"""The action in AWS's message for a denial. It may be an action of another service, which the called service uses.

Source: AWS IAM User Guide, "Troubleshoot access denied error messages".
"""

_RETRYABLE = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException"),
}
"""Error codes that a later retry can clear, like server errors. Source: botocore's retries in standard mode."""

_REJECTED_CREDENTIALS = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    *("SignatureDoesNotMatch", "InvalidAccessKeyId", "AuthFailure", "IncompleteSignature"),
    "MissingAuthenticationToken",
}
SIGN_IN = "sign in (aws sso login), store keys (aws configure) or choose a profile (--profile)"

_CHECK_NETWORK = "check the endpoint, the Region and the network, then run this again"
_CORRECT_CREDENTIALS = "correct the credentials (environment variables, AWS CLI files) or sign in (aws sso login)"
_CORRECT_URL = "correct --endpoint-url or AWS_ENDPOINT_URL"
_CORRECT_ENDPOINT = "correct the endpoint (--endpoint-url, AWS_ENDPOINT_URL) or the proxy"

_UNSENT = {
    **dict.fromkeys(("NoCredentialsError", "CredentialRetrievalError", "SSOError"), SIGN_IN),
    **dict.fromkeys(("TokenRetrievalError", "RuntimeError"), SIGN_IN),
    **dict.fromkeys(("HTTPClientError", "ConnectionError"), _CHECK_NETWORK),
    "ClientError": f"{SIGN_IN}, or correct the role",
    "ResponseParserError": _CORRECT_ENDPOINT,
    "PartialCredentialsError": "add what is missing, or choose another profile (--profile)",
    "OSError": "correct its path in the environment variables (AWS_WEB_IDENTITY_TOKEN_FILE) or in the profile",
    "UnicodeDecodeError": "correct the token file (AWS_WEB_IDENTITY_TOKEN_FILE) or the profile's credential_process",
    "JSONDecodeError": "correct the profile's credential_process",
    "InvalidRegionError": "correct --region",
    "ParamValidationError": "correct the option with that value",
    "ConfigParseError": "correct that file",
    "ProfileNotFound": "correct --profile or AWS_PROFILE",
}
"""Remedies for botocore's exceptions before a request, by the names of their classes."""

_UNSUPPORTED_CALL = {"InvalidAction", "UnknownOperation", "UnknownOperationException", "NotImplemented"}
_UNSUPPORTED_CALL_STATUS = {404, 405, 501}


class Unavailable(Exception):
    """AWS does not return information that is needed. Has the reason, the remedy, and AWS's error code, if any."""

    def __init__(self, reason: str, remedy: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.code = reason, remedy, code

    def at(self, where: str) -> UnreachableAccount:
        """Return the error with which a command ends that cannot work without the information."""
        return UnreachableAccount([Fault(where, self.reason, self.remedy)])


class Unfinished(Unavailable):
    """The pages of an answer did not end within PAGES_S."""


class LiveAccount:
    """An account in one Region."""

    def __init__(self, session: Any, region: str, profile: str | None, endpoint_url: str | None) -> None:
        self.session, self.region, self.endpoint_url = session, region, endpoint_url
        self.id = "unknown"
        self.policy_command = "generator preflight --policy"
        options = {"--profile": profile, "--endpoint-url": endpoint_url}
        self.cli = " ".join(["aws", *(f"{name} {shlex.quote(value)}" for name, value in options.items() if value)])
        self._clients: dict[str, Any] = {}
        self._answers: dict[tuple[object, ...], dict[str, Any] | Unavailable] = {}

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer of an API call, with all of its pages joined. Makes each call once. Raises Unavailable."""
        call = (service, operation, *sorted(arguments.items()))
        if call not in self._answers:
            try:
                is_whole = "Limit" not in arguments
                self._answers[call] = self.request(service, operation, all_pages=is_whole, **arguments)
            except Unavailable as unavailable:
                self._answers[call] = unavailable
        answer = self._answers[call]
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def call_or_none(self, absent: str, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """Return the answer of an API call, or None if AWS's error has the code `absent`. Raises Unavailable."""
        try:
            return self.call(service, operation, **arguments)
        except Unavailable as unavailable:
            if unavailable.code != absent:
                raise
            return None

    def request(self, service: str, operation: str, *, all_pages: bool = False, **arguments: Any) -> dict[str, Any]:
        """Make an API call, which may change the account. Return its answer, or all pages of it joined.

        Raises Unavailable.
        """
        from botocore import exceptions, xform_name
        from botocore.parsers import ResponseParserError

        method = xform_name(operation)
        try:
            client = self._client(service)
            if not (all_pages and client.can_paginate(method)):
                return dict(getattr(client, method)(**arguments))
            with time_limit(PAGES_S):
                return dict(client.get_paginator(method).paginate(**arguments).build_full_result())
        except OutOfTime:
            what = f"{service} {operation} did not end within {PAGES_S} s"
            raise Unfinished(what, "check the endpoint, then run this again") from None
        except exceptions.ClientError as error:
            if error.operation_name != operation:  # A call with which botocore gets credentials.
                raise _unsent(error) from error
            raise self._refused(service, operation, error.response) from error
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            remedy = self.find_cause if service == "sts" else _CHECK_NETWORK
            raise Unavailable(f"{service} {operation} got no answer: {error}", remedy) from error
        except (ResponseParserError, KeyError) as error:  # botocore looks for the elements of its answer in any XML.
            what = f"{service} {operation} got an answer that is not from AWS"
            raise Unavailable(what, _CORRECT_ENDPOINT) from error
        except exceptions.PaginationError as error:
            raise Unavailable(f"{service} {operation} answers with the same page again", _CORRECT_ENDPOINT) from error
        except (exceptions.BotoCoreError, OSError) as error:
            raise _unsent(error) from error
        except ValueError as error:
            raise Unavailable(str(error), _CORRECT_URL) from error

    @property
    def find_cause(self) -> str:
        """The remedy for a first call that fails: the same call of the AWS CLI."""
        return f"find the cause with: {self.cli} --region {self.region} sts get-caller-identity"

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        if service not in self._clients:
            # The first call goes to STS, which answers at once: an endpoint that never does fails within 20 s.
            read_timeout_s = 5 if service == "sts" else 15
            retries = {"total_max_attempts": 3, "mode": "standard"}
            config = Config(connect_timeout=5, read_timeout=read_timeout_s, retries=retries)
            if urlsplit(self.endpoint_url or "").hostname == "127.0.0.1":  # No proxy can reach this machine.
                config = config.merge(Config(proxies={}))
            place = {"region_name": self.region, "endpoint_url": self.endpoint_url}
            self._clients[service] = self.session.client(service, **place, config=config)
        return self._clients[service]

    def _refused(self, service: str, operation: str, response: Any) -> Unavailable:
        """Return the reason and the remedy for an error that AWS or an emulator answers."""
        error, status = response.get("Error", {}), response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code, message = str(error.get("Code", "")), error.get("Message", "")
        if code in _DENIED:
            message = " ".join(message.split())
            named = _DENIED_ACTION.search(message)
            action = named[1] if named else ACTIONS.get((service, operation), f"{service}:{operation}")
            remedy = f"allow {action}; this prints the whole policy: {self.policy_command}"
            if "explicit deny" in message:
                remedy = f"ask an administrator to lift the explicit deny of {action}; no other policy can allow it"
            return Unavailable(f"no permission for {action}" + (f": {message}" if message else ""), remedy, code)
        if code in _UNSUPPORTED_CALL or (status in _UNSUPPORTED_CALL_STATUS and "NotFound" not in code):
            remedy = USE_AWS if self.endpoint_url else "deploy to another Region, or check this by hand"
            where = self.endpoint_url or f"the Region {self.region}"
            return Unavailable(f"{where} does not support {service} {operation}", remedy, code)
        is_retryable = code in _RETRYABLE or (isinstance(status, int) and status >= 500)
        remedy = "wait a minute, then run this again" if is_retryable else "fix the cause, then run this again"
        return Unavailable(f"{service} {operation} failed: {code} {message}".strip(), remedy, code)


def _unsent(error: Exception) -> Unavailable:
    """Return the remedy for an error of botocore that occurs before a request: in the credentials or the settings."""
    from botocore.exceptions import BotoCoreError, ClientError

    reason = " ".join(str(error).split()).removesuffix(".")
    if "Invalid endpoint" in reason:
        return Unavailable(reason, _CORRECT_URL)
    if isinstance(error, OSError) and error.filename:
        reason = f"the credentials need {error.filename}, which cannot be used ({error.strerror})"
    elif isinstance(error, ClientError):
        reason = f"no credentials: {reason}"
    elif not isinstance(error, BotoCoreError | OSError | RuntimeError):
        reason = f"the credentials are in a form that cannot be read ({reason})"
    remedies = (_UNSENT[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _UNSENT)
    return Unavailable(reason, next(remedies, _CORRECT_CREDENTIALS))


def emulated(region: str, endpoint_url: str) -> LiveAccount:
    """Return the account of an emulator, which accepts any credentials."""
    import boto3

    return LiveAccount(boto3.session.Session("local", "local", region_name=region), region, None, endpoint_url)


def connect(region: str, profile: str | None = None, endpoint_url: str | None = None) -> LiveAccount:
    """Return the account of this machine's credentials, or of the profile's.

    Makes the one call that needs no permission (sts GetCallerIdentity) to learn the account's id.
    Raises UnreachableAccount if there are no credentials, AWS rejects them, or nothing answers.
    """
    import boto3

    where = f"AWS account in {region}"
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        if (credentials := session.get_credentials()) is not None:
            keys = credentials.get_frozen_credentials()
            "".join([keys.access_key, keys.secret_key, keys.token or ""])  # Raises TypeError if one is not a text.
    except Exception as error:  # botocore passes on whatever an unexpected answer of a program or server causes.
        raise _unsent(error).at(where) from error
    account = LiveAccount(session, region, profile, endpoint_url)
    try:
        account.id = account.call("sts", "GetCallerIdentity").get("Account", account.id)
    except Unavailable as unavailable:
        if unavailable.code in _REJECTED_CREDENTIALS:
            what = f"AWS rejected the credentials ({unavailable.code}), or the Region is not enabled for the account"
            raise Unavailable(what, f"{SIGN_IN}, or {account.find_cause}").at(where) from unavailable
        if not unavailable.code:
            raise unavailable.at(where) from unavailable
    return account
