"""[[sources]]: accepted sources, and every fault of every source at once."""

from __future__ import annotations

from typing import Any

import pytest

from generator.config.files import read
from generator.config.senders import Scheme, WebhookSource
from generator.errors import InvalidEnvironment

TABLE = {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}
TOKEN = {"name": "tradingview", "scheme": "token", "rate_per_s": 5}
HMAC = {"name": "feed", "scheme": "hmac", "rate_per_s": 20}
STANDARD = {"name": "signed", "scheme": "standard"}


def faults(*sources: Any) -> list[str]:
    with pytest.raises(InvalidEnvironment) as refused:
        read({**TABLE, "sources": list(sources)}, "prod")
    return [line.removeprefix("prod: ") for line in str(refused.value).splitlines()]


def test_an_environment_has_no_sources_unless_it_states_them() -> None:
    assert read(TABLE, "prod").sources == read(TABLE, "prod").paths == ()


def test_the_standard_source_has_no_path_of_its_own() -> None:
    token = {**TOKEN, "allowed_addresses": ["52.89.214.238", "10.0.0.0/8", "2001:db8::/32"]}
    read_ = read({**TABLE, "sources": [STANDARD, token, {**HMAC, "header": "X-Feed"}]}, "prod")
    assert read_.paths == (
        WebhookSource("tradingview", Scheme.TOKEN, 5, ("52.89.214.238", "10.0.0.0/8", "2001:db8::/32"), ""),
        WebhookSource("feed", Scheme.HMAC, 20, (), "X-Feed"),
    )
    assert len(read_.sources) == 3


def test_every_fault_of_every_source_is_reported_at_once() -> None:
    wrong = {"name": "A", "scheme": "basic", "rate_per_s": 0, "allowed_addresses": ["10.0.0.1/8", 5], "header": "a b"}
    assert [fault.partition(";")[0] for fault in faults(wrong, {"name": "b", "scheme": "token", "rate": 1}, {})] == [
        'sources.A.name: "A" is not a name of up to 32 lower-case letters, digits and dashes, no dash first',
        'sources.A.scheme: "basic" is not supported',
        "sources.A.rate_per_s: 0 is below the minimum of 0.1",
        'sources.A.allowed_addresses: "10.0.0.1/8", 5: not addresses or networks such as 52.89.214.238 or 10.0.0.0/8',
        'sources.A.header: "a b" is not the name of a header, with letters, digits and dashes',
        "sources.b.rate: unknown key",
        "sources.b.rate_per_s: a source needs its own limit",
        "sources.3.name: missing",
        "sources.3.scheme: missing",
    ]


@pytest.mark.parametrize(
    ("sources", "fault"),
    [
        ([{**STANDARD, "rate_per_s": 1}], "sources.signed.rate_per_s: the usage plan limits POST /webhooks; remove "),
        ([{**STANDARD, "allowed_addresses": ["1.2.3.4"]}], "sources.signed.allowed_addresses: POST /webhooks accepts"),
        ([{**TOKEN, "header": "X"}], "sources.tradingview.header: only hmac reads a header of its own; remove header"),
        ([STANDARD, {**STANDARD, "name": "b"}], "sources: there is only one POST /webhooks; keep one source with"),
        ([TOKEN, TOKEN], "sources: tradingview, tradingview are the same name, apart from dashes; rename all but one"),
        ([TOKEN, {**HMAC, "name": "trading-view"}], "sources: tradingview, trading-view are the same name"),
        ([{**TOKEN, "name": str(n)} for n in range(6)], "sources: 6 tables are more than 5; remove some"),
        (["tradingview"], "sources: ['tradingview'] is not a list of tables; write [[sources]] and its keys below it"),
        ([{**TOKEN, "allowed_addresses": "1.2.3.4"}], 'sources.tradingview.allowed_addresses: "1.2.3.4" is not a list'),
        ([{**TOKEN, "allowed_addresses": ["1.1.1.1"] * 21}], "sources.tradingview.allowed_addresses: 21 entries are"),
    ],
)
def test_a_source_that_contradicts_its_scheme_or_another_source_is_a_fault(sources: list[Any], fault: str) -> None:
    (found,) = faults(*sources)
    assert found.startswith(fault)
