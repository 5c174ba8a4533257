"""Fewer searches for garbage, for commands that end soon and keep what they make until then."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLD = 200_000
"""New objects before a search; the interpreter's own 700 costs composing a tenth of its time, and linting a sixth."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Searches rarely while it holds, and as before afterwards."""
    usual = gc.get_threshold()
    gc.set_threshold(THRESHOLD, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def no_last_collection() -> None:
    """Has the interpreter end without the search that it ends with, which takes it a tenth of `generator template`.

    What is frozen is not searched: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    atexit.register(gc.freeze)
