"""The help of every command describes every option in the words of the user."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from generator.cli.main import COMMANDS, main


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and every command of a group, with the words that call it."""
    context = click.Context(main)
    waiting = [(name, main.get_command(context, name)) for name in COMMANDS]
    while waiting:
        name, command = waiting.pop(0)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            waiting += [(f"{name} {inner}", one) for inner, one in command.commands.items()]


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_described(name: str) -> None:
    options = [one for one in ALL[name].params if isinstance(one, click.Option)]
    assert [one.opts for one in options if not one.help] == []


@pytest.mark.parametrize("name", ALL)
def test_no_help_shows_the_names_of_types(name: str) -> None:
    text = ALL[name].get_help(click.Context(ALL[name], info_name=name))
    assert not [word for word in ("RANGE", "INTEGER", "FLOAT", "TEXT", "BOOLEAN") if f" {word}" in text]
