"""`generator replay`: show the events that failed for good, and publish notifications again."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from generator._format import as_json, duration, visible
from generator.cli import deployed, options
from generator.config import files
from generator.config.schema import Environment
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from generator.account.replay import Message


@click.command(epilog="Example: generator replay prod --run")
@options.environment
@click.option("--run", "is_run", is_flag=True, help="Publish and delete. Without it, only show.")
@click.option(
    "--max-age",
    "max_age_s",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Maximum age of an alert to replay.  [default: traffic.max_notification_age_s]",
)
@click.option("--discard", "is_discard", is_flag=True, help="Also delete messages that can no longer be replayed.")
@options.limit("Maximum number of messages to read from each queue.")
@click.option("--policy", is_flag=True, help="Print the IAM policy that a replay needs, and exit.")
@options.output_format("text", "json")
@options.of_stack
def command(
    name: str,
    is_run: bool,
    max_age_s: int | None,
    is_discard: bool,
    limit: int,
    policy: bool,
    format_: str,
    **access: Any,
) -> None:
    """Show the events that failed for good, and with --run publish the notifications among them again.

    A notification goes back to the notification topic, and its message is deleted after SNS accepted it. An alert whose
    SMS was sent is not sent again. Without --run, messages are only hidden from others for a moment. Exits with 1 if a
    replay was not accepted.
    """
    from generator.account import replay

    (environment,) = files.load_named([name])
    if policy:
        place = deployed.place(environment, access["region"], access["stack_name"])
        click.echo(as_json(replay.policy(*place)))
        return
    max_age_s = _max_age_s(environment, max_age_s)
    messages: list[Message] = []
    try:
        with deployed.stack(environment, f"generator replay {name} --policy", **access) as stack:
            for message in replay.Replay(stack, max_age_s, is_run, is_discard).messages(limit):
                messages.append(message)
    except (GeneratorError, KeyboardInterrupt):
        if messages:  # They may have been published already.
            _print(name, messages, is_run, format_)
        raise
    _print(name, messages, is_run, format_)
    sys.exit(1 if any(message.action == replay.Action.FAILED for message in messages) else 0)


def _max_age_s(environment: Environment, stated_s: int | None) -> int:
    """Return the age limit. The function drops what is older than its own limit, so a higher one would lose events."""
    most_s = environment.traffic.max_notification_age_s
    if stated_s is not None and stated_s > most_s:
        raise click.UsageError(
            f"--max-age is above traffic.max_notification_age_s = {most_s}, and SendNotificationFunction drops what is "
            "older; raise the setting, generate and deploy first."
        )
    return stated_s or most_s


def _print(name: str, messages: list[Message], is_run: bool, format_: str) -> None:
    if format_ == "json":
        report = {"environment": name, "run": is_run, "events": [_as_dict(message) for message in messages]}
        click.echo(as_json(report))
        return
    if not messages:
        click.echo(f"{name}: the failure queues are empty")
        return
    for message in messages:
        event, ago = message.event, duration(message.failed_ago_s)
        click.echo(visible(f"{message.action:<9}  {event.kind}: {event.subject}"))
        click.echo(visible(f"{'':<9}  failed {ago} ago: {event.reason or 'no reason given'}; {message.why}"))
    counts = Counter(message.action for message in messages)
    click.echo(f"\n{', '.join(f'{action}: {number:,}' for action, number in counts.items())}")
    if not is_run and set(counts) != {"keep"}:
        click.echo("Nothing was changed; to do it, add --run.")


def _as_dict(message: Message) -> dict[str, Any]:
    event = message.event
    return {
        "queue": message.queue,
        "message_id": message.message_id,
        "failed_at_ms": message.failed_at_ms,
        "kind": event.kind,
        "subject": event.subject,
        "reason": event.reason,
        "since_ms": event.since_ms,
        "action": message.action,
        "why": message.why,
    }
