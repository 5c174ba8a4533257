"""Judge the quota of files, folders, CDK assemblies and Terraform plans, without cfn-lint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from generator import _runtime
from generator.capacity.quota import AccountQuota
from generator.checks import pools, terraform
from generator.checks.findings import NOT_PROVEN, Finding, Rule, Severity
from generator.checks.inputs import with_copies
from generator.checks.lint_settings import LintSettings
from generator.checks.pools import Member, Pool, finding
from generator.checks.quota import judging
from generator.checks.quota.messages import SUM_RULE
from generator.checks.report import Report, Request
from generator.checks.stacks import ANY, Source, Stack, Unread, read_file, read_folder, unread
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
    """The pools of some stacks, and what is wrong there."""

    pools: tuple[Pool, ...]
    findings: tuple[Finding, ...]


def check(request: Request) -> Report:
    """Judge each file and folder, or all `together`. Raises UnreadableTemplate with every fault."""
    return with_copies(request, _check)


def _check(request: Request) -> Report:
    rules = {rule.id: rule for rule in RULES}
    require_known(request.ignored, rules)
    sources = switched(read_all(request.files, request.folders, request.region), is_on=True)
    judgement = judge(sources, request)
    subjects = tuple(dict.fromkeys([*request.files, *request.folders]))
    findings = request.kept(sorted({*judgement.findings, *other_findings(sources)}))
    return Report(findings, rules, subjects=subjects, pools=judgement.pools)


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


def read_all(files: Iterable[Path], folders: Iterable[Path], region: str = ANY) -> list[Source]:
    """Return the source of each file and folder, as `read_folder` does.

    Raises UnreadableTemplate with every fault.
    """
    readers = [*(partial(_of_file, path) for path in files), *(partial(_of_folder, path) for path in folders)]
    return each(lambda reader: reader(region), readers, UnreadableTemplate)


def _of_file(path: Path, region: str) -> Source:
    return terraform.read_plan(path) or read_file(path, region)


def _of_folder(path: Path, region: str) -> Source:
    source = read_folder(path, region)
    for file in source.plans:
        try:
            plan = terraform.read_plan(file) or Source()
        except UnreadableTemplate as error:
            plan = unread(file, error)
        source = source._replace(stacks=(*source.stacks, *plan.stacks), unread=(*source.unread, *plan.unread))
    return source


def switched(sources: Iterable[Source], *, is_on: bool) -> list[Source]:
    """Return the stacks with all rules switched on, or with the sum's rule switched off, whatever their settings."""

    def changed(settings: LintSettings) -> LintSettings:
        if is_on:
            return settings._replace(ignored=(), ignoring={})
        others = (rule.id for rule in RULES if rule.id != SUM_RULE and rule.id.startswith(settings.mandatory))
        return settings._replace(ignored=(*settings.ignored, SUM_RULE), mandatory=tuple(others))

    return [
        source._replace(stacks=tuple(stack._replace(settings=changed(stack.settings)) for stack in source.stacks))
        for source in sources
    ]


def judge(sources: Sequence[Source], request: Request, elsewhere: int = 0) -> Judgement:
    """Return the pools of each file or folder, or of all together, with what is wrong there.

    `elsewhere` is reserved in addition to what the stacks or the request state. Raises DisputedAccount if stacks that
    may go to the same pool state different accounts.
    """
    groups = [_in_one_region(sources)] if request.together else [source.stacks for source in sources]
    judged_pools = [pool for group in groups if group for pool in pools.fullest(group, _quota(request, elsewhere))]
    stacks = [stack for source in sources for stack in source.stacks]
    findings = [*pools.findings(judged_pools), *terraform.order(judged_pools)]
    findings += [_not_counted(gap) for source in sources for gap in source.unread]
    return Judgement(tuple(judged_pools), tuple(terraform.as_written(findings, stacks)))


def other_findings(sources: Iterable[Source], linted: Collection[Path] = ()) -> Iterator[Finding]:
    """Yield the findings of the project's other rules that are on, except in files that cfn-lint has checked."""
    stacks = [stack for source in sources for stack in source.stacks if stack.path not in linted]
    findings = _runtime.parallel_map(lambda stack: list(_other_findings(stack)), stacks, MIN_PER_PROCESS)
    yield from terraform.as_written(chain.from_iterable(findings), stacks)


def _other_findings(stack: Stack) -> Iterator[Finding]:
    for violation in judging.other_violations(stack.variants):
        location = outermost(violation.location)
        if not stack.settings.ignores(violation.rule, location):
            yield finding(stack.path, violation.rule, location, violation.message)


def _in_one_region(sources: Iterable[Source]) -> list[Stack]:
    """Return all stacks, with single templates in the same Region: one that any of the stacks names.

    If a template names none, it may be any Region.
    """
    files = [stack for source in sources if source.is_file for stack in source.stacks]
    rest = [stack for source in sources if not source.is_file for stack in source.stacks]
    named = {region for stack in (*files, *rest) for region in stack.regions}
    shared = sorted(named) if all(stack.regions for stack in files) else ()
    return [*(stack.in_regions(shared) for stack in files), *rest]


def _quota(request: Request, elsewhere: int) -> pools.Quota:
    def quota(account: str, region: str, members: Sequence[Member]) -> AccountQuota:
        shared = pools.shared_account(members, request.account)
        reserved_elsewhere = shared.reserved_elsewhere + elsewhere
        account_quota = shared._replace(name=account, region=region, reserved_elsewhere=reserved_elsewhere)
        return request.live(account_quota, members) if request.live else account_quota

    return quota


def _not_counted(gap: Unread) -> Finding:
    reason = gap.what.removeprefix(f"{gap.file} ").removeprefix("is ")
    return Finding(str(gap.file), 1, NOT_PROVEN, Severity.WARNING, gap.path, f"not counted: {reason}")
