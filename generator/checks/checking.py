"""Check template files: lint, template size, drift and quota; and the planned SMS. Reads only; repairs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from generator import _runtime, plans
from generator._format import joined
from generator.capacity import sms
from generator.capacity.sms import SmsVerdict
from generator.checks import drift, linting, quota_only
from generator.checks.assemblies import is_assembly
from generator.checks.findings import Finding, Rule, Severity
from generator.checks.folders import Folder
from generator.checks.inputs import with_copies
from generator.checks.linting import LintJob
from generator.checks.pools import Pool
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.checks.quota_only import Judgement
from generator.checks.report import Report, Request
from generator.checks.stacks import Source, read_file, unread
from generator.config import project
from generator.config.project import foreign
from generator.errors import UnreadableTemplate
from generator.plans import JudgedPlan
from generator.template import plan_files, reading

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

LIST_REMEDY = "find the id in a finding, or with: cfn-lint --list-rules"

REDUNDANT_DEPENDS_ON = "W3005"
"""cfn-lint's rule for what CDK writes into every template. Nobody edits those."""


def check(request: Request, folder: Path) -> Report:
    """Check the environments' committed templates in this folder, and the other files and folders.

    A pipe can be read only once, so it is copied. Raises UnreadableTemplate for files that are no templates,
    UnusableLinter if cfn-lint cannot work as configured, and DisputedAccount if templates that are checked together
    state different accounts.
    """
    return with_copies(request, lambda copied: _check(copied, folder))


def check_quota(request: Request, folder: Path) -> Report:
    """Check only the quota: of the environments, of their committed templates, and of the other files and folders."""
    return with_copies(request, lambda copied: _check_quota(copied, folder))


def _check(request: Request, folder: Path) -> Report:
    committed = _committed(request, folder)
    named = _different(request.files, committed.values())
    terraform_plans = [path for path in named if plan_files.text_at(path) is not None]
    files = [path for path in named if path not in terraform_plans]
    sources = _sources(request, committed.values(), files, terraform_plans)
    jobs = [_lint_job(plan, committed[plan.name]) for plan in request.judged if plan.name in committed]
    jobs += [LintJob(path, {SUM_RULE: request.account}) for path in files]
    jobs += [LintJob(path) for source in sources for path in source.templates]
    with _runtime.in_background(lambda: _own_findings(request.judged, folder)) as own_findings:
        linted = linting.lint([replace(job, is_trusted=request.is_trusted) for job in jobs])
        findings = [*_without_replaced(linted.findings, sources, files), *own_findings()]
    if request.complete:
        findings += drift.orphans(folder, request.judged)
    rules = linted.rules | {rule.id: rule for rule in (*RULES, *quota_only.RULES)}
    quota_only.require_known(request.ignored, rules, LIST_REMEDY)
    environments = _environment_sources(request, committed, _read)
    others = [*(_read(path, request.region) for path in files), *sources]
    if request.ignores(SUM_RULE):
        environments, others = quota_only.switched(environments, is_on=False), quota_only.switched(others, is_on=False)
    judgement = _judgement(request, environments, others, folder)
    broken_off = {finding.file for finding in linted.findings if finding.rule in linting.BROKEN_OFF}
    linted_paths = {job.path for job in jobs if str(job.path) not in broken_off}
    reported = {(finding.file, finding.rule) for finding in linted.findings}
    unlinted = quota_only.other_findings([*environments, *others], linted_paths)
    findings += judgement.findings
    findings += [finding for finding in unlinted if (finding.file, finding.rule) not in reported]
    findings = _without_repeats(findings, request.judged, folder)
    subjects = (*named, *request.folders)
    return Report(
        request.kept(findings),
        rules,
        subjects,
        (*terraform_plans, *_without_template(request.folders, sources)),
        tuple(_unjudged(judgement.pools, subjects)),
        judgement.pools,
    )


def _check_quota(request: Request, folder: Path) -> Report:
    rules = {rule.id: rule for rule in (*RULES, *quota_only.RULES)}
    quota_only.require_known(request.ignored, rules)
    committed = _committed(request, folder)
    named = _different(request.files, committed.values())
    environments = quota_only.switched(_environment_sources(request, committed, read_file), is_on=True)
    others = quota_only.switched(quota_only.read_all(named, request.folders, request.region), is_on=True)
    judgement = _judgement(request, environments, others, folder)
    findings = [*judgement.findings, *quota_only.other_findings([*environments, *others])]
    findings += [finding for plan in request.judged for finding in quota(plan, folder / f"{plan.name}.json")]
    findings = _without_repeats(findings, request.judged, folder)
    return Report(
        request.kept(findings),
        rules,
        (*named, *request.folders),
        pools=judgement.pools,
    )


def _committed(request: Request, folder: Path) -> dict[str, Path]:
    """Return the committed templates that exist, by environment. Raises UnreadableTemplate if one leads elsewhere."""
    paths = {plan.name: folder / f"{plan.name}.json" for plan in request.judged}
    existing = {name: path for name, path in paths.items() if reading.status(path)}
    if faults := list(filter(None, map(foreign, existing.values()))):
        raise UnreadableTemplate(faults)
    return existing


def _sources(
    request: Request, committed: Iterable[Path], files: Sequence[Path], terraform_plans: Sequence[Path]
) -> list[Source]:
    """Return the source of plans and folders. Raises UnreadableTemplate with every fault of them and of the files."""
    faults = linting.unreadable([*committed, *files])
    try:
        sources = quota_only.read_all(terraform_plans, request.folders, request.region)
    except UnreadableTemplate as error:
        raise UnreadableTemplate([*faults, *error.faults]) from None
    if faults:
        raise UnreadableTemplate(faults)
    return sources


def _read(path: Path, region: str) -> Source:
    """Return the stack of a template, or why it cannot be read; cfn-lint reports the fault, too."""
    try:
        return read_file(path, region)
    except UnreadableTemplate as error:
        return unread(path, error)


def _environment_sources(
    request: Request, committed: Mapping[str, Path], read: Callable[[Path, str], Source]
) -> list[Source]:
    """Return the stacks of the committed templates, each in the account that its environment states.

    Unless all stacks are checked together, the other environments in the account count as elsewhere.
    """
    sources = []
    for judged in request.judged:
        if judged.name in committed:
            account = {key: getattr(judged.verdict.account, key) for key in DEFAULT_ACCOUNT}
            if not request.together:
                account["reserved_elsewhere"] += judged.verdict.total - judged.plan.sizing.total_reserved
            source = read(committed[judged.name], judged.environment.region)
            stacks = (stack._replace(settings=stack.settings._replace(account=account)) for stack in source.stacks)
            sources.append(source._replace(stacks=tuple(stacks)))
    return sources


def _judgement(request: Request, environments: Sequence[Source], others: Sequence[Source], folder: Path) -> Judgement:
    """Judge the environments, each in its own account, and the others; or all in the account that they share."""
    if request.together:
        sources = [*environments, *others]
        return quota_only.judge(sources, request, _neighbours(request, sources, folder))
    of_environments, of_others = quota_only.judge(environments, Request()), quota_only.judge(others, request)
    return of_others._replace(findings=(*of_environments.findings, *of_others.findings))


def _neighbours(request: Request, counted: Iterable[Source], folder: Path) -> int:
    """Return the reservations of the account's other environments; 0 if an option states those elsewhere."""
    if "reserved_elsewhere" in request.account:
        return 0
    files = {stack.path.resolve() for source in counted for stack in source.stacks}
    plans = {plan.environment.name: plan for judged in request.judged for plan in judged.verdict.plans}
    others = [plan for name, plan in plans.items() if (folder / f"{name}.json").resolve() not in files]
    return sum(plan.sizing.total_reserved for plan in others)


def _without_template(folders: Sequence[Path], sources: Sequence[Source]) -> Iterator[Path]:
    """Yield the folders in which cfn-lint can check nothing. Their sources are the last ones."""
    of_folders = sources[len(sources) - len(folders) :]
    return (folder for folder, source in zip(folders, of_folders, strict=True) if not source.templates)


def _unjudged(pools: Iterable[Pool], subjects: Sequence[Path]) -> Iterator[Path]:
    """Yield the files and folders of which no stack is judged in some pool."""
    paths = [member.stack.path for pool in pools if not pool.is_judged for member in pool.members]
    return (subject for subject in subjects if any(subject in (path, *path.parents) for path in paths))


def _without_replaced(
    findings: Iterable[Finding], sources: Iterable[Source], files: Iterable[Path]
) -> Iterator[Finding]:
    """Drop cfn-lint's findings on the sum, which `quota_only` judges, and on what CDK writes into every template."""
    assembled = {path.parent for path in files if is_assembly(Folder(path.parent), path.parent)}
    assembled |= {path for source in sources for path in source.assemblies}
    for finding in findings:
        is_by_cdk = finding.rule == REDUNDANT_DEPENDS_ON and not assembled.isdisjoint(Path(finding.file).parents)
        if not is_by_cdk and finding.rule != SUM_RULE:
            yield finding


def _different(files: Iterable[Path], committed: Iterable[Path]) -> list[Path]:
    """Return the files, each once however its path is written, without those that belong to environments."""
    known = {os.path.realpath(path) for path in committed}
    different = {os.path.realpath(path): path for path in reversed(list(files))}
    return [path for real_path, path in reversed(different.items()) if real_path not in known]


def quota(plan: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if the account cannot hold the environment together with those that share it."""
    if plan.verdict.fits:
        return []
    return [Finding(str(path), 1, "quota", Severity.ERROR, "Resources", "\n".join(plans.refusals([plan])))]


def sms_volume(plan: JudgedPlan) -> list[Finding]:
    """Return a warning if the planned SMS exceed the budget or the throughput that the environment file states."""
    path = str(project.environments() / f"{plan.name}.toml")
    exceeded = [comparison for comparison in sms.compare(plan.environment) if comparison.verdict is SmsVerdict.SHORT]
    return [Finding(path, 1, "sms-volume", Severity.WARNING, "", str(comparison)) for comparison in exceeded]


def logging_role(judged: JudgedPlan) -> list[Finding]:
    """Return a finding if another environment of the account creates the API logging role too.

    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging": one role per account and Region.
    """
    rivals = [
        plan.environment.name
        for plan in judged.verdict.plans
        if plan.environment.operations.api_logging_role == "create" and plan.environment.name != judged.name
    ]
    if judged.environment.operations.api_logging_role != "create" or not rivals:
        return []
    account = judged.verdict.account
    message = (
        f'operations.api_logging_role is "create" here and in {joined(rivals)}, but account {account.name} has one '
        f"logging role in {account.region}, and each stack would replace it; "
        'write api_logging_role = "existing" in all of them but one'
    )
    return [
        Finding(str(project.environments() / f"{judged.name}.toml"), 1, "api-logging-role", Severity.ERROR, "", message)
    ]


def template_size(plan: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if CloudFormation does not accept the file the way that the environment deploys it."""
    status = reading.status(path)
    message = plans.excess(plan.environment, status.st_size if status else 0)
    return [Finding(str(path), 1, "template-size", Severity.ERROR, "", message)] if message else []


def _own_findings(judged: Sequence[JudgedPlan], folder: Path) -> list[Finding]:
    """Return our own findings on the environments' files. Composing them takes about a tenth of cfn-lint's time."""
    return [
        finding
        for plan in judged
        for path in [folder / f"{plan.name}.json"]
        for finding in (
            *quota(plan, path),
            *drift.drift(plan, folder),
            *template_size(plan, path),
            *sms_volume(plan),
            *logging_role(plan),
        )
    ]


def _lint_job(plan: JudgedPlan, path: Path) -> LintJob:
    """Return the job to lint a committed template for the Region and the stream that its environment states."""
    environment = plan.environment
    return LintJob(path, {"W9803": {"shards": environment.stream.shards}}, environment.region)


def _without_repeats(findings: Iterable[Finding], judged: Sequence[JudgedPlan], folder: Path) -> list[Finding]:
    """Return the findings in order, each once, without those that our own checks report in more detail.

    `template-size` is an error where W9805 warns; `quota` names every environment where E9801 has one sum.
    """
    paths = {plan.name: str(folder / f"{plan.name}.json") for plan in judged}
    repeated = {(path, "W9805") for path in paths.values()}
    repeated |= {(paths[plan.name], SUM_RULE) for plan in judged if not plan.verdict.fits}
    return sorted({finding for finding in findings if (finding.file, finding.rule) not in repeated})
