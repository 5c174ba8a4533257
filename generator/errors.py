"""Every error that wrong input can cause, as one tree: the command line catches GeneratorError.

GeneratorError
├── InvalidEnvironment    an environment file or a --set override is wrong
├── UnsizableLoad         no setting that AWS allows carries the load
├── UnreadableTemplate    a template file is missing, not JSON or YAML, or not a template
│   ├── MalformedTemplate     it is neither JSON nor YAML
│   └── OversizedTemplate     it is larger or deeper than anything that CloudFormation accepts
├── UnreadableTrace       a recorded trace is missing, empty, out of order, or not a trace
├── UnreadableMetrics     metrics of a deployed stack are missing, incomplete or in a wrong unit
├── InvalidSimulation     the simulation's options are out of range or contradict each other
├── DisputedAccount       stacks checked together state different figures for their account
├── UnusableLinter        cfn-lint cannot run with the project's configuration
├── UnwritableOutput      the output folder or file cannot be written
├── InvalidAlert          an alert's ids, symbol, threshold or phone number is wrong
├── InvalidAdoption       a resource to adopt is unknown, or needs another one
├── UnreachableAccount    the AWS account cannot be queried: no credentials, or no endpoint answers
└── EmulatorFailure       the local emulator is not installed, cannot start, or rejects the template

A verdict (over quota, a finding, drift) is a value, not an error. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a write to a full disk, over a disk quota or beyond the largest file. Source: write(2)."""


class Fault(NamedTuple):
    """One problem with the input: its place, its description and its remedy."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class GeneratorError(Exception):
    """The input is wrong; `faults` lists every problem found, not just the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class InvalidEnvironment(GeneratorError):
    """An environment file or an override is wrong."""


class UnsizableLoad(GeneratorError):
    """No setting that AWS allows carries the load."""


class UnreadableTemplate(GeneratorError):
    """A template file cannot be read as a CloudFormation template."""


class MalformedTemplate(UnreadableTemplate):
    """A template file has a syntax error."""


class OversizedTemplate(UnreadableTemplate):
    """A template file is so large or deep that reading it could take all time or memory."""


class UnreadableTrace(GeneratorError):
    """A recorded trace cannot be read as times or counts of webhooks."""


class UnreadableMetrics(GeneratorError):
    """Metrics of a deployed stack cannot be read, or have a wrong unit."""


class InvalidSimulation(GeneratorError):
    """The simulation's options are out of range or contradict each other."""


class DisputedAccount(GeneratorError):
    """Stacks checked together state different figures for their account."""


class UnusableLinter(GeneratorError):
    """cfn-lint cannot run with the project's configuration."""


class UnwritableOutput(GeneratorError):
    """An output file cannot be written."""


class InvalidAlert(GeneratorError):
    """An alert's ids, symbol, threshold or phone number is wrong."""


class InvalidAdoption(GeneratorError):
    """A resource to adopt is unknown or has a wrong identifier, or it needs another one."""


class UnreachableAccount(GeneratorError):
    """The AWS account cannot be queried."""


class EmulatorFailure(GeneratorError):
    """The local emulator cannot be started or used."""


def each(work: Callable[[Item], Result], items: Iterable[Item], kind: type[GeneratorError]) -> list[Result]:
    """Return the result for each item. Raises an error of this kind with every fault of every item, each once.

    An error of another kind ends the work at once.
    """
    results: list[Result] = []
    faults: dict[Fault, None] = {}
    for item in items:
        try:
            results.append(work(item))
        except kind as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise kind(faults)
    return results
