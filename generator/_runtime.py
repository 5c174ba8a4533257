"""Work in a process of its own, beside what this one does, where the machine has a processor to spare."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def beside(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Starts the work, and yields what waits for its result; leaving ends work that nobody waited for.

    Work that fails there is done again here when it is waited for, so that it raises what it raises. It is done only
    then, and here, where `processors` says 1.
    """
    if processors() < 2:
        yield work
        return
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _send(work, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        try:
            yield lambda: _received(pipe.read(), work)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def spread(work: Callable[[Item], Result], items: Sequence[Item], least: int = 1) -> list[Result]:
    """The result for each item, in their order, worked out on every processor that gets at least so many of them.

    Raises what the work raises.
    """
    count = max(1, min(processors(), len(items) // least))
    shares: list[Callable[[], list[Result]]] = [partial(_each, work, items[first::count]) for first in range(count)]
    with ExitStack() as processes:
        others = [processes.enter_context(beside(share)) for share in shares[1:]]
        done = [result() for result in [*shares[:1], *others]]
    return [done[number % count][number // count] for number in range(len(items))]


def processors() -> int:
    """How many processes of this program can work at once; 1 where a copy of this process is not safe.

    That is on other systems than Linux, whose libraries may run threads of their own, and beside another thread:
    https://docs.python.org/3/library/os.html#os.fork
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


def _send(work: Callable[[], object], writer: int) -> NoReturn:
    """In the child: sends the result and exits without exit handlers, or without a word where the work fails."""
    import pickle

    try:
        with open(writer, "wb") as pipe:
            pickle.dump((work(),), pipe)
    finally:
        os._exit(0)


def _received(sent: bytes, work: Callable[[], Result]) -> Result:
    import pickle

    try:
        (result,) = pickle.loads(sent)  # noqa: S301 - from this program's own copy, through a pipe of its own
    except (EOFError, pickle.UnpicklingError):  # nothing, or not all of it: the work failed, or was ended
        return work()
    return result  # type: ignore[no-any-return]
