"""The senders of webhooks: the path, the scheme and the limits of each."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from generator.config.fields import REQUIRED, Complaint, CrossCheck, choice, number, text, texts

MAX_SOURCES = 5

MAX_ADDRESSES = 20
"""API Gateway's resource policy holds 8,192 bytes. Source: Amazon API Gateway Developer Guide, "Quotas"."""


DEFAULT_HEADER = "X-Signature"
"""The header that carries the signature of the scheme hmac."""


class Scheme(StrEnum):
    """How a source proves that a webhook comes from it."""

    STANDARD = "standard"
    TOKEN = "token"  # noqa: S105 - the name of a scheme
    HMAC = "hmac"


def _is_network(address: str) -> bool:
    """Return whether it is an address or a network without a zone, which may be any text and no sender has."""
    try:
        return "%" not in address and bool(ipaddress.ip_network(address))
    except ValueError:
        return False


class WebhookSource(NamedTuple):
    """A sender other than those that sign with Standard Webhooks, who always have POST /webhooks. It has its own path,
    POST /webhooks/NAME, its own secret and its own limit. No two names may differ only in dashes."""

    # Name of the sender: the last part of its path, and the source with which its prices are stored.
    name: str = text(
        REQUIRED, "[a-z0-9][a-z0-9-]{0,31}", "a name of up to 32 lower-case letters, digits and dashes, no dash first"
    )
    # "token": the body has a field `token` with the secret, for senders such as TradingView, which control only the URL
    # and the body. "hmac": a header has a signature of time and body. "standard" is POST /webhooks, which every stack
    # has; it takes no other setting.
    scheme: Scheme = choice(REQUIRED, *Scheme)
    # The most requests per second, for "token" and "hmac". The usage plan of POST /webhooks gets what the sources leave
    # of the rate that the reservation sustains. `traffic.webhooks_per_hour` counts the webhooks of all sources.
    rate_per_s: float | None = number(None, 0.1, 1000)
    # The networks from which the path accepts requests. Empty: all. TradingView publishes four addresses.
    # Source: https://www.tradingview.com/support/solutions/43000529348.
    allowed_addresses: tuple[str, ...] = texts(
        _is_network, "addresses or networks such as 52.89.214.238 or 10.0.0.0/8", MAX_ADDRESSES
    )
    # The header with the signature, for "hmac" alone. Empty: X-Signature.
    header: str = text("", "[A-Za-z0-9-]{0,64}", "the name of a header, with letters, digits and dashes")


def _rate_is_stated(rate_per_s: float | None, scheme: Scheme) -> Complaint | None:
    if scheme == Scheme.STANDARD:
        return None if rate_per_s is None else ("the usage plan limits POST /webhooks", "remove rate_per_s")
    return ("a source needs its own limit", "add for example rate_per_s = 5") if rate_per_s is None else None


def _addresses_have_a_path(allowed: Sequence[str], scheme: Scheme) -> Complaint | None:
    if scheme == Scheme.STANDARD and allowed:
        return "POST /webhooks accepts every address, because its senders sign", "remove allowed_addresses"
    return None


def _header_is_signed(header: str, scheme: Scheme) -> Complaint | None:
    return ("only hmac reads a header of its own", "remove header") if header and scheme != Scheme.HMAC else None


CHECKS = (
    CrossCheck(("rate_per_s", "scheme"), _rate_is_stated),
    CrossCheck(("allowed_addresses", "scheme"), _addresses_have_a_path),
    CrossCheck(("header", "scheme"), _header_is_signed),
)
"""The validation rules of one source."""


def distinct(sources: Sequence[WebhookSource]) -> Complaint | None:
    """Complain about names that differ only in dashes, which no logical id has, and about a second standard source."""
    names = [source.name for source in sources if isinstance(source.name, str)]
    plain = [name.replace("-", "") for name in names]
    if twice := [name for name, bare in zip(names, plain, strict=True) if plain.count(bare) > 1]:
        return f"{', '.join(twice)} are the same name, apart from dashes", "rename all but one"
    if sum(source.scheme == Scheme.STANDARD for source in sources) > 1:
        return "there is only one POST /webhooks", 'keep one source with scheme = "standard"'
    return None
