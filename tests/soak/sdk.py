"""The modules that a handler imports: boto3 and the clock of its warm instance.

Each call of a service succeeds or fails here, as the seed decides. The client retries as botocore does: throttled
calls, server errors and lost connections, up to the number of attempts that the handler configures. Source: Boto3
documentation, "Retries", legacy mode.
"""

from __future__ import annotations

import builtins
import contextlib
import datetime
import json
import time
import types
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.soak.dynamodb import ServiceError
from tests.soak.expressions import NotSimulated

if TYPE_CHECKING:
    from tests.soak.lambda_ import Instance

EPOCH_S = 1_767_225_600
"""The time at which every run starts: 2026-01-01."""
LATENCY_S = 0.005
SAFE_MODULES = {"base64", "decimal", "hashlib", "hmac", "json", "re", "botocore.exceptions", "itertools", "collections"}
THROTTLES = {"dynamodb": "ThrottlingException", "sns": "Throttling", "secretsmanager": "ThrottlingException"}
RETRIED = {*THROTTLES.values(), "InternalServerError"}
FATES = {
    # How often each occurs at most, by call.
    "throttled": 0.06,
    "error before": 0.04,
    "error after": 0.04,
    "unreachable": 0.03,
    "lost answer": 0.06,
    "late": 0.03,
    "killed before": 0.04,
    "killed after": 0.04,
    "slow before": 0.2,
    "slow after": 0.1,
}
"""Late: the call takes effect after its caller has given up."""
LOSES_ANSWER = ("error after", "lost answer", "late")


class Killed(BaseException):
    """The warm instance was killed. Handler code cannot catch this."""


@cache
def error_class(code: str) -> type[ClientError]:
    """Return the class of a service's error, as a client's `exceptions` offers it."""
    return type(code, (ClientError,), {})


class _Exceptions:
    def __getattr__(self, name: str) -> type[ClientError]:
        return error_class(name)


class Config:
    """The settings of a client that the simulation uses."""

    def __init__(self, connect_timeout: float = 60, read_timeout: float = 60, retries: Any = None, **_: Any) -> None:
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        self.retries = retries or {}
        self.attempts = self.retries.get("total_max_attempts", 5)

    def merge(self, other: Config) -> Config:
        """Return these settings with the retries of the other, which is all that a handler changes."""
        return Config(self.connect_timeout, self.read_timeout, {**self.retries, **other.retries})


class Paginator:
    """Asks for page after page."""

    def __init__(self, operation: Callable[..., dict[str, Any]]) -> None:
        self._operation = operation

    def paginate(self, **request: Any) -> Any:
        while True:
            page = self._operation(**request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class Client:
    """A client of one service in one warm instance."""

    exceptions = _Exceptions()

    def __init__(self, instance: Instance, service: str, config: Config) -> None:
        self._instance, self._service, self._config = instance, service, config

    def get_paginator(self, operation: str) -> Paginator:
        return Paginator(getattr(self, operation))

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        carry_out = self._instance.world.operations.get((self._service, operation))
        if carry_out is None:
            raise NotSimulated(f"{self._service}:{operation}")
        return lambda **request: self._call(operation, carry_out, request)

    def _call(self, operation: str, carry_out: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        invocation = self._instance.running
        for attempt in range(1, self._config.attempts + 1):
            invocation.calls += 1
            fate, seconds = self._instance.world.fate(self._service, invocation, self._config.read_timeout)
            if fate:
                invocation.fates.append(f"{operation} {fate}")
            try:
                return self._attempt(operation, carry_out, request, fate, seconds)
            except (ReadTimeoutError, ConnectTimeoutError):
                if attempt == self._config.attempts:
                    raise
            except ClientError as error:
                if attempt == self._config.attempts or error.response["Error"]["Code"] not in RETRIED:
                    raise
            self._instance.wait(0.05)
        raise AssertionError

    def _attempt(
        self, operation: str, carry_out: Callable[..., Any], request: dict[str, Any], fate: str, seconds: float
    ) -> dict[str, Any]:
        instance, world = self._instance, self._instance.world
        called_at, invocation = world.scheduler.now, instance.running

        def effect() -> dict[str, Any]:
            return carry_out(request, invocation, fate, called_at)

        if fate:
            world.note(f"{invocation.name}: {operation} {fate}")
        # SNS repeats the number in its messages.
        about = f"{operation} {request.get('PhoneNumber', '')}"
        self._before(operation, about, fate, seconds, effect)
        instance.wait(LATENCY_S)
        try:
            answer = effect()
        except ServiceError as error:
            instance.wait(LATENCY_S)
            raise _client_error(error.code, error.message, operation, **error.more) from None
        instance.wait(LATENCY_S)
        self._after(operation, about, fate, seconds)
        return answer

    def _before(self, operation: str, about: str, fate: str, seconds: float, effect: Callable[[], Any]) -> None:
        instance = self._instance
        if fate == "killed before":
            raise Killed
        if fate == "throttled":
            instance.wait(LATENCY_S)
            raise _client_error(THROTTLES[self._service], f"Rate exceeded: {about}", operation)
        if fate == "error before":
            instance.wait(LATENCY_S)
            raise _client_error("InternalServerError", f"Internal server error: {about}", operation)
        if fate == "denied":
            raise _client_error("AccessDeniedException", f"Not authorized: {about}", operation)
        if fate == "unreachable":
            instance.wait(self._config.connect_timeout)
            raise ConnectTimeoutError(endpoint_url="https://aws")
        if fate == "late":
            instance.world.scheduler.later(self._config.read_timeout + seconds, _ignoring_errors(effect))
            instance.wait(self._config.read_timeout)
            raise ReadTimeoutError(endpoint_url="https://aws")
        if fate == "slow before":
            instance.wait(seconds)

    def _after(self, operation: str, about: str, fate: str, seconds: float) -> None:
        if fate == "killed after":
            raise Killed
        if fate == "error after":
            raise _client_error("InternalServerError", f"Internal server error: {about}", operation)
        if fate == "lost answer":
            self._instance.wait(self._config.read_timeout)
            raise ReadTimeoutError(endpoint_url="https://aws")
        if fate == "slow after":
            self._instance.wait(seconds)


def _client_error(code: str, message: str, operation: str, **more: Any) -> ClientError:
    metadata = {"HTTPStatusCode": 500 if code == "InternalServerError" else 400}
    return error_class(code)(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata, **more}, operation
    )


def _ignoring_errors(effect: Callable[[], Any]) -> Callable[[], None]:
    def quiet() -> None:
        with contextlib.suppress(ServiceError):  # The warm instance is gone, so nothing can observe the result.
            effect()

    return quiet


class _NoClock(datetime.datetime):
    """A `datetime` that cannot read the clock of this machine."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        raise NotSimulated("datetime.now: take the time from time.time()")

    utcnow = today = now


DATETIME = types.SimpleNamespace(**{**vars(datetime), "datetime": _NoClock})
BOTOCORE_CONFIG = types.SimpleNamespace(Config=Config)


def modules_of(instance: Instance, variables: dict[str, str]) -> dict[str, Any]:
    """Return simulated modules in place of those that would leave the simulation."""

    def clock() -> float:
        return EPOCH_S + instance.world.scheduler.now + instance.skew_s

    def client(service: str, config: Config | None = None) -> Client:
        return Client(instance, service, config or Config())

    clocks = dict.fromkeys(("time", "monotonic", "perf_counter"), clock)
    texts = {name: getattr(time, name) for name in ("gmtime", "strftime")}
    return {
        "boto3": types.SimpleNamespace(client=client),
        "botocore.config": BOTOCORE_CONFIG,
        "datetime": DATETIME,
        "random": types.SimpleNamespace(shuffle=instance.shuffle),
        "os": types.SimpleNamespace(environ=variables),
        "time": types.SimpleNamespace(**clocks, **texts, sleep=instance.wait),
    }


def builtins_of(instance: Instance, variables: dict[str, str]) -> dict[str, Any]:
    """Return the builtins of a handler: it imports from the simulation and prints into its log."""
    modules = modules_of(instance, variables)

    def import_(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name in modules:
            return modules[name]
        if name not in SAFE_MODULES:
            raise NotSimulated(f"import of {name}")
        return builtins.__import__(name, globals_, locals_, fromlist, level)

    return {**vars(builtins), "__import__": import_, "print": instance.log}


def error_text(error: BaseException) -> str:
    """Return the text that Lambda logs for an error that a handler raises, with its causes."""
    texts, shown = [], error
    while shown is not None:
        texts.append(f"{type(shown).__name__}: {shown}")
        following = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        shown = following  # type: ignore[assignment]
    return " <- ".join(texts)


def parsed(line: str) -> dict[str, Any]:
    """Return a log line of a handler. Every line is one JSON object."""
    found: dict[str, Any] = json.loads(line)
    return found
