"""Check template files: lint, template size, drift and quota; and the planned SMS. Reads only; repairs nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from generator import _runtime, plans
from generator._format import joined
from generator.capacity import sms
from generator.capacity.quota import AccountQuota
from generator.capacity.sms import SmsVerdict
from generator.checks import drift, linting, places, quota_only, stacks
from generator.checks.assemblies import is_assembly
from generator.checks.findings import NOT_PROVEN, Finding, Rule, Severity
from generator.checks.folders import Folder
from generator.checks.inputs import with_copies
from generator.checks.linting import LintJob
from generator.checks.quota.deployed import REGION
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.checks.quota_only import Judgement
from generator.checks.report import Report, Request
from generator.checks.stacks import Stack
from generator.checks.stated import Stated
from generator.checks.units import ANY, Unit, Units, units_of_file
from generator.config import project
from generator.config.project import foreign
from generator.errors import Fault, UnreadableTemplate, UnusableLinter
from generator.plans import JudgedPlan
from generator.template import reading, terraform

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


LIVE_FIGURES = ("concurrency_limit", "reserved_elsewhere")
"""What the account states. Nothing but the user states the unreserved floor."""

LINT_ONLY_BY_HAND = "W3005"
"""Redundant DependsOn. CDK writes it into every template, and nobody edits those."""


def check(request: Request, folder: Path) -> Report:
    """Check the environments' committed templates in this folder, and the other files and folders.

    A pipe can be read only once, so it is copied. Raises UnreadableTemplate for files that are no templates,
    UnusableLinter if cfn-lint cannot work as configured, and DisputedAccount if templates that are checked together
    state different accounts.
    """
    return with_copies(request, lambda copied: _check(copied, folder))


def check_quota(request: Request, folder: Path) -> Report:
    """Check only the quota: of the environments, of their committed templates, and of the other files and folders."""
    committed = [folder / f"{one.name}.json" for one in request.judged]
    present = [(one, path) for one, path in zip(request.judged, committed, strict=True) if reading.status(path)]
    if request.together:
        files = _different(request.files, committed)
        beside = quota_only.units_of(files, [], request.region)
        judgement = quota_only.judge([*_shared(request, present, files, folder), *beside], request)
        rest = Report([], subjects=tuple(files), places=judgement.places)
    else:
        rest = quota_only.check(replace(request, judged=())) if request.files or request.folders else Report([])
        judgement = quota_only.judge([_units(one, path) for one, path in present], Request())
    found = [*rest.findings, *_without_repeats(judgement.findings, request.judged, committed)]
    found += [one for plan, path in zip(request.judged, committed, strict=True) for one in quota(plan, path)]
    return replace(rest, findings=sorted(found), rules={rule.id: rule for rule in (*RULES, *quota_only.RULES)})


def _shared(
    request: Request, present: Sequence[tuple[JudgedPlan, Path]], files: Sequence[Path], folder: Path
) -> list[Units]:
    """Return the environments' stacks in the one account that they share with the files."""
    counted = {path.resolve() for path in (*files, *(path for _, path in present))}
    neighbours = _neighbours(request, counted, folder)
    return [_in_shared_account(_units(one, path), one, neighbours) for one, path in present]


def _in_shared_account(content: Units, one: JudgedPlan, neighbours: int) -> Units:
    """Return an environment's stack in the account that all stacks share, whatever Region it states."""
    account = _stated(one.verdict.account)
    account["reserved_elsewhere"] += neighbours
    units = (replace(unit, region=ANY, stated=Stated(account=account)) for unit in content.units)
    return replace(content, units=tuple(map(_anywhere, units)))


def _anywhere(unit: Unit) -> Unit:
    """Return a unit that may go to every Region."""
    pins = [{name: one for name, one in each.deployments.pins.items() if name != REGION} for each in unit.deployed]
    return replace(unit, deployed=tuple(one.pinned(found) for one, found in zip(unit.deployed, pins, strict=True)))


def _units(one: JudgedPlan, path: Path) -> Units:
    """Return the stack of an environment's committed template, in the account that the environment states."""
    if fault := foreign(path):
        raise UnreadableTemplate([fault])
    job = _lint_job(one, path)
    content = units_of_file(path, job.region)
    settings = Stated(account=dict(job.settings[stacks.RULE]))
    return replace(content, units=tuple(replace(unit, region=job.region, stated=settings) for unit in content.units))


def _check(request: Request, folder: Path) -> Report:
    committed = [folder / f"{one.name}.json" for one in request.judged]
    present = [(one, path) for one, path in zip(request.judged, committed, strict=True) if reading.status(path)]
    named = _different(request.files, committed)
    terraform_plans = [path for path in named if terraform.text_at(path) is not None]
    files = [path for path in named if path not in terraform_plans]
    if faults := list(filter(None, (foreign(path) for _, path in present))):
        raise UnreadableTemplate(faults)
    content = _content(request, [path for _, path in present], files, terraform_plans)
    request = _with_live_figures(request, files)
    others = [LintJob(path, {stacks.RULE: request.account}) for path in files]
    below = [LintJob(path, {stacks.RULE: request.account}) for one in content for path in one.templates]
    with _runtime.in_background(lambda: _own(request.judged, committed)) as own:
        jobs = [*(_lint_job(one, path) for one, path in present), *others, *below]
        linted = linting.lint([replace(job, is_trusted=request.is_trusted) for job in jobs])
        findings = [*_without_repeats(linted.findings, request.judged, committed), *own()]
    findings = list(_without_generated(findings, content, files))
    if request.complete:
        findings += drift.orphans(folder, request.judged)
    rules = linted.rules | {rule.id: rule for rule in (*RULES, *quota_only.RULES)}
    _require_known(request.ignored, rules)
    ours = [LintJob(path, {stacks.RULE: _stated(one.verdict.account)}) for one, path in present]
    found = stacks.joint_stacks([*ours, *others]) if request.together and not content else []
    account, summary = None, ""
    if found:
        account = _account(request, found, folder)
        findings += _without_echo(stacks.shortfall(found, account), findings, found)
        summary = stacks.summary(found, account)
    every = found or stacks.separate_stacks(others)
    shared = _shared(request, present, named, folder) if content and request.together else []
    judgement = _judgement(request, [*content, *shared], files)
    findings += [*judgement.findings, *_gaps(every, files, account, request)]
    report = Report(
        sorted(one for one in findings if not request.ignores(one.rule)),
        rules,
        summary,
        (*named, *request.folders),
        tuple(terraform_plans),
        places=judgement.places,
    )
    unjudged = [stack.path for stack in every if stack.path in files and not _is_judged(stack, request)]
    unjudged += _unjudged_content(request, judgement, report.subjects)
    return replace(report, unjudged=tuple(dict.fromkeys(unjudged))) if report.passed else report


def _with_live_figures(request: Request, files: Sequence[Path]) -> Request:
    """Return the request with the live account as the account of the files, or of all that share it."""
    if not (request.live and (files or request.together)):
        return request
    stated = AccountQuota(name="", region="", **{**DEFAULT_ACCOUNT, **request.account})
    found = request.live(stated, ())
    live = {key: getattr(found, key) for key in LIVE_FIGURES} if found is not stated else {}
    return replace(request, account={**request.account, **live})


def _content(
    request: Request, present: Sequence[Path], files: Sequence[Path], terraform_plans: Sequence[Path]
) -> list[Units]:
    """Return the content of plans and folders. Raises UnreadableTemplate with every fault of them and of the files."""
    faults = linting.unreadable([*present, *files])
    try:
        content = quota_only.units_of(terraform_plans, request.folders, request.region)
    except UnreadableTemplate as error:
        raise UnreadableTemplate([*faults, *error.faults]) from None
    if faults:
        raise UnreadableTemplate(faults)
    return content


def _judgement(request: Request, content: Sequence[Units], files: Sequence[Path]) -> Judgement:
    """Judge the stacks of folders, together with the files if all go to one account."""
    beside = quota_only.units_of(files, [], request.region) if content and request.together else []
    return quota_only.judge([*content, *beside], request)


def _unjudged_content(request: Request, judgement: Judgement, subjects: Sequence[Path]) -> Iterator[Path]:
    """Yield the plans and folders of which the rule about the quota judges no stack in some place."""
    for place in judgement.places:
        if not any(_is_judged(stack, request) for stack in place.stacks):
            for path in subjects:
                yield from (path for stack in place.stacks if path in (stack.path, *stack.path.parents))


def _is_judged(stack: Stack, request: Request) -> bool:
    return stack.is_judged and not request.ignores(stacks.RULE)


def _gaps(
    every: Sequence[Stack], files: Sequence[Path], account: AccountQuota | None, request: Request
) -> Iterator[Finding]:
    """Yield a finding for whatever of the files is not counted, or may be more than was found."""
    unproven = stacks.unproven(every, account)
    for stack in every:
        if not (stack.case and stack.path in files and _is_judged(stack, request)):
            continue
        yield from places.gaps(stack)
        if stack.path in unproven and not stack.case.exact:
            yield from places.beyond(stack)


def _require_known(ignored: Iterable[str], rules: Mapping[str, Rule]) -> None:
    """Raise UnusableLinter for ids to ignore that no rule has, or that would hide what is not counted."""
    remedy = "find the id in a finding, or with: cfn-lint --list-rules"
    faults = []
    for one in ignored:
        if not one or not any(id_.startswith(one) for id_ in rules):
            faults.append(Fault(f"--ignore {one}".strip(), "no rule has this id", remedy))
        elif NOT_PROVEN.startswith(one):
            faults.append(Fault(f"--ignore {one}", "a quota that is not proven cannot be good", "use --allow-unproven"))
    if faults:
        raise UnusableLinter(faults)


def _without_generated(
    findings: Iterable[Finding], content: Sequence[Units], files: Sequence[Path]
) -> Iterator[Finding]:
    """Drop findings on templates below folders that the folder's own verdict replaces, or that CDK causes."""
    below = {str(path) for one in content for path in one.templates}
    assembled = {path.parent for path in files if is_assembly(Folder(path.parent), path.parent)}
    assembled |= {path for one in content for path in one.assemblies}
    for one in findings:
        is_generated = one.rule == LINT_ONLY_BY_HAND and not assembled.isdisjoint(Path(one.file).parents)
        if not is_generated and not (one.rule == stacks.RULE and one.file in below):
            yield one


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
    path = str(project.environments() / f"{one.name}.toml")
    short = [found for found in sms.compare(one.plan.environment) if found.verdict is SmsVerdict.SHORT]
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
    return [
        Finding(str(project.environments() / f"{one.name}.toml"), 1, "api-logging-role", Severity.ERROR, "", message)
    ]


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
    neighbours = _neighbours(request, {stack.path.resolve() for stack in found}, folder)
    return replace(account, reserved_elsewhere=account.reserved_elsewhere + neighbours)


def _neighbours(request: Request, counted: Collection[Path], folder: Path) -> int:
    """Return what the other environments of the account reserve."""
    plans = {plan.environment.name: plan for one in request.judged for plan in one.verdict.plans}
    others = [plan for name, plan in plans.items() if (folder / f"{name}.json").resolve() not in counted]
    return sum(plan.sizing.total_reserved for plan in others)


def _stated(account: AccountQuota) -> dict[str, int]:
    return {key: getattr(account, key) for key in DEFAULT_ACCOUNT}
