"""Generate the reference page of all settings from the code: `python docs/settings_page.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from generator._format import code, markdown_table
from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.config.fields import REQUIRED, Declaration, declarations
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
    settings = declarations(Environment)
    parts = [INTRODUCTION, _table(Environment, {key: one for key, one in settings.items() if not _kind(one)})]
    for key, setting in settings.items():
        if kind := _kind(setting):
            name = f"[{key}]" if "tables" in setting else key
            parts += [f"## [{name}]\n", *_section(kind)]
    return "\n".join(parts)


def undescribed() -> list[str]:
    """Return the settings without a description."""
    return [
        f"{kind.__name__}.{name}"
        for kind in _kinds(Environment)
        for name, setting in declarations(kind).items()
        if not _kind(setting) and not description(kind, name)
    ]


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    for setting in declarations(kind).values():
        if inner := _kind(setting):
            yield from _kinds(inner)


def _kind(setting: Declaration) -> type | None:
    """Return the settings in a table, or in each table of a list; None for a single setting."""
    return setting.get("section") or setting.get("tables")


def _section(kind: type) -> Iterator[str]:
    yield f"{prose(kind)}\n"
    if kind is Functions:
        yield from _functions()
    elif kind is Prices:
        yield (
            f"List prices of {PRICED_REGION}, {DATED}, without free tiers and discounts, with the entry of each in the "
            "AWS Price List:\n"
        )
        yield _table(kind, declarations(kind))
    else:
        yield _table(kind, declarations(kind))


def _functions() -> Iterator[str]:
    """One table for all functions, which differ only in their defaults."""
    functions = declarations(Functions)
    (kind,) = {function["section"] for function in functions.values()}
    yield f"One section per function, such as `[functions.{next(iter(functions))}]`. {prose(kind)}\n"
    yield FUNCTION_RULES
    defaults = [function["defaults"] for function in functions.values()]
    rows = [
        [
            code(name),
            setting["accepts"](),
            *(_default({"default": own.get(name, setting["default"])}) for own in defaults),
            description(kind, name),
        ]
        for name, setting in declarations(kind).items()
    ]
    yield _rows(["setting", "accepts", *map(code, functions), "description"], rows)


def _table(kind: type, settings: Mapping[str, Declaration]) -> str:
    rows = [
        [code(name), setting["accepts"](), _default(setting), description(kind, name)]
        for name, setting in settings.items()
    ]
    return _rows(["setting", "accepts", "default", "description"], rows)


def _rows(header: list[str], rows: list[list[str]]) -> str:
    return "".join(f"{line}\n" for line in markdown_table(header, rows))


def _default(setting: Declaration) -> str:
    """Return a default as it is written in the file."""
    value = setting["default"]
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
