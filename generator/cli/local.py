"""`generator local`: run the whole system on this machine, without an AWS account and without Docker."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from generator import plans
from generator._format import visible
from generator.cli import alerts, options, replay
from generator.cli.output import is_interactive
from generator.config import files
from generator.local import demo, deployment, emulator, reasons, runs
from generator.local.deployment import System
from generator.template import reading


@click.command(epilog="Example: generator local dev --demo")
@options.environment
@click.option(
    "--port", type=click.IntRange(1, 65_535), metavar="N", help="Port of the emulator.  [default: any free port]"
)
@click.option(
    "--demo", "is_demo", is_flag=True, help="Arm alerts, send a short series of prices, print a table and exit."
)
def command(name: str, port: int | None, is_demo: bool) -> None:
    """Run the committed template of an environment on this machine.

    Deploys templates_out/ENV.json unchanged to an emulator on 127.0.0.1, and shows webhooks, alerts and SMS as they
    happen until you press Ctrl-C, or in the background until `kill` ends it. With --demo, exits with 1 if an expected
    SMS is missing.
    """
    (environment,) = files.load_named([name])
    path = plans.committed(name)
    template = reading.text_of(path, f"run: generator template {name}")
    reading.template(str(path), reading.parsed(str(path), template))
    try:
        _run(name, environment.region, template, port, is_demo)
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)
        sys.exit(1 if is_demo else 0)


def _run(name: str, region: str, template: str, port: int | None, is_demo: bool) -> None:
    emulator.require_installed()
    click.echo("Starting the emulator ...", err=True)
    with emulator.running(region, port) as running:
        click.echo(f"Deploying templates_out/{name}.json ...", err=True)
        system = deployment.deploy(running, template)
        runs.announce(running, name)
        if is_demo:
            _demo(system)
            _demo_replay(name, system)
        else:
            click.echo(_welcome(name, system))
            _watch(system)


def _demo(system: System) -> None:
    def progress(numbers: Iterable[int]) -> Iterable[int]:
        if not is_interactive():
            click.echo("Sending prices ...", err=True)
            yield from numbers
            return
        with click.progressbar(numbers, length=demo.PRICES, label="Sending prices", file=sys.__stderr__) as bar:
            yield from bar

    outcome = demo.run(system, progress)
    click.echo(demo.as_table(outcome))
    if outcome.refusals:
        click.echo(f"a price was not stored: {visible(outcome.refusals[0])}", err=True)
    if not outcome.passed:
        click.echo("the SMS messages are not the expected ones; see the table above", err=True)
        sys.exit(1)


def _demo_replay(name: str, system: System) -> None:
    """Let a notification fail and replay it, with the commands that an operator uses."""
    click.echo("\nThe next notification fails, because its function is switched off:\n")
    number = "+15555559999"
    arm = f"alerts {name} add demo replayed LINK-USD above 2 --phone-number {number} --local"
    _run_as_typed(alerts.command, arm)
    body = {"symbol": "LINK-USD", "price": "2.15", "timestamp": int(time.time() * 1000), "source": "demo"}
    with system.outage_of_notifications():
        system.send(body, "demo_replayed")
    _run_as_typed(alerts.command, f"alerts {name} show demo replayed --local")
    _run_as_typed(replay.command, f"replay {name} --run --local")
    texts = system.wait_for_sms([number]).get(number, [])
    click.echo("\n".join(["", *texts]))
    if len(texts) != 1:
        click.echo("the replayed notification was not sent", err=True)
        sys.exit(1)


def _run_as_typed(command: click.Command, line: str) -> None:
    """Run another command as if a user had typed it."""
    click.echo(f"$ generator {line}")
    name, *arguments = line.split()
    with contextlib.suppress(SystemExit):  # The exit code of the other command is in what it prints.
        command.main(arguments, prog_name=f"generator {name}", standalone_mode=False)


def _welcome(name: str, system: System) -> str:
    """Return the URL, the API key, and commands to paste. The secret exists only in this emulator."""
    sources = "".join(
        f"Paste this to send a price as {sender.name}, whose scheme is {sender.scheme}:\n\n{sender.commands()}\n"
        for sender in system.senders
    )
    program = _program()
    return f"""\
URL      {system.url}
API key  {system.api_key}

Paste this line into another terminal, in this folder, to arm an alert:

{program} alerts {name} add me first BTC-USD above 64000 --phone-number +15555550100 --local

Paste these lines to send a signed price that fires it. The parentheses keep the secret out of your shell:

(SECRET={system.secret} ID=msg_$(date +%s) AT=$(date +%s)
BODY='{{"symbol":"BTC-USD","price":"64231.50","timestamp":'$(date +%s)'000,"source":"me"}}'
SIGNATURE=$(printf %s "$ID.$AT.$BODY" | openssl dgst -sha256 -mac HMAC -binary \
-macopt hexkey:$(printf %s "$SECRET" | base64 -d | od -An -vtx1 | tr -d ' \\n') | base64)
curl -i {system.url} -H 'x-api-key: {system.api_key}' -H 'content-type: application/json' \
-H "webhook-id: $ID" -H "webhook-timestamp: $AT" -H "webhook-signature: v1,$SIGNATURE" -d "$BODY")

{sources}Then look at the alert, and at events that failed:

{program} alerts {name} show me first --local
{program} replay {name} --local

Webhooks, alerts and SMS appear below as they happen. Press Ctrl-C to stop everything.
"""


def _program() -> str:
    """Return the command to paste: its path if it is below this folder, which a new terminal finds, too."""
    path = os.path.relpath(sys.argv[0])
    return path if Path(path).name == "generator" and not path.startswith("..") else "generator"


def _watch(system: System) -> None:
    shown: dict[str, int] = {}
    while True:
        events = system.new_events()
        for kind, line in events:
            _show(kind, _summary(kind, line))
        checked = [line for kind, line in events if kind == "price checked"]
        prices = system.new_prices() if checked else []
        if prices and not any(line["AlertsFired"] for line in checked):
            known = system.alerts()
            for price in prices:
                for reason in reasons.silence(price, known):
                    _show("no alert", reason)
        for number, texts in system.sms().items():
            for text in texts[shown.get(number, 0) :]:
                _show("SMS", f"to {number}: {text}")
            shown[number] = len(texts)
        time.sleep(0.5)


def _show(kind: str, text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {kind:<13}  {visible(text)}")


def _summary(kind: str, line: dict[str, Any]) -> str:
    outcome = str(line["outcome"])
    figures = [f"{name} {value}" for name, value in line.items() if name not in ("_aws", "Function", "id", "outcome")]
    reason = reasons.refusal(outcome) if kind == "webhook" else ""
    return ", ".join([outcome, *figures]) + (f"; {reason}" if reason else "")
