"""`generator alerts`: work with the alerts of a deployed stack, or of the one that runs on this machine."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from generator._format import as_json, text_table, visible
from generator.cli import deployed, options
from generator.config import files
from generator.config.schema import Environment
from generator.stack import alerts
from generator.stack.alerts import Alert, State

if TYPE_CHECKING:
    from generator.account.alerts import AlertsTable, FiringPrice

_user = click.argument("user", metavar="USER")
_alert = click.argument("alert", metavar="ALERT")
_show_phone_numbers = click.option("--show-phone-numbers", is_flag=True, help="Print phone numbers in full.")


def _environment() -> Environment:
    environment: Environment = click.get_current_context().obj
    return environment


@contextmanager
def _table(access: dict[str, Any], entered: Mapping[str, str | None]) -> Iterator[AlertsTable]:
    """Check what the user entered, by the keys of `alerts.FORMS`, then yield the table of the stack."""
    from generator.account.alerts import AlertsTable

    alerts.check(entered)
    environment = _environment()
    with deployed.stack(environment, f"generator alerts {environment.name} policy", **access) as stack:
        yield AlertsTable(stack)


def _not_a_subcommand(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    if value in command.commands:
        raise click.UsageError(f"Name the environment first: generator alerts ENV {value}")
    return value


@click.group(epilog="Example: generator alerts prod add me first BTC-USD above 64000 --phone-number +15555550100")
@click.argument("name", metavar="ENV", type=options.EnvironmentName(), callback=_not_a_subcommand)
@click.pass_context
def command(context: click.Context, name: str) -> None:
    """Add, list, show, rearm and remove the alerts of an environment's stack.

    An alert belongs to a USER and has an ALERT id. It fires once, at the first price at or past its threshold, and
    is then sent as one SMS. Phone numbers are masked, except for their last two digits.
    """
    (environment,) = files.load_named([name])
    context.obj = environment


@command.command(epilog="Example: generator alerts prod add me first BTC-USD above 64000 --phone-number +15555550100")
@_user
@_alert
@click.argument("symbol")
@click.argument("direction", type=click.Choice(alerts.DIRECTIONS))
@click.argument("threshold")
@click.option("--phone-number", required=True, metavar="+N", help="Number that receives the SMS.")
@options.of_stack
def add(user: str, alert: str, symbol: str, direction: str, threshold: str, phone_number: str, **access: Any) -> None:
    """Add an alert and arm it from now on. Exits with 1 if it exists."""
    entered = {"USER": user, "ALERT": alert, "SYMBOL": symbol, "DIRECTION": direction, "THRESHOLD": threshold}
    with _table(access, {**entered, alerts.PHONE: phone_number}) as table:
        arming = alerts.arming(symbol, direction, threshold, _now_ms())
        if not table.add(user, alert, arming, phone_number):
            again = ["generator", "alerts", _environment().name, "rearm", user, alert, *options.as_given(access)]
            _refuse(f"{user}/{alert} exists; to arm it again: {shlex.join(again)}")
    _show_armed(user, alert, arming)


@command.command(epilog="Example: generator alerts prod rearm me first --threshold 65000")
@_user
@_alert
@click.option("--symbol", metavar="S", help="New symbol.  [default: unchanged]")
@click.option("--direction", type=click.Choice(alerts.DIRECTIONS), help="New direction.  [default: unchanged]")
@click.option("--threshold", metavar="N", help="New threshold.  [default: unchanged]")
@click.option("--phone-number", metavar="+N", help="New phone number.  [default: unchanged]")
@options.of_stack
def rearm(
    user: str,
    alert: str,
    symbol: str | None,
    direction: str | None,
    threshold: str | None,
    phone_number: str | None,
    **access: Any,
) -> None:
    """Arm an alert again from now on, with a new arming id. Exits with 1 if there is no such alert.

    Options that you omit keep their values.
    """
    given = {"symbol": symbol, "direction": direction, "threshold": threshold}
    entered = {"USER": user, "ALERT": alert, **{name.upper(): text for name, text in given.items()}}
    with _table(access, {**entered, alerts.PHONE: phone_number}) as table:
        known = _known(table, user, alert)
        recorded = {name: getattr(known, name) or "" for name in given}
        wanted = {name: text for name, text in recorded.items() if alerts.is_valid(name.upper(), text)}
        wanted |= {name: text for name, text in given.items() if text is not None}
        if missing := [f"--{name}" for name in given if name not in wanted]:
            raise click.UsageError(f"The alert does not record what it watched: add {', '.join(missing)}.")
        arming = alerts.arming(**wanted, now_ms=_now_ms())
        if not table.rearm(user, alert, arming, phone_number):
            _refuse_absent(user, alert)
    _show_armed(user, alert, arming)


@command.command(epilog="Example: generator alerts prod remove me first")
@_user
@_alert
@options.of_stack
def remove(user: str, alert: str, **access: Any) -> None:
    """Remove an alert. A notification that was not sent yet is dropped. Exits with 1 if there is no such alert."""
    with _table(access, {"USER": user, "ALERT": alert}) as table:
        if not table.remove(user, alert):
            _refuse_absent(user, alert)
    click.echo(visible(f"{user}/{alert}: removed"))


@command.command(epilog="Example: generator alerts prod show me first --format json")
@_user
@_alert
@_show_phone_numbers
@options.output_format("text", "json")
@options.of_stack
def show(user: str, alert: str, show_phone_numbers: bool, format_: str, **access: Any) -> None:
    """Show what an alert is doing: armed, fired, sent, late or malformed, and why. Exits with 1 if there is none.

    The table does not record which price fired an alert. The command looks for the first price past the threshold.
    """
    with _table(access, {"USER": user, "ALERT": alert}) as table:
        known = _known(table, user, alert)
        price = table.firing_price(known)
    shown = _shown(known, show_phone_numbers)
    if format_ == "json":
        fired = {"price": price.price, "at": _iso(price.timestamp_ms)} if price else None
        click.echo(as_json({**shown, "fired": fired}))
        return
    click.echo("\n".join(_as_text(shown, price)))
    if known.state == State.FIRED:
        where = f"{_environment().name} --local" if access["local"] else _environment().name
        click.echo(f"\nIf it stays fired, its notification may have failed: generator replay {where}")


@command.command("list", epilog="Example: generator alerts prod list --state malformed")
@click.option("--user", metavar="USER", help="List only this user's alerts, and read no others.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="List only alerts in this state.")
@options.limit("Maximum number of alerts to show.")
@_show_phone_numbers
@options.output_format("text", "json")
@options.of_stack
def list_(
    user: str | None, state: str | None, limit: int, show_phone_numbers: bool, format_: str, **access: Any
) -> None:
    """List alerts with their states. Without --user, this reads the whole table, which AWS bills."""
    with _table(access, {"USER": user}) as table:
        in_state = (alert for alert in table.read(user) if state is None or alert.state == state)
        matching = [*itertools.islice(in_state, limit + 1)]
    is_cut, rows = len(matching) > limit, [_shown(alert, show_phone_numbers) for alert in matching[:limit]]
    if format_ == "json":
        click.echo(as_json({"environment": _environment().name, "alerts": rows, "more": is_cut}))
        return
    header = ("User", "Alert", "State", "Watches", "Armed", "Outcome", "Phone number", "Reason")
    click.echo("\n".join(text_table(header, map(_row, rows))))
    if is_cut:
        click.echo(f"There are more than {limit:,}; name a --user, or raise --limit.", err=True)


@command.command(epilog="Example: generator alerts prod policy")
@options.region
@options.stack_name
def policy(region: str | None, stack_name: str | None) -> None:
    """Print the IAM policy that these commands need. Needs no credentials."""
    from generator.account import alerts as live

    click.echo(as_json(live.policy(*deployed.place(_environment(), region, stack_name))))


def _refuse(why: str) -> NoReturn:
    click.echo(visible(why), err=True)
    sys.exit(1)


def _refuse_absent(user: str, alert: str) -> NoReturn:
    _refuse(f"there is no alert {user}/{alert}")


def _known(table: AlertsTable, user: str, alert: str) -> Alert:
    return table.get(user, alert) or _refuse_absent(user, alert)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _show_armed(user: str, alert: str, arming: dict[str, dict[str, str]]) -> None:
    symbol, _, direction = arming["watch"]["S"].partition("#")
    watch = f"{symbol} {direction} {arming['threshold']['N']}"
    click.echo(visible(f"{user}/{alert}: armed, {watch} (arming {arming['generation']['S']})"))


def _shown(alert: Alert, show_phone_numbers: bool) -> dict[str, Any]:
    """Return an alert as JSON shows it."""
    shown = {name.removesuffix("_ms"): value for name, value in dataclasses.asdict(alert).items()}
    shown |= {name: _iso(shown[name]) for name in ("armed_at", "settled_at")}
    if alert.phone_number is not None and not show_phone_numbers:
        shown["phone_number"] = alerts.masked(alert.phone_number)
    return shown


def _as_text(shown: dict[str, Any], price: FiringPrice | None) -> list[str]:
    fired = "the price is not in the price table any more, or the alert does not record its threshold"
    if shown["state"] in (State.ARMED, State.MALFORMED):
        fired = "-"
    elif price:
        fired = f"at {price.price}, the price of {_iso(price.timestamp_ms)}"
    settled = shown["settled_at"] and f"{shown['state']} {shown['settled_at']}"
    message_id = shown["message_id"] and f"(MessageId {shown['message_id']})"
    rows = [
        ("state", shown["state"]),
        *(("reason", reason) for reason in shown["reasons"]),
        ("watches", _watches(shown)),
        ("armed", f"{shown['armed_at'] or 'never'} (arming {shown['arming_id']})"),
        ("fired", fired),
        ("outcome", " ".join(filter(None, (settled, message_id))) or "-"),
        ("phone number", shown["phone_number"] or "-"),
    ]
    return text_table((), rows)


def _row(shown: dict[str, Any]) -> list[str]:
    cells = [shown["user_id"], shown["alert_id"], shown["state"], _watches(shown)]
    cells += [shown[name] or "-" for name in ("armed_at", "settled_at", "phone_number")]
    return [*cells, "; ".join(shown["reasons"])]


def _watches(shown: dict[str, Any]) -> str:
    return " ".join(filter(None, (shown["symbol"], shown["direction"], shown["threshold"]))) or "-"


def _iso(time_ms: str | None) -> str | None:
    """Return a time as ISO 8601. A number that is no time stays as it is."""
    if time_ms is None or not re.fullmatch("[0-9]{1,13}", time_ms):
        return time_ms
    return datetime.fromtimestamp(int(time_ms) / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
