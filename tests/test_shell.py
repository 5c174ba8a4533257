"""A crash of `generator` in a script fails the test."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests import shell


def test_a_crash_is_raised_after_the_script_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def crash() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(shell, "main", crash)
    script = "generator 2> errors; echo $? > code; generator; echo end > ended"
    with pytest.raises(RuntimeError, match="broken"):
        shell.Shell(tmp_path / "bin").run(["sh", "-c", script], tmp_path)
    assert (tmp_path / "code").read_text() == "1\n"
    assert (tmp_path / "errors").read_text().endswith("RuntimeError: broken\n")
    assert (tmp_path / "ended").exists()
