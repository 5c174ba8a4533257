"""Generate the reference page of all settings from the code: `python docs/settings_page.py`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from generator._format import code, markdown_table
from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.config.fields import REQUIRED
from generator.config.json_schema import description, prose
from generator.config.prices import DATED, PRICED_REGION, Prices
from generator.config.schema import Environment, Functions
from generator.config.validation import (
    LEASE_S,
    MAX_LOGNORMAL_P95_OVER_MEAN,
    MIN_RESUMING_TIMEOUT_S,
    MIN_SENDING_TIMEOUT_S,
    RESUMING_RESERVE_S,
)

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "environments/README.md", ROOT / "generator/skeleton/environments/README.md")

INTRODUCTION = """\
# Environments and their settings

Each file here defines one environment, and so one stack: `NAME.toml`, with `name = "NAME"` in it. `name`, `region` and
`traffic.webhooks_per_hour` are required; every other setting has the default below. To try a value without editing the
file, run for example `generator size prod --set traffic.peak_factor=3`.

Names end with their unit: `_s` is seconds, `_ms` milliseconds, `_mb` MiB, `_usd` US dollars. Ranges include both ends.
"""

FUNCTION_RULES = f"""\
Further rules:

- `mean_duration_ms` is below the function's timeout.
- With a lognormal distribution, `p95_duration_ms` is above the mean and at most {MAX_LOGNORMAL_P95_OVER_MEAN:.3g}
  times the mean.
- `process_webhook.mean_duration_ms` is below {API_GATEWAY_TIMEOUT_MS:,}, the timeout of API Gateway.
- `check_alerts.timeout_s` and `cleanup_history.timeout_s` are at least {MIN_RESUMING_TIMEOUT_S}: both functions stop
  {RESUMING_RESERVE_S} s before their timeout and resume later.
- `send_notification.timeout_s` is at least {MIN_SENDING_TIMEOUT_S} and below {LEASE_S}: SNS may take 16 s to accept an
  SMS, and a claim on an alert expires after {LEASE_S} s.
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    fields = dataclasses.fields(Environment)
    parts = [INTRODUCTION, _table(Environment, [field for field in fields if not _kind(field)])]
    for field in fields:
        if kind := _kind(field):
            name = f"[{field.name}]" if "tables" in field.metadata else field.name
            parts += [f"## [{name}]\n", *_section(kind)]
    return "\n".join(parts)


def undescribed() -> list[str]:
    """Return the settings without a description."""
    return [
        f"{kind.__name__}.{field.name}"
        for kind in _kinds(Environment)
        for field in dataclasses.fields(kind)
        if not _kind(field) and not description(kind, field.name)
    ]


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    for field in dataclasses.fields(kind):
        if inner := _kind(field):
            yield from _kinds(inner)


def _kind(field: dataclasses.Field[Any]) -> type | None:
    """Return the settings in a table, or in each table of a list; None for a single setting."""
    return field.metadata.get("section") or field.metadata.get("tables")


def _section(kind: type) -> Iterator[str]:
    yield f"{prose(kind)}\n"
    if kind is Functions:
        yield from _functions()
    elif kind is Prices:
        yield (
            f"List prices of {PRICED_REGION}, {DATED}, without free tiers and discounts, with the entry of each in the "
            "AWS Price List:\n"
        )
        yield _table(kind, dataclasses.fields(kind))
    else:
        yield _table(kind, dataclasses.fields(kind))


def _functions() -> Iterator[str]:
    """One table for all functions, which differ only in their defaults."""
    fields = dataclasses.fields(Functions)
    (kind,) = {field.metadata["section"] for field in fields}
    yield f"One section per function, such as `[functions.{fields[0].name}]`. {prose(kind)}\n"
    yield FUNCTION_RULES
    defaults = [field.metadata["defaults"] for field in fields]
    rows = [
        [
            code(one.name),
            one.metadata["accepts"],
            *(_default({"default": own.get(one.name, one.metadata["default"])}) for own in defaults),
            description(kind, one.name),
        ]
        for one in dataclasses.fields(kind)
    ]
    yield _rows(["setting", "accepts", *(code(field.name) for field in fields), "description"], rows)


def _table(kind: type, fields: Iterable[dataclasses.Field[Any]]) -> str:
    rows = [
        [code(one.name), one.metadata["accepts"], _default(one.metadata), description(kind, one.name)] for one in fields
    ]
    return _rows(["setting", "accepts", "default", "description"], rows)


def _rows(header: list[str], rows: list[list[str]]) -> str:
    return "".join(f"{line}\n" for line in markdown_table(header, rows))


def _default(metadata: Mapping[str, Any]) -> str:
    """Return a default as it is written in the file."""
    value = metadata["default"]
    if value is REQUIRED:
        return "required"
    if value is None or value == {} or value == []:
        return "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, str):
        return code(f'"{value}"')
    return f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def main() -> int:
    for path in PAGES:
        path.write_text(page())
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
