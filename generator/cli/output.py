"""Make everything that a command prints safe for terminals and workflow logs, in any encoding. Detect terminals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

from generator._format import printable

CLOSED_PIPE = 141
"""The exit code that shells report for a command ended by SIGPIPE: 128 + 13."""


class _Printable:
    """A text stream that passes on printable text only, with an escape for what its encoding does not have."""

    # Attributes that click requires of a stream.
    encoding = "utf-8"
    errors = "strict"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text. Returns its length, as any stream does."""
        with self._exit_if_closed():
            self._stream.write(_encodable(printable(text), self._stream.encoding or "utf-8"))
        return len(text)

    def flush(self) -> None:
        with self._exit_if_closed():
            self._stream.flush()

    @contextmanager
    def _exit_if_closed(self) -> Iterator[None]:
        """Exit if nobody reads the stream any more. click would exit with 1, which is a verdict."""
        try:
            yield
        except BrokenPipeError:
            discard(self._stream)
            sys.exit(CLOSED_PIPE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def only_printable() -> Iterator[None]:
    """Pass on only printable text to the standard streams inside the context.

    Progress bars control the terminal, so they write to `sys.__stderr__` instead.
    """
    with ExitStack() as streams:
        if sys.stdout:
            streams.enter_context(redirect_stdout(_Printable(sys.stdout)))
        if sys.stderr:
            streams.enter_context(redirect_stderr(_Printable(sys.stderr)))
        yield


def discard(stream: TextIO) -> None:
    """Discard all further output to a stream that cannot be written, including what Python flushes at its exit.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_interactive() -> bool:
    """Return whether to show progress: on a terminal that supports escape sequences and does not set NO_COLOR."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        import json

        return "".join(char if char.encode(encoding, "ignore") else json.dumps(char)[1:-1] for char in text)
    return text
