"""Text that no output of any command may contain, for any input."""

from __future__ import annotations

import unicodedata


def assert_harmless(output: str) -> None:
    """Assert that the output shows no traceback, moves no cursor and commands no workflow."""
    assert "Traceback (most recent call last)" not in output, output[-2000:]
    for line in output.split("\n"):
        hidden = [one for one in line if one != "\t" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not hidden, ascii(line[:200])
        # How the runner finds commands: https://github.com/actions/runner, ActionCommand.cs.
        assert not line.lstrip().startswith("::"), line[:200]
        assert "##[" not in line, line[:200]
