"""A virtual clock that runs many invocations, exactly one at a time, in an order that depends only on the times.

An invocation needs a stack of its own, because it is interrupted inside of a call. Whoever has to wait runs what comes
next on its own thread, and hands over to another thread only if two invocations overlap. So most runs switch rarely.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

LONGEST_RUN_S = 40 * 86_400
"""A run that is longer than this never ends, because something is retried for ever."""


class _Kind(Enum):
    CALL = 1
    START = 2
    RESUME = 3


class _Thread:
    """A thread of the pool. The lock is released when it has something to do."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        self.scheduler: Scheduler
        self.body: Callable[[], None]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            self.lock.acquire()
            scheduler, body = self.scheduler, self.body
            scheduler.guarded(body)
            scheduler.guarded(partial(scheduler.lead, None))
            if scheduler.failure is None:
                _IDLE.append(self)
            scheduler.pass_on()


_IDLE: list[_Thread] = []
"""Threads that have nothing to do. They serve one run after the other, because starting a thread takes long."""


class Scheduler:
    """Runs everything that is due, in order of time, until nothing is left."""

    def __init__(self) -> None:
        self.now = 0.0
        self.failure: BaseException | None = None
        self._heap: list[tuple[float, int, _Kind, Any]] = []
        self._order = itertools.count()
        self._done = threading.Lock()
        self._next: threading.Lock | None = None

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Call an action, which does not wait, when that time has passed."""
        heapq.heappush(self._heap, (self.now + delay_s, next(self._order), _Kind.CALL, action))

    def start(self, delay_s: float, body: Callable[[], None]) -> None:
        """Run a body, which may wait, when that time has passed."""
        heapq.heappush(self._heap, (self.now + delay_s, next(self._order), _Kind.START, body))

    def wait(self, delay_s: float) -> None:
        """Let time pass, and run everything that is due in the meantime."""
        wake, heap = self.now + delay_s, self._heap
        if not heap or heap[0][0] > wake:
            self.now = wake
            return
        me = threading.Lock()
        me.acquire()
        heapq.heappush(heap, (wake, next(self._order), _Kind.RESUME, me))
        self.lead(me)

    def run(self) -> None:
        """Run until nothing is left to do."""
        self._done.acquire()
        self.guarded(lambda: self.lead(None))
        self.pass_on()
        self._done.acquire()
        if self.failure:
            raise self.failure

    def lead(self, me: threading.Lock | None) -> None:
        """Run everything that is due until it is the turn of the body that waits on this stack, or on another one.

        The stack is free if nobody waits on it. Then the caller has to call `pass_on`.
        """
        heap = self._heap
        while heap and self.failure is None:
            self.now, _, kind, what = heapq.heappop(heap)
            if self.now > LONGEST_RUN_S:
                raise RuntimeError("the run does not end")
            if kind is _Kind.CALL:
                what()
            elif kind is _Kind.RESUME:
                if what is me:
                    return
                self._next = what
                if me is None:
                    return
                self.pass_on()
                me.acquire()
                return
            elif me is None:
                what()
            else:
                thread = _IDLE.pop() if _IDLE else _Thread()
                thread.scheduler, thread.body = self, what
                thread.lock.release()
                me.acquire()
                return
        self._next = self._done

    def pass_on(self) -> None:
        """Wake the thread whose turn it is."""
        following, self._next = self._next, None
        if following is not None:
            following.release()

    def guarded(self, body: Callable[[], None]) -> None:
        """Call the body, and end the run with whatever it raises."""
        try:
            body()
        except BaseException as failure:
            self.failure = failure
            self._next = self._done
