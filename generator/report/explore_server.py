"""The server of `generator explore`: one page and its data on 127.0.0.1, for the browser of this user alone.

A web page that the user visits can send requests to 127.0.0.1. It does not know the secret in the path, and it cannot
hide its origin. If it points a name to 127.0.0.1, that name is in the Host header.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from generator.errors import GeneratorError
from generator.report import explore

HOST = "127.0.0.1"

MAX_CHANGES = 50
"""Changes in one request; there are fewer sliders."""

Answer = Callable[[str, Sequence[str]], dict[str, Any]]

ANSWERS: Mapping[str, Answer] = {
    "start.json": lambda name, _: explore.start(name),
    "answer.json": explore.answer,
    "staircase.json": explore.staircase,
}


PAGE = resources.files("generator.report").joinpath("explore.html").read_bytes()
"""The page. It has no data of its own."""


def _hashes(tag: bytes) -> str:
    """Return the hash of the page's script or style. Source: W3C, Content Security Policy Level 3, "hash-source"."""
    texts = re.findall(b"<%b>(.*?)</%b>" % (tag, tag), PAGE, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src {_hashes(b'script')}; style-src {_hashes(b'style')}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers that let the page run its own script and style, and ask this server alone."""


class Server(ThreadingHTTPServer):
    """Serves the page of one environment at `url`, which has a secret in its path."""

    daemon_threads = True

    def __init__(self, environment: str, port: int = 0) -> None:
        """Listen on the port, or on any free one. Raises OSError if the port is taken."""
        super().__init__((HOST, port), _Handler)
        self.environment = environment
        self.secret = secrets.token_urlsafe(24)

    @property
    def host(self) -> str:
        """The Host header of every request to this server."""
        return f"{HOST}:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{self.host}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing if the browser went away, as it does when a tab is closed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 60
    server_version, sys_version = "generator", ""

    def do_GET(self) -> None:
        """Answer a request of the page; refuse any other."""
        path, _, query = self.path.partition("?")
        _, secret, name = [*path.split("/", 2), "", ""][:3]
        if self._is_foreign():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"open the address that generator explore printed\n")
        elif not hmac.compare_digest(secret.encode(), self.server.secret.encode()) or name not in {"", *ANSWERS}:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")
        elif not name:
            self._send(HTTPStatus.OK, "text/html", PAGE)
        else:
            status = HTTPStatus.OK
            try:
                document = ANSWERS[name](self.server.environment, parse_qs(query).get("set", [])[:MAX_CHANGES])
            except GeneratorError as error:
                status, document = HTTPStatus.BAD_REQUEST, {"faults": [str(fault) for fault in error.faults]}
            self._send(status, "application/json", json.dumps(document).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the page shows what is wrong."""

    def _is_foreign(self) -> bool:
        """Return whether the request names another host, or comes from a page of another origin."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        return (
            self.headers.get_all("Host") != [self.server.host]
            or origin not in (None, f"http://{self.server.host}")
            or site not in ("none", "same-origin")
        )

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
