"""Run shell scripts and make with the `generator` of this process, in which cfn-lint has started already.

A started `generator check` takes three seconds, most of it to load cfn-lint.
"""

from __future__ import annotations

import os
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from generator.cli.main import main

STUB = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$PWD" "$@" > "$here/asked"
read -r code < "$here/answered"
cat "$here/stdout"
cat "$here/stderr" >&2
exit "$code"
"""
"""Pass the folder and the arguments, one on each line, through a named pipe, and print what comes back."""


class Shell:
    """A folder for the path with a `generator` that runs in this process, one call at a time and without input."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._asked, self._answered = folder / "asked", folder / "answered"
        os.mkfifo(self._asked)
        os.mkfifo(self._answered)
        self.add("generator", STUB)

    def add(self, name: str, script: str) -> None:
        """Add another command."""
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o755)

    def run(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command with the folder first on its path, and capture its output. Raise what `generator` raises."""
        crashes = []
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(self._start, command, cwd, {**os.environ, **(env or {}), "PATH": path})
            while asked := self._asked.read_text():
                if crash := self._answer(*asked.splitlines()):
                    crashes.append(crash)
            done = running.result()
        if crashes:
            raise crashes[0]
        return done

    def _start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
        finally:
            self._asked.write_text("")  # No more calls.

    def _answer(self, folder: str, *arguments: str) -> BaseException | None:
        """Run `generator` and pass its output on. Return the exception of a crash: the script waits all the same."""
        with chdir(folder):
            result = CliRunner().invoke(main, arguments, prog_name="generator", terminal_width=80)
        crash = None if isinstance(result.exception, SystemExit) else result.exception
        trace = "".join(traceback.format_exception(crash)) if crash else ""
        (self.folder / "stdout").write_bytes(result.stdout_bytes)
        (self.folder / "stderr").write_bytes(result.stderr_bytes + trace.encode())
        self._answered.write_text(f"{result.exit_code}\n")
        return crash
