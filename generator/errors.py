"""What can go wrong with the input, as one tree, so that the command line catches one type.

GeneratorError
├── InvalidEnvironment    an environment file or a --set override is wrong
├── UnsizableLoad         no setting that AWS allows can carry the load
├── UnreadableTemplate    a template file is missing, not JSON or YAML, or not a template
├── UnreadableTrace       a recorded trace is missing, empty, out of order, or not a trace
├── InvalidSimulation     what is to be simulated contradicts itself or makes no sense
├── DisputedAccount       stacks that are to share an account state different ones
├── UnusableLinter        cfn-lint cannot work as the project configures it
├── UnwritableOutput      the output folder or file cannot be written
├── UnreachableAccount    no credentials, or nothing answers: the account cannot be asked at all
└── EmulatorFailure       the local emulator is not installed, cannot start or does not take the template

A verdict (over quota, a finding, drift) is a value, not an error. Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where it is, what it is, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class GeneratorError(Exception):
    """The input is wrong; `faults` holds everything that was found, not just the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class InvalidEnvironment(GeneratorError):
    """An environment file or an override is wrong."""


class UnsizableLoad(GeneratorError):
    """The load is beyond what any setting that AWS allows can carry."""


class UnreadableTemplate(GeneratorError):
    """A template file cannot be read as a CloudFormation template."""


class UnreadableTrace(GeneratorError):
    """A recorded trace cannot be read as the times or counts of webhooks."""


class InvalidSimulation(GeneratorError):
    """A simulation was asked for that cannot be run."""


class DisputedAccount(GeneratorError):
    """Stacks that are checked as one account's do not agree what that account has."""


class UnusableLinter(GeneratorError):
    """cfn-lint cannot work as the project configures it."""


class UnwritableOutput(GeneratorError):
    """An output file cannot be written."""


class UnreachableAccount(GeneratorError):
    """The AWS account cannot be asked at all."""


class EmulatorFailure(GeneratorError):
    """The local emulator cannot be started or used."""
