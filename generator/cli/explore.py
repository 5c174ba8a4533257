"""`generator explore`: a page in the browser to play with the settings of an environment."""

from __future__ import annotations

import webbrowser

import click

from generator.cli import options
from generator.config import files
from generator.errors import Fault, GeneratorError
from generator.report.explore import start
from generator.report.explore_server import HOST, Server


@click.command(epilog="Example: generator explore prod")
@click.argument("name", metavar="[ENV]", required=False, type=options.EnvironmentName())
@click.option("--port", type=click.IntRange(1, 65_535), metavar="N", help="Port of the page.  [default: any free port]")
@click.option("--no-browser", is_flag=True, help="Print the address, but do not open a browser.")
def command(name: str | None, port: int | None, no_browser: bool) -> None:
    """Play with rate, durations, targets and account limit in the browser.

    Serves a page on 127.0.0.1 until you press Ctrl-C. Reservations, quota, predictions and cost follow the sliders,
    with the figures of `generator size`. Nothing is written: a button copies the lines for the environment file.
    Without ENV, shows the first environment.
    """
    chosen = name or files.load_named()[0].name
    start(chosen)
    try:
        server = Server(chosen, port or 0)
    except OSError as error:
        fault = Fault(f"--port {port}", f"{HOST} cannot listen there ({error.strerror})", "choose another port")
        raise GeneratorError([fault]) from error
    with server:
        click.echo(f"{chosen}: {server.url}\nPress Ctrl-C to stop.")
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
