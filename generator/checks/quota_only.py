"""Judge the quota of files, folders, CDK assemblies and Terraform plans, without cfn-lint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.capacity.quota import AccountQuota
from generator.checks import places, terraform
from generator.checks.findings import NOT_PROVEN, Finding, Rule, Severity
from generator.checks.inputs import with_copies
from generator.checks.places import Place, Stack, finding
from generator.checks.quota import judging
from generator.checks.quota.messages import SUM_RULE
from generator.checks.report import Report, Request
from generator.checks.stated import Stated
from generator.checks.units import ANY, Unit, Units, Unread, units_of_file, units_of_folder, unread
from generator.errors import Fault, UnreadableTemplate
from generator.template.nesting import outermost

GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"

CONCURRENCY = "configuration-concurrency"

RULES = tuple(
    Rule(rule, title, f"{GUIDE}/{page}.html")
    for rule, title, page in (
        (SUM_RULE, "Reserved and provisioned concurrency of all functions fits the account", CONCURRENCY),
        ("E9802", "Provisioned concurrency is within the function's reservation", "provisioned-concurrency"),
        ("W9803", "Stream consumer reserves no more than its pollers can use", "with-kinesis"),
        ("W9804", "Reserved concurrency of 0 stops the function", CONCURRENCY),
        ("E9807", "SQS mapping's maximum concurrency is within the function's reservation", "services-sqs-scaling"),
        ("W9808", "Throttled pollers send no messages to the dead-letter queue", "services-sqs-configure"),
        (terraform.ORDER, "A Terraform plan fits the account at every step", CONCURRENCY),
        (NOT_PROVEN, "Everything that may reserve concurrency is counted", CONCURRENCY),
    )
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The places of some stacks, and what is wrong there."""

    places: tuple[Place, ...]
    findings: tuple[Finding, ...]


def check(request: Request) -> Report:
    """Judge each file and folder, or all `together`. Raises UnreadableTemplate with every fault."""
    return with_copies(request, _check)


def _check(request: Request) -> Report:
    every = switched(units_of(request.files, request.folders, request.region), is_on=True)
    found = judge(every, request)
    subjects = tuple(dict.fromkeys([*request.files, *request.folders]))
    rules = {one.id: one for one in RULES}
    return Report(sorted({*found.findings, *others(every)}), rules, subjects=subjects, places=found.places)


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
            inside = unread(file, error)
        found = replace(found, units=(*found.units, *inside.units), unread=(*found.unread, *inside.unread))
    return found


def switched(every: Iterable[Units], *, is_on: bool) -> list[Units]:
    """Return the stacks with all rules switched on, or the one about the sum off, whatever is stated."""

    def changed(stated: Stated) -> Stated:
        if is_on:
            return replace(stated, ignored=(), ignoring={})
        return replace(stated, ignored=(*stated.ignored, SUM_RULE), mandatory=())

    return [
        replace(one, units=tuple(replace(unit, stated=changed(unit.stated)) for unit in one.units)) for one in every
    ]


def judge(every: Sequence[Units], request: Request, elsewhere: int = 0) -> Judgement:
    """Return the places of each file or folder, or of all together, with what is wrong there.

    `elsewhere` is reserved in addition to what the stacks or the request state. Raises DisputedAccount if stacks that
    may go to the same place state different accounts.
    """
    groups = [_in_one_region(every)] if request.together else [one.units for one in every]
    found = [place for group in groups if group for place in places.judged(group, _quota(request, elsewhere))]
    units = [unit for one in every for unit in one.units]
    findings = [*places.findings(found), *terraform.order(found)]
    findings += [_not_counted(gap) for one in every for gap in one.unread]
    return Judgement(tuple(found), tuple(terraform.as_written(findings, units)))


def others(every: Iterable[Units], linted: Collection[Path] = ()) -> Iterator[Finding]:
    """Yield what the other rules of this project find where they are on, except in files that cfn-lint has checked."""
    units = [unit for one in every for unit in one.units if unit.path not in linted]
    found = [(unit, one, outermost(one.location)) for unit in units for one in judging.others(unit.deployed)]
    findings = (
        finding(unit.path, one.rule, location, one.message)
        for unit, one, location in found
        if not unit.stated.ignores(one.rule, location)
    )
    yield from terraform.as_written(findings, units)


def _in_one_region(every: Iterable[Units]) -> list[Unit]:
    """Return all stacks, with single templates in the same Region: one that any of the stacks names.

    If a template names none, it may be any Region.
    """
    files = [unit for one in every if one.is_file for unit in one.units]
    rest = [unit for one in every if not one.is_file for unit in one.units]
    named = {region for unit in (*files, *rest) for region in unit.regions}
    shared = sorted(named) if all(unit.regions for unit in files) else ()
    return [*(unit.in_regions(shared) for unit in files), *rest]


def _quota(request: Request, elsewhere: int) -> places.Quota:
    def quota(account: str, region: str, stacks: Sequence[Stack]) -> AccountQuota:
        stated = places.shared_account(stacks, request.account)
        reserved_elsewhere = stated.reserved_elsewhere + elsewhere
        found = replace(stated, name=account, region=region, reserved_elsewhere=reserved_elsewhere)
        return request.live(found, stacks) if request.live else found

    return quota


def _not_counted(gap: Unread) -> Finding:
    reason = gap.what.removeprefix(f"{gap.file} ").removeprefix("is ")
    return Finding(str(gap.file), 1, NOT_PROVEN, Severity.WARNING, gap.path, f"not counted: {reason}")
