"""Judge the quota of files, folders, CDK assemblies and Terraform plans, without cfn-lint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from generator import _runtime
from generator.capacity.quota import AccountQuota
from generator.checks import places, terraform
from generator.checks.findings import NOT_PROVEN, Finding, Rule, Severity
from generator.checks.inputs import with_copies
from generator.checks.lint_settings import LintSettings
from generator.checks.places import Place, Stack, finding
from generator.checks.quota import judging
from generator.checks.quota.messages import SUM_RULE
from generator.checks.report import Report, Request
from generator.checks.units import ANY, Content, Unit, Unread, content_of_file, content_of_folder, unread
from generator.errors import Fault, UnreadableTemplate, UnusableLinter, each
from generator.template.nesting import outermost

MIN_PER_PROCESS = 50
"""Stacks that keep a process busy for longer than it takes to start."""

RULES = (
    *judging.RULES.values(),
    Rule(terraform.ORDER, "A Terraform plan fits the account at every step", judging.RULES[SUM_RULE].url),
    Rule(NOT_PROVEN, "Everything that may reserve concurrency is counted", judging.RULES[SUM_RULE].url),
)


class Judgement(NamedTuple):
    """The places of some stacks, and what is wrong there."""

    places: tuple[Place, ...]
    findings: tuple[Finding, ...]


def check(request: Request) -> Report:
    """Judge each file and folder, or all `together`. Raises UnreadableTemplate with every fault."""
    return with_copies(request, _check)


def _check(request: Request) -> Report:
    rules = {rule.id: rule for rule in RULES}
    require_known(request.ignored, rules)
    contents = switched(contents_of(request.files, request.folders, request.region), is_on=True)
    judgement = judge(contents, request)
    subjects = tuple(dict.fromkeys([*request.files, *request.folders]))
    findings = request.kept(sorted({*judgement.findings, *other_findings(contents)}))
    return Report(findings, rules, subjects=subjects, places=judgement.places)


def require_known(
    ignored: Iterable[str], rules: Mapping[str, Rule], remedy: str = "--only quota checks the rules of the quota alone"
) -> None:
    """Raise UnusableLinter for ids to ignore that no rule has, or that would hide gaps in the count."""
    faults = []
    for prefix in ignored:
        if not prefix or not any(id_.startswith(prefix) for id_ in rules):
            faults.append(Fault(f"--ignore {prefix}".strip(), "no rule has this id", remedy))
        elif NOT_PROVEN.startswith(prefix):
            faults.append(
                Fault(f"--ignore {prefix}", "a quota that is not proven cannot be good", "use --allow-unproven")
            )
    if faults:
        raise UnusableLinter(faults)


def contents_of(files: Iterable[Path], folders: Iterable[Path], region: str = ANY) -> list[Content]:
    """Return the content of each file and folder, as `content_of_folder` does.

    Raises UnreadableTemplate with every fault.
    """
    readers = [*(partial(_of_file, path) for path in files), *(partial(_of_folder, path) for path in folders)]
    return each(lambda reader: reader(region), readers, UnreadableTemplate)


def _of_file(path: Path, region: str) -> Content:
    return terraform.content_of_plan(path) or content_of_file(path, region)


def _of_folder(path: Path, region: str) -> Content:
    content = content_of_folder(path, region)
    for file in content.plans:
        try:
            plan = terraform.content_of_plan(file) or Content()
        except UnreadableTemplate as error:
            plan = unread(file, error)
        content = content._replace(units=(*content.units, *plan.units), unread=(*content.unread, *plan.unread))
    return content


def switched(contents: Iterable[Content], *, is_on: bool) -> list[Content]:
    """Return the stacks with all rules switched on, or with the sum's rule switched off, whatever their settings."""

    def changed(settings: LintSettings) -> LintSettings:
        if is_on:
            return settings._replace(ignored=(), ignoring={})
        others = (rule.id for rule in RULES if rule.id != SUM_RULE and rule.id.startswith(settings.mandatory))
        return settings._replace(ignored=(*settings.ignored, SUM_RULE), mandatory=tuple(others))

    return [
        content._replace(units=tuple(unit._replace(settings=changed(unit.settings)) for unit in content.units))
        for content in contents
    ]


def judge(contents: Sequence[Content], request: Request, elsewhere: int = 0) -> Judgement:
    """Return the places of each file or folder, or of all together, with what is wrong there.

    `elsewhere` is reserved in addition to what the stacks or the request state. Raises DisputedAccount if stacks that
    may go to the same place state different accounts.
    """
    groups = [_in_one_region(contents)] if request.together else [content.units for content in contents]
    judged_places = [place for group in groups if group for place in places.fullest(group, _quota(request, elsewhere))]
    units = [unit for content in contents for unit in content.units]
    findings = [*places.findings(judged_places), *terraform.order(judged_places)]
    findings += [_not_counted(gap) for content in contents for gap in content.unread]
    return Judgement(tuple(judged_places), tuple(terraform.as_written(findings, units)))


def other_findings(contents: Iterable[Content], linted: Collection[Path] = ()) -> Iterator[Finding]:
    """Yield the findings of the project's other rules that are on, except in files that cfn-lint has checked."""
    units = [unit for content in contents for unit in content.units if unit.path not in linted]
    findings = _runtime.parallel_map(lambda unit: list(_other_findings(unit)), units, MIN_PER_PROCESS)
    yield from terraform.as_written(chain.from_iterable(findings), units)


def _other_findings(unit: Unit) -> Iterator[Finding]:
    for violation in judging.other_violations(unit.deployed):
        location = outermost(violation.location)
        if not unit.settings.ignores(violation.rule, location):
            yield finding(unit.path, violation.rule, location, violation.message)


def _in_one_region(contents: Iterable[Content]) -> list[Unit]:
    """Return all stacks, with single templates in the same Region: one that any of the stacks names.

    If a template names none, it may be any Region.
    """
    files = [unit for content in contents if content.is_file for unit in content.units]
    rest = [unit for content in contents if not content.is_file for unit in content.units]
    named = {region for unit in (*files, *rest) for region in unit.regions}
    shared = sorted(named) if all(unit.regions for unit in files) else ()
    return [*(unit.in_regions(shared) for unit in files), *rest]


def _quota(request: Request, elsewhere: int) -> places.Quota:
    def quota(account: str, region: str, stacks: Sequence[Stack]) -> AccountQuota:
        shared = places.shared_account(stacks, request.account)
        reserved_elsewhere = shared.reserved_elsewhere + elsewhere
        account_quota = shared._replace(name=account, region=region, reserved_elsewhere=reserved_elsewhere)
        return request.live(account_quota, stacks) if request.live else account_quota

    return quota


def _not_counted(gap: Unread) -> Finding:
    reason = gap.what.removeprefix(f"{gap.file} ").removeprefix("is ")
    return Finding(str(gap.file), 1, NOT_PROVEN, Severity.WARNING, gap.path, f"not counted: {reason}")
