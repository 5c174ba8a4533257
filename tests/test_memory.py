"""Searches for garbage are few while a command runs, and as they were afterwards."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from generator._memory import THRESHOLD, few_collections


def test_searches_are_as_before_afterwards_even_where_the_work_fails() -> None:
    @few_collections()
    def work() -> None:
        assert gc.get_threshold()[0] == THRESHOLD
        raise ZeroDivisionError

    usual = gc.get_threshold()
    with pytest.raises(ZeroDivisionError):
        work()
    assert gc.get_threshold() == usual


def test_garbage_is_still_found_while_it_holds() -> None:
    class Node:
        left = 0

        def __init__(self) -> None:
            self.itself = self
            Node.left += 1

        def __del__(self) -> None:
            Node.left -= 1

    with few_collections():
        for _ in range(2 * THRESHOLD):
            Node()
        assert Node.left < THRESHOLD


def test_the_command_line_ends_without_a_search() -> None:
    """What is frozen is not searched; exit functions run before the interpreter's last search."""
    code = (
        "import atexit, gc\nfrom generator.cli.main import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
