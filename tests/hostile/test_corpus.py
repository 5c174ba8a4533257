"""Generated hostile inputs through every command, in one child process under limits; `make hostile` runs 10,000."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, SCALE

INPUTS = 15 * SCALE


@pytest.mark.slow
def test_every_generated_input_ends_in_an_answer_or_one_line() -> None:
    command = [sys.executable, "-m", "tests.hostile.corpus"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "INPUTS": str(INPUTS)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{INPUTS} inputs: no failure\n"), done.stderr
