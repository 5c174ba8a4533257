"""`generator alerts`: work with the alerts of a deployed stack, or of the one that runs on this machine."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from generator._format import text_table, visible
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


_environment = click.make_pass_decorator(Environment)


@contextmanager
def _table(environment: Environment, access: dict[str, Any]) -> Iterator[AlertsTable]:
    from generator.account.alerts import AlertsTable

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
@_environment
def add(
    environment: Environment,
    /,
    user: str,
    alert: str,
    symbol: str,
    direction: str,
    threshold: str,
    phone_number: str,
    **access: Any,
) -> None:
    """Add an alert and arm it from now on. Exits with 1 if it exists."""
    alerts.check(
        {"USER": user, "ALERT": alert, "SYMBOL": symbol, "THRESHOLD": threshold, "--phone-number": phone_number}
    )
    arming = alerts.arming(symbol, direction, threshold, _now_ms())
    with _table(environment, access) as table:
        if not table.add(user, alert, arming, phone_number):
            again = ["generator", "alerts", environment.name, "rearm", user, alert, *options.as_given(access)]
            _refuse(f"{user}/{alert} exists; to arm it again: {shlex.join(again)}")
    click.echo(visible(_armed(user, alert, arming)))


@command.command(epilog="Example: generator alerts prod rearm me first --threshold 65000")
@_user
@_alert
@click.option("--symbol", metavar="S", help="New symbol.  [default: unchanged]")
@click.option("--direction", type=click.Choice(alerts.DIRECTIONS), help="New direction.  [default: unchanged]")
@click.option("--threshold", metavar="N", help="New threshold.  [default: unchanged]")
@click.option("--phone-number", metavar="+N", help="New phone number.  [default: unchanged]")
@options.of_stack
@_environment
def rearm(
    environment: Environment,
    /,
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
    alerts.check(
        {"USER": user, "ALERT": alert, "SYMBOL": symbol, "THRESHOLD": threshold, "--phone-number": phone_number}
    )
    with _table(environment, access) as table:
        known = table.get(user, alert) or _refuse(f"there is no alert {user}/{alert}")
        given = {"symbol": symbol, "direction": direction, "threshold": threshold}
        wanted = {**_well_formed(known), **{name: value for name, value in given.items() if value is not None}}
        if missing := [f"--{name}" for name in given if name not in wanted]:
            raise click.UsageError(f"The alert does not record what it watched: add {', '.join(missing)}.")
        arming = alerts.arming(**wanted, now_ms=_now_ms())
        if not table.rearm(user, alert, arming, phone_number):
            _refuse(f"there is no alert {user}/{alert}")
    click.echo(visible(_armed(user, alert, arming)))


@command.command("remove", epilog="Example: generator alerts prod remove me first")
@_user
@_alert
@options.of_stack
@_environment
def remove(environment: Environment, /, user: str, alert: str, **access: Any) -> None:
    """Remove an alert. A notification that was not sent yet is dropped. Exits with 1 if there is no such alert."""
    alerts.check({"USER": user, "ALERT": alert})
    with _table(environment, access) as table:
        if not table.remove(user, alert):
            _refuse(f"there is no alert {user}/{alert}")
    click.echo(visible(f"{user}/{alert}: removed"))


@command.command(epilog="Example: generator alerts prod show me first --format json")
@_user
@_alert
@_show_phone_numbers
@options.output_format("text", "json")
@options.of_stack
@_environment
def show(
    environment: Environment, /, user: str, alert: str, show_phone_numbers: bool, format_: str, **access: Any
) -> None:
    """Show what an alert is doing: armed, fired, sent, late or malformed, and why. Exits with 1 if there is none.

    The table does not record which price fired an alert. The command looks for the first price past the threshold.
    """
    alerts.check({"USER": user, "ALERT": alert})
    with _table(environment, access) as table:
        known = table.get(user, alert) or _refuse(f"there is no alert {user}/{alert}")
        price = table.firing_price(known)
    if format_ == "json":
        fired = {"price": price.price, "at": _iso(str(price.timestamp_ms))} if price else None
        click.echo(json.dumps({**_as_dict(known, show_phone_numbers), "fired": fired}, indent=1))
    else:
        click.echo("\n".join(_as_text(known, price, show_phone_numbers)))
        if known.state == State.FIRED:
            where = f"{environment.name} --local" if access["local"] else environment.name
            click.echo(f"\nIf it stays fired, its notification may have failed: generator replay {where}")


@command.command("list", epilog="Example: generator alerts prod list --state malformed")
@click.option("--user", metavar="USER", help="List only this user's alerts, and read no others.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="List only alerts in this state.")
@options.limit("Maximum number of alerts to show.")
@_show_phone_numbers
@options.output_format("text", "json")
@options.of_stack
@_environment
def list_(
    environment: Environment,
    /,
    user: str | None,
    state: State | None,
    limit: int,
    show_phone_numbers: bool,
    format_: str,
    **access: Any,
) -> None:
    """List alerts with their states. Without --user, this reads the whole table, which AWS bills."""
    alerts.check({"USER": user})
    matching: list[Alert] = []
    with _table(environment, access) as table:
        for page in table.pages(user):
            matching += [alert for alert in page if state is None or alert.state == state]
            if len(matching) > limit:
                break
    is_cut, matching = len(matching) > limit, matching[:limit]
    if format_ == "json":
        rows = [_as_dict(alert, show_phone_numbers) for alert in matching]
        click.echo(json.dumps({"environment": environment.name, "alerts": rows, "more": is_cut}, indent=1))
        return
    header = ("User", "Alert", "State", "Watches", "Armed", "Outcome", "Phone number", "Reason")
    click.echo("\n".join(text_table(header, [_row(alert, show_phone_numbers) for alert in matching])))
    if is_cut:
        click.echo(f"There are more than {limit:,}; name a --user, or raise --limit.", err=True)


@command.command(epilog="Example: generator alerts prod policy")
@options.region
@options.stack_name
@_environment
def policy(environment: Environment, /, region: str | None, stack_name: str | None) -> None:
    """Print the IAM policy that these commands need. Needs no credentials."""
    from generator.account import alerts as live

    click.echo(json.dumps(live.policy(*deployed.place(environment, region, stack_name)), indent=1))


def _refuse(why: str) -> NoReturn:
    click.echo(visible(why), err=True)
    sys.exit(1)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _well_formed(alert: Alert) -> dict[str, str]:
    """Return the symbol, direction and threshold of an alert, without those that are malformed."""
    known = {"symbol": alert.symbol, "direction": alert.direction, "threshold": alert.threshold}
    return {name: text for name, text in known.items() if text and alerts.is_valid(name.upper(), text)}


def _armed(user: str, alert: str, arming: dict[str, dict[str, str]]) -> str:
    symbol, _, direction = arming["watch"]["S"].partition("#")
    return (
        f"{user}/{alert}: armed, {symbol} {direction} {arming['threshold']['N']} (arming {arming['generation']['S']})"
    )


def _as_dict(alert: Alert, show_phone_numbers: bool) -> dict[str, Any]:
    return {
        "user_id": alert.user_id,
        "alert_id": alert.alert_id,
        "state": alert.state,
        "reasons": alert.reasons,
        "symbol": alert.symbol,
        "direction": alert.direction,
        "threshold": alert.threshold,
        "arming_id": alert.arming_id,
        "armed_at": _iso(alert.armed_at_ms),
        "settled_at": _iso(alert.settled_at_ms),
        "message_id": alert.message_id,
        "phone_number": _phone(alert, show_phone_numbers),
    }


def _as_text(alert: Alert, price: FiringPrice | None, show_phone_numbers: bool) -> Iterable[str]:
    settled_at = _iso(alert.settled_at_ms)
    message_id = alert.message_id and f"(MessageId {alert.message_id})"
    outcome = " ".join(filter(None, (settled_at and f"{alert.state} {settled_at}", message_id)))
    rows = [
        ("state", alert.state),
        *(("reason", reason) for reason in alert.reasons),
        ("watches", _watches(alert)),
        ("armed", f"{_iso(alert.armed_at_ms) or 'never'} (arming {alert.arming_id})"),
        ("fired", _fired(alert, price)),
        ("outcome", outcome or "-"),
        ("phone number", _phone(alert, show_phone_numbers) or "-"),
    ]
    return text_table((), rows)


def _fired(alert: Alert, price: FiringPrice | None) -> str:
    if alert.state in (State.ARMED, State.MALFORMED):
        return "-"
    if price is None:
        return "the price is not in the price table any more, or the alert does not record its threshold"
    return f"at {price.price}, the price of {_iso(str(price.timestamp_ms))}"


def _row(alert: Alert, show_phone_numbers: bool) -> tuple[str, ...]:
    return (
        alert.user_id,
        alert.alert_id,
        alert.state,
        _watches(alert),
        _iso(alert.armed_at_ms) or "-",
        _iso(alert.settled_at_ms) or "-",
        _phone(alert, show_phone_numbers) or "-",
        "; ".join(alert.reasons),
    )


def _watches(alert: Alert) -> str:
    return " ".join(filter(None, (alert.symbol, alert.direction, alert.threshold))) or "-"


def _phone(alert: Alert, in_full: bool) -> str | None:
    if alert.phone_number is None:
        return None
    return alert.phone_number if in_full else alerts.masked(alert.phone_number)


def _iso(time_ms: str | None) -> str | None:
    """Return a time as ISO 8601. A number that is no time stays as it is."""
    if time_ms is None or not re.fullmatch("[0-9]{1,13}", time_ms):
        return time_ms
    return datetime.fromtimestamp(int(time_ms) / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
