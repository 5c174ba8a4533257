"""The committed stack, deployed to moto for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.handlers.harness import Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        stack = Stack()
        yield stack
        stack.close()
