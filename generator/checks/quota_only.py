"""Check the quota alone: of files, folders and CDK assemblies, without cfn-lint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.capacity.quota import AccountQuota
from generator.checks import places, terraform
from generator.checks.findings import NOT_PROVEN, Finding, Rule, Severity
from generator.checks.inputs import with_copies
from generator.checks.places import Place
from generator.checks.quota import judging
from generator.checks.report import Report, Request
from generator.checks.stacks import RULE, Stack, shared_account
from generator.checks.units import ANY, Unit, Units, Unread, units_of_file, units_of_folder
from generator.errors import Fault, UnreadableTemplate
from generator.template.nesting import outermost

GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"

CONCURRENCY_PAGE = f"{GUIDE}/configuration-concurrency.html"

PROVISIONED_PAGE = f"{GUIDE}/provisioned-concurrency.html"

SCALING_PAGE = f"{GUIDE}/services-sqs-scaling.html"

QUEUE_PAGE = f"{GUIDE}/services-sqs-configure.html"

RULES = (
    Rule(RULE, "Reserved and provisioned concurrency of all functions fits the account", CONCURRENCY_PAGE),
    Rule("E9802", "Provisioned concurrency is within the function's reservation", PROVISIONED_PAGE),
    Rule("W9803", "Stream consumer reserves no more than its pollers can use", f"{GUIDE}/with-kinesis.html"),
    Rule("W9804", "Reserved concurrency of 0 stops the function", CONCURRENCY_PAGE),
    Rule("E9807", "SQS mapping's maximum concurrency is within the function's reservation", SCALING_PAGE),
    Rule("W9808", "Throttled pollers send no messages to the dead-letter queue", QUEUE_PAGE),
    Rule(terraform.ORDER, "A Terraform plan fits the account at every step", CONCURRENCY_PAGE),
    Rule(NOT_PROVEN, "Everything that may reserve concurrency is counted", CONCURRENCY_PAGE),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The places of some stacks, and the findings about them."""

    places: tuple[Place, ...]
    findings: tuple[Finding, ...]


def check(request: Request) -> Report:
    """Judge each file and folder, or all `together`. Raises UnreadableTemplate with every fault."""
    return with_copies(request, _check)


def _check(request: Request) -> Report:
    subjects = tuple(dict.fromkeys([*request.files, *request.folders]))
    every = units_of(request.files, request.folders, request.region)
    found = judge([replace(one, units=tuple(map(_heeded, one.units))) for one in every], request)
    units = [unit for one in every for unit in one.units if not unit.is_plan]
    findings = [*found.findings, *(finding for unit in units for finding in _others(unit))]
    return Report(sorted(findings), {one.id: one for one in RULES}, subjects=subjects, places=found.places)


def _others(unit: Unit) -> Iterator[Finding]:
    """Yield what the other rules of this project find in a stack."""
    for one in judging.others(unit.deployed):
        location = outermost(one.location)
        line = 1 if unit.is_plan else places.line_of(unit.path, str(location[1]))
        severity = Severity.ERROR if one.rule.startswith("E") else Severity.WARNING
        yield Finding(str(unit.path), line, one.rule, severity, "/".join(map(str, location)), one.message)


def units_of(files: Iterable[Path], folders: Iterable[Path], region: str = ANY) -> list[Units]:
    """Return the content of each file and folder, as `units_of_folder` does.

    Raises UnreadableTemplate with every fault.
    """
    found: list[Units] = []
    faults: list[Fault] = []
    readers: list[tuple[Callable[[Path, str], Units], Path]] = [
        *((_of_file, path) for path in files),
        *((_of_folder, path) for path in folders),
    ]
    for reader, path in readers:
        try:
            found.append(reader(path, region))
        except UnreadableTemplate as error:
            faults += error.faults
    if faults:
        raise UnreadableTemplate(faults)
    return found


def _of_file(path: Path, region: str) -> Units:
    return terraform.units_of_plan(path) or units_of_file(path, region)


def _of_folder(path: Path, region: str) -> Units:
    found = units_of_folder(path, region)
    for file in found.plans:
        try:
            inside = terraform.units_of_plan(file) or Units()
        except UnreadableTemplate as error:
            inside = Units(unread=tuple(Unread(file, "", f"{one.what}; {one.remedy}") for one in error.faults))
        found = replace(found, units=(*found.units, *inside.units), unread=(*found.unread, *inside.unread))
    return found


def judge(every: Sequence[Units], request: Request) -> Judgement:
    """Return the places of each file or folder, or of all together.

    Raises DisputedAccount if stacks that may go to the same place state different accounts.
    """
    groups = [[unit for one in every for unit in one.units]] if request.together else [one.units for one in every]
    found = [place for group in groups if group for place in places.judged(group, _quota(request))]
    gaps = [gap for place in found for stack in place.stacks if stack.is_judged for gap in places.gaps(stack)]
    unread = [_unread(one) for content in every for one in content.unread]
    findings = [*places.findings(found), *places.uncertain(found), *gaps, *unread]
    units = [unit for content in every for unit in content.units]
    findings += [finding for unit in units if unit.is_plan for finding in _others(unit)]
    findings += terraform.order(found, units)
    return Judgement(tuple(found), tuple(dict.fromkeys(terraform.as_written(findings, units))))


def _quota(request: Request) -> places.Quota:
    def quota(account: str, region: str, stacks: Sequence[Stack]) -> AccountQuota:
        found = replace(shared_account(stacks, request.account), name=account, region=region)
        return request.live(found, stacks) if request.live else found

    return quota


def _heeded(unit: Unit) -> Unit:
    """Return a unit whose quota is judged even if its rule is switched off: nothing else was asked for."""
    return replace(unit, stated=replace(unit.stated, is_ignored=False))


def _unread(one: Unread) -> Finding:
    return Finding(str(one.file), 1, NOT_PROVEN, Severity.WARNING, one.path, f"not counted: {one.what}")
