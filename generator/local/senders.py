"""The sources of a template that have a path of their own, and the requests that they send."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

TOKEN = "token"  # noqa: S105 - the name of a scheme

ELLIPSIS = "..."
"""Shown in place of a secret."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that is deployed: its scheme, its header if the scheme is hmac, the URL of its path, and its secret."""

    name: str
    scheme: str
    header: str
    url: str
    secret: str = field(repr=False)

    def alert(self, symbol: str, price: str) -> str:
        """Return a body shaped like a message of TradingView: the price as a number, the time as {{timenow}} writes it.

        A source with the scheme token has its secret in it.
        """
        token = {"token": self.secret} if self.scheme == TOKEN else {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        start = json.dumps({**token, "symbol": symbol})
        return f'{start[:-1]}, "price": {price}, "timestamp": "{now}"}}'

    def headers(self, body: str) -> dict[str, str]:
        """Return the headers that go with a body."""
        content = {"content-type": "text/plain; charset=utf-8"}
        return content if self.scheme == TOKEN else {**content, self.header: self._signature(body, int(time.time()))}

    def _signature(self, body: str, sent_at_s: int) -> str:
        signed = hmac.digest(self.secret.encode(), f"{sent_at_s}.{body}".encode(), hashlib.sha256)
        return f"t={sent_at_s},v1={signed.hex()}"

    def shown(self, body: str) -> str:
        """Return a request for people, without its secret."""
        return f"POST /webhooks/{self.name}\n{body.replace(self.secret, ELLIPSIS)}"

    def commands(self) -> str:
        """Return lines to paste that send a price."""
        if self.scheme == TOKEN:
            now = "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'"
            body = f'{{"token":"{self.secret}","symbol":"BTC-USD","price":64231.50,"timestamp":"{now}"}}'
            return f"curl -i {self.url} -H 'content-type: text/plain' -d '{body}'\n"
        body = '{"symbol":"BTC-USD","price":64231.50,"timestamp":\'$(date +%s)\'000}'
        return f"""\
(SECRET={self.secret} AT=$(date +%s)
BODY='{body}'
SIGNATURE=$(printf %s "$AT.$BODY" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -i {self.url} -H "{self.header}: t=$AT,v1=$SIGNATURE" -d "$BODY")
"""
