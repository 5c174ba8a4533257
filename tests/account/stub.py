"""An AWS account on 127.0.0.1, for the calls that emulators lack.

It gives canned answers in the form of botocore's own service models. An answer that the model does not allow is a
mistake in the test and raises an error.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

Question = tuple[str, str]


class Refusal:
    """An answer that is an error."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status


DENIED = object()
"""The access-denied answer, in each service's own form."""

DENIALS = {
    "sts": ("AccessDenied", 403),
    "cloudformation": ("AccessDenied", 403),
    "lambda": ("AccessDeniedException", 403),
    "apigateway": ("AccessDeniedException", 403),
    "dynamodb": ("AccessDeniedException", 400),
    "kms": ("AccessDeniedException", 400),
    "sns": ("AuthorizationError", 403),
    "iam": ("AccessDenied", 403),
    "pinpoint-sms-voice-v2": ("AccessDeniedException", 400),
}
"""Source: each service's API reference, "Common Errors"."""

_SESSION = botocore.session.get_session()
_MODELS: dict[str, ServiceModel] = {
    model.signing_name: model for model in (_SESSION.get_service_model(name) for name in DENIALS)
}
"""Service models by the name in the signature of a request."""


class Stub:
    """Canned answers, and a record of the calls. An answer may be a function of the call's parameters."""

    def __init__(self, answers: Mapping[Question, Any]) -> None:
        self.answers = dict(answers)
        self.asked: list[Question] = []
        self.regions: set[str] = set()
        self.url = ""

    def answer(self, model: OperationModel, parameters: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        question = (model.service_model.service_name, model.name)
        self.asked.append(question)
        answer = self.answers[question]
        if callable(answer):
            answer = answer(parameters)
        if answer is DENIED:
            code, status = DENIALS[question[0]]
            action = f"{model.service_model.signing_name}:{model.name}"
            answer = Refusal(code, f"User: me is not authorized to perform: {action}", status)
        if isinstance(answer, Refusal):
            return _refuse(model, answer)
        report = ParamValidator().validate(answer, model.output_shape)
        if report.has_errors():
            raise AssertionError(f"{question}: {report.generate_report()}")
        return _accept(model, answer)


_port = 0


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """Serve the stub until the block ends, on the same URL as the one before, so that its clients can be used again."""
    global _port

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = dict(self.headers.items())
            model, parameters = _recognise(self.command, self.path, headers, body)
            stub.regions.add(_scope(headers)[0])
            status, answered, content = stub.answer(model, parameters)
            self.send_response(status)
            for name, value in {**answered, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *arguments: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", _port), Handler)
    except OSError:  # Another process has taken the port meanwhile.
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    _port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stub.url = f"http://127.0.0.1:{_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _recognise(method: str, path: str, headers: dict[str, str], body: str) -> tuple[OperationModel, dict[str, str]]:
    """Return the operation and its parameters, by the service that the request is signed for and its protocol."""
    _, service = _scope(headers)
    model = _MODELS[service]
    if model.resolved_protocol == "query":
        parameters = {name: values[0] for name, values in parse_qs(body).items()}
        return model.operation_model(parameters.pop("Action")), parameters
    if model.resolved_protocol == "json":
        return model.operation_model(headers["X-Amz-Target"].rpartition(".")[2]), json.loads(body)
    for name in model.operation_names:
        operation = model.operation_model(name)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.http["requestUri"].partition("?")[0])
        if operation.http["method"] == method and (found := re.fullmatch(pattern, urlsplit(path).path)):
            query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
            return operation, query | {key: unquote(value) for key, value in found.groupdict().items()}
    raise AssertionError(f"no operation of {service} is {method} {path}")


def _scope(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the Region and the service that a request is signed for."""
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", headers["Authorization"])
    assert scope is not None
    return scope[1], scope[2]


def _accept(model: OperationModel, answer: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    if model.service_model.resolved_protocol == "query":
        result = "".join(_xml(name, answer[name], model.output_shape.members[name]) for name in answer)
        wrapper = model.output_shape.serialization.get("resultWrapper", f"{model.name}Result")
        text = f"<{model.name}Response><{wrapper}>{result}</{wrapper}></{model.name}Response>"
        return 200, {"content-type": "text/xml"}, text.encode()
    names = {name: shape.serialization.get("name", name) for name, shape in model.output_shape.members.items()}
    body = {names[name]: value for name, value in answer.items()}
    return 200, {"content-type": "application/json"}, json.dumps(body, default=str).encode()


def _refuse(model: OperationModel, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    if model.service_model.resolved_protocol == "query":
        parts = f"<Type>Sender</Type><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
        content = f"<ErrorResponse><Error>{parts}</Error></ErrorResponse>"
        return refusal.status, {"content-type": "text/xml"}, content.encode()
    headers = {"content-type": "application/json", "x-amzn-errortype": refusal.code}
    body = {"__type": refusal.code, "message": refusal.message}
    return refusal.status, headers, json.dumps(body).encode()


def _xml(name: str, value: Any, shape: Shape) -> str:
    if shape.type_name == "list":
        inner = "".join(_xml("member", one, shape.member) for one in value)
    elif shape.type_name == "map":
        pairs = ((_xml("key", key, shape.key), _xml("value", one, shape.value)) for key, one in value.items())
        inner = "".join(f"<entry>{key}{one}</entry>" for key, one in pairs)
    elif shape.type_name == "structure":
        inner = "".join(_xml(key, one, shape.members[key]) for key, one in value.items())
    elif shape.type_name == "boolean":
        inner = str(value).lower()
    elif shape.type_name == "timestamp":
        inner = value.isoformat()
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"
