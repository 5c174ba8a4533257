"""Files that can be read only once: pipes, and the standard input."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from generator import _runtime
from generator.checks.quota_check import Report
from generator.checks.request import Request
from generator.errors import GeneratorError
from generator.template import plan_files, reading

STDIN = Path("-")


def with_copies(request: Request, check: Callable[[Request], Report]) -> Report:
    """Return the report of a check that works on copies of the pipes, with the names of the pipes in it."""
    pipes = [path for path in request.files if _is_pipe(path)]
    if not pipes:
        return check(request)
    with _runtime.temporary_folder("generator-check-") as copies:
        copied = {pipe: _copy(pipe, copies / str(number)) for number, pipe in enumerate(pipes)}
        pipe_of = {copy: pipe for pipe, copy in copied.items()}
        name_of = {str(copy): str(pipe) for copy, pipe in pipe_of.items()}
        try:
            report = check(request._replace(files=[copied.get(path, path) for path in request.files]))
        except GeneratorError as error:
            faults = (fault._replace(where=name_of.get(fault.where, fault.where)) for fault in error.faults)
            raise type(error)(list(faults)) from None
    findings = []
    for finding in report.findings:
        file = name_of.get(finding.file, finding.file)
        findings.append(finding._replace(file=file, message=finding.message.replace(finding.file, file)))
    pools = []
    for pool in report.pools:
        stacks = [
            member.stack._replace(path=pipe_of.get(member.stack.path, member.stack.path)) for member in pool.members
        ]
        members = (member._replace(stack=stack) for member, stack in zip(pool.members, stacks, strict=True))
        pools.append(pool._replace(members=tuple(members)))
    subjects = {pipe_of.get(path, path): is_linted for path, is_linted in report.subjects.items()}
    return report._replace(findings=findings, subjects=subjects, pools=pools)


def _is_pipe(path: Path) -> bool:
    return path == STDIN or ((found := reading.status(path)) is not None and stat.S_ISFIFO(found.st_mode))


def _copy(pipe: Path, folder: Path) -> Path:
    folder.mkdir()
    copy = folder / pipe.name
    with nullcontext(sys.stdin.buffer) if pipe == STDIN else pipe.open("rb") as file:
        copy.write_bytes(file.read(plan_files.MAX_CHARACTERS + 1))
    return copy
