"""Check template files: lint, template size, drift and quota; and the planned SMS. Reads only; repairs nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from generator import _runtime, plans
from generator._format import joined
from generator.capacity import sms
from generator.capacity.quota import AccountQuota
from generator.capacity.sms import Verdict
from generator.checks import drift, linting, stacks
from generator.checks.findings import Finding, Rule, Severity
from generator.checks.linting import LintJob
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.checks.stacks import Stack
from generator.config.files import FOLDER
from generator.config.project import foreign
from generator.errors import GeneratorError, UnreadableTemplate
from generator.plans import JudgedPlan
from generator.template import reading

RULES = (
    drift.RULE,
    Rule(
        "quota",
        "Reserved concurrency of all environments in an account fits it",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    ),
    Rule(
        "api-logging-role",
        "One environment per account and Region creates the API logging role",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",
    ),
    Rule("sms-volume", "Planned SMS are within the budget and the throughput", ""),
    Rule(
        "template-size",
        "Template is within the limit of CloudFormation",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html",
    ),
)
"""The checks of an environment's files beside cfn-lint's rules and those of generator.checks.rules."""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, the rules they violate, and, if asked for, what all stacks in one account reserve."""

    findings: list[Finding]
    rules: dict[str, Rule] = field(default_factory=dict)
    together: str = ""
    files: tuple[Path, ...] = ()
    """The files that belong to no environment, each once."""
    undecided: tuple[Path, ...] = ()
    """Files that passed although the template does not state all that it reserves, or the search stopped early."""
    unjudged: tuple[Path, ...] = ()
    """Files that passed because the rule about the quota is switched off for them."""

    @property
    def passed(self) -> bool:
        """Whether no finding is worse than informational."""
        return not any(finding.bad for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Request:
    """What to check."""

    judged: Sequence[JudgedPlan]
    files: Sequence[Path] = ()
    """Templates that belong to no environment."""
    account: Mapping[str, int] = field(default_factory=dict)
    """The account of the files as far as options state it; .cfnlintrc, a file's Metadata or DEFAULT_ACCOUNT state the
    rest."""
    complete: bool = False
    """Whether `judged` holds all environments, so that a template without one is an orphan."""
    together: bool = False
    """Whether the files and the environments are deployed to one account."""
    is_trusted: bool = False
    """Whether .cfnlintrc and the Metadata of templates may load rules, which are code, and other files."""


def check(request: Request, folder: Path) -> Report:
    """Check the environments' committed templates in this folder, and the files.

    A pipe can be read only once, so it is copied. Raises UnreadableTemplate for files that are no templates,
    UnusableLinter if cfn-lint cannot work as configured, and DisputedAccount if templates that are checked together
    state different accounts.
    """
    pipes = _pipes(request.files)
    if not pipes:
        return _check(request, folder)
    with _runtime.temporary_folder("generator-check-") as copies:
        copied = {pipe: _copy(pipe, copies / str(number)) for number, pipe in enumerate(pipes)}
        pipe_of = {copy: pipe for pipe, copy in copied.items()}
        name_of = {str(copy): str(pipe) for copy, pipe in pipe_of.items()}
        try:
            report = _check(replace(request, files=[copied.get(path, path) for path in request.files]), folder)
        except GeneratorError as error:
            raise type(error)([replace(one, where=name_of.get(one.where, one.where)) for one in error.faults]) from None
    findings = [replace(one, file=name_of.get(one.file, one.file)) for one in report.findings]
    groups = (report.files, report.undecided, report.unjudged)
    files, undecided, unjudged = (tuple(pipe_of.get(one, one) for one in group) for group in groups)
    return replace(report, findings=findings, files=files, undecided=undecided, unjudged=unjudged)


def _pipes(files: Iterable[Path]) -> list[Path]:
    return [path for path in files if (found := reading.status(path)) and stat.S_ISFIFO(found.st_mode)]


def _copy(pipe: Path, folder: Path) -> Path:
    folder.mkdir()
    copy = folder / pipe.name
    copy.write_text(reading.bounded_text(pipe, "surrogateescape"), errors="surrogateescape")
    return copy


def _check(request: Request, folder: Path) -> Report:
    committed = [folder / f"{one.name}.json" for one in request.judged]
    present = [(one, path) for one, path in zip(request.judged, committed, strict=True) if reading.status(path)]
    files = _different(request.files, committed)
    if faults := list(filter(None, (foreign(path) for _, path in present))):
        raise UnreadableTemplate(faults)
    if faults := linting.unreadable([*(path for _, path in present), *files]):
        raise UnreadableTemplate(faults)
    others = [LintJob(path, {stacks.RULE: request.account}) for path in files]
    with _runtime.in_background(lambda: _own(request.judged, committed)) as own:
        jobs = [*(_lint_job(one, path) for one, path in present), *others]
        linted = linting.lint([replace(job, is_trusted=request.is_trusted) for job in jobs])
        findings = [*_without_repeats(linted.findings, request.judged, committed), *own()]
    if request.complete:
        findings += drift.orphans(folder, request.judged)
    rules = linted.rules | {rule.id: rule for rule in RULES}
    ours = [LintJob(path, {stacks.RULE: _stated(one.verdict.account)}) for one, path in present]
    found = stacks.joint_stacks([*ours, *others]) if request.together else []
    account, summary = None, ""
    if found:
        account = _account(request, found, folder)
        findings += _without_echo(stacks.shortfall(found, account), findings, found)
        summary = stacks.summary(found, account)
    report = Report(sorted(findings), rules, summary, tuple(files))
    if not (report.passed and files):
        return report
    every = found or stacks.separate_stacks(others)
    unjudged = tuple(stack.path for stack in every if stack.path in files and not stack.is_judged)
    unproven = stacks.unproven(every, account)
    undecided = tuple(path for path in files if path in unproven and path not in unjudged)
    return replace(report, undecided=undecided, unjudged=unjudged)


def _different(files: Iterable[Path], committed: Iterable[Path]) -> list[Path]:
    """Return the files, each once however its path is written, without those that belong to environments."""
    known = {os.path.realpath(path) for path in committed}
    by_place = {os.path.realpath(path): path for path in reversed(list(files))}
    return [path for place, path in reversed(by_place.items()) if place not in known]


def quota(one: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if the account cannot hold the environment together with those that share it."""
    if one.verdict.fits:
        return []
    return [Finding(str(path), 1, "quota", Severity.ERROR, "Resources", "\n".join(plans.refusals([one])))]


def sms_volume(one: JudgedPlan) -> list[Finding]:
    """Return a warning if the planned SMS exceed the budget or the throughput that the environment file states."""
    path = str(FOLDER / f"{one.name}.toml")
    short = [found for found in sms.compare(one.plan.environment) if found.verdict is Verdict.SHORT]
    return [Finding(path, 1, "sms-volume", Severity.WARNING, "", str(found)) for found in short]


def logging_role(one: JudgedPlan) -> list[Finding]:
    """Return a finding if another environment of the account creates the API logging role too.

    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging": one role per account and Region.
    """
    rivals = [
        plan.environment.name
        for plan in one.verdict.plans
        if plan.environment.operations.api_logging_role == "create" and plan.environment.name != one.name
    ]
    if one.plan.environment.operations.api_logging_role != "create" or not rivals:
        return []
    account = one.verdict.account
    message = (
        f'operations.api_logging_role is "create" here and in {joined(rivals)}, but account {account.name} has one '
        f"logging role in {account.region}, and each stack would replace it; "
        'write api_logging_role = "existing" in all of them but one'
    )
    return [Finding(str(FOLDER / f"{one.name}.toml"), 1, "api-logging-role", Severity.ERROR, "", message)]


def template_size(one: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if CloudFormation does not accept the file the way that the environment deploys it."""
    found = reading.status(path)
    message = plans.excess(one.plan.environment, found.st_size if found else 0)
    return [Finding(str(path), 1, "template-size", Severity.ERROR, "", message)] if message else []


def _own(judged: Sequence[JudgedPlan], committed: Sequence[Path]) -> list[Finding]:
    """Return our own findings on the environments' files. Composing them takes about a tenth of cfn-lint's time."""
    return [
        found
        for one, path in zip(judged, committed, strict=True)
        for found in (
            *quota(one, path),
            *drift.drift(one, path.parent),
            *template_size(one, path),
            *sms_volume(one),
            *logging_role(one),
        )
    ]


def _lint_job(one: JudgedPlan, path: Path) -> LintJob:
    """Return the job to lint a committed template for the account and the stream that its environment states."""
    environment, verdict = one.plan.environment, one.verdict
    neighbours = sum(plan.sizing.total_reserved for plan in verdict.plans if plan.environment.name != one.name)
    account = _stated(verdict.account)
    account["reserved_elsewhere"] += neighbours
    return LintJob(path, {stacks.RULE: account, "W9803": {"shards": environment.stream.shards}}, environment.region)


def _without_repeats(
    findings: Iterable[Finding], judged: Sequence[JudgedPlan], committed: Sequence[Path]
) -> list[Finding]:
    """Drop cfn-lint findings that our own checks report in more detail.

    `template-size` is an error where W9805 warns; `quota` names every environment where E9801 has one sum.
    """
    repeated = {(str(path), "W9805") for path in committed}
    repeated |= {(str(path), stacks.RULE) for one, path in zip(judged, committed, strict=True) if not one.verdict.fits}
    return [found for found in findings if (found.file, found.rule) not in repeated]


def _without_echo(shortfall: list[Finding], findings: Sequence[Finding], found: Sequence[Stack]) -> list[Finding]:
    """Drop the shortfall of a single stack if the rule has reported it already."""
    said = {(one.file, one.rule) for one in findings}
    return [one for one in shortfall if len(found) > 1 or (one.file, one.rule) not in said]


def _account(request: Request, found: Sequence[Stack], folder: Path) -> AccountQuota:
    """Return the account of all stacks that are checked together. Other environments in it count as elsewhere."""
    account = stacks.shared_account(found, request.account)
    if "reserved_elsewhere" in request.account:
        return account
    counted = {stack.path.resolve() for stack in found}
    plans = {plan.environment.name: plan for one in request.judged for plan in one.verdict.plans}
    others = [plan for name, plan in plans.items() if (folder / f"{name}.json").resolve() not in counted]
    neighbours = sum(plan.sizing.total_reserved for plan in others)
    return replace(account, reserved_elsewhere=account.reserved_elsewhere + neighbours)


def _stated(account: AccountQuota) -> dict[str, int]:
    return {key: getattr(account, key) for key in DEFAULT_ACCOUNT}
