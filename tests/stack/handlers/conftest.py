"""The committed stack, deployed to moto for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.handlers.harness import Stack, cloud


@pytest.fixture
def stack() -> Iterator[Stack]:
    with cloud():
        stack = Stack()
        yield stack
        stack.close()
