"""Check template files: lint, template size, drift and quota; and the planned SMS. Reads only; repairs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from generator import _runtime, plans
from generator._format import joined
from generator.capacity import sms
from generator.capacity.sms import SmsVerdict
from generator.checks import drift, quota_check
from generator.checks.findings import Finding, Severity
from generator.checks.folders import Folder, is_assembly
from generator.checks.quota.messages import SUM_RULE
from generator.checks.quota_check import Committed, Report
from generator.checks.request import Linted, LintJob, Request
from generator.checks.stacks import Source, read_file, unread, unreadable
from generator.config import project
from generator.errors import UnreadableTemplate
from generator.plans import JudgedPlan
from generator.template import plan_files, reading

LIST_REMEDY = "find the id in a finding, or with: cfn-lint --list-rules"

BROKEN_OFF = ("E0000", "E0001", "E0002")
"""cfn-lint's findings after which it may run no other rule: it cannot read or transform the file, or crashes.

E0002 also reports the crash of a single rule; cfn-lint then goes on with the others, so their findings are there.
"""

REDUNDANT_DEPENDS_ON = "W3005"
"""cfn-lint's rule for what CDK writes into every template. Nobody edits those."""


def check(request: Request, folder: Path = Path()) -> Report:
    """Check the environments' committed templates in this folder, and the other files and folders.

    Raises UnreadableTemplate for files that are no templates, UnusableLinter if cfn-lint cannot work as configured, and
    DisputedAccount if templates that are checked together state different accounts.
    """
    request = request._replace(folders=quota_check.each_once(request.folders))
    committed = quota_check.committed_templates(request, folder)
    paths = [path for _, path in committed]
    named = quota_check.each_once(request.files, paths)
    terraform_plans = [path for path in named if plan_files.text_at(path) is not None]
    files = [path for path in named if path not in terraform_plans]
    sources = _sources(request, paths, files, terraform_plans)
    jobs = _lint_jobs(request, committed, files, sources)
    with _runtime.in_background(lambda: _own_findings(request.judged, folder)) as own_findings:
        linted = _lint(jobs)
        findings = [*_without_replaced(linted.findings, sources, files), *own_findings()]
    if request.complete:
        findings += drift.orphans(folder, request.judged)
    rules = {**linted.rules} | {rule.id: rule for rule in (*quota_check.ENVIRONMENT_RULES, *quota_check.RULES)}
    quota_check.require_known(request.ignored, rules, LIST_REMEDY)
    environments = quota_check.environment_sources(request, committed, _read)
    others = [*(_read(path, request.region) for path in files), *sources]
    judged, quota_findings = quota_check.judge(request, environments, others, folder)
    findings += [*quota_findings, *_unlinted(jobs, linted, [*environments, *others])]
    findings = quota_check.without_repeats(findings, request.judged, folder)
    subjects = {path: path not in terraform_plans for path in named}
    for path, source in zip(request.folders, sources[len(terraform_plans) :], strict=True):
        subjects[path] = bool(source.templates)
    return Report(request.kept(findings), rules, subjects, judged)


def _sources(
    request: Request, committed: Iterable[Path], files: Sequence[Path], terraform_plans: Sequence[Path]
) -> list[Source]:
    """Return the source of plans and folders. Raises UnreadableTemplate with every fault of them and of the files."""
    faults = unreadable([*committed, *files])
    try:
        sources = quota_check.read_all([*terraform_plans, *request.folders], request.region)
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


def _lint_jobs(
    request: Request, committed: Iterable[Committed], files: Iterable[Path], sources: Iterable[Source]
) -> list[LintJob]:
    """Return a job for each template, with what its environment or the request states of its deployment."""
    jobs = [
        LintJob(path, {"W9803": {"shards": plan.environment.stream.shards}}, plan.environment.region)
        for plan, path in committed
    ]
    jobs += [LintJob(path, {SUM_RULE: request.account}) for path in files]
    jobs += [LintJob(path) for source in sources for path in source.templates]
    return [job._replace(is_trusted=request.is_trusted) for job in jobs]


def _lint(jobs: Sequence[LintJob]) -> Linted:
    if not jobs:
        return Linted()
    from generator.checks import linting  # cfn-lint takes longer to import than most checks take.

    return linting.lint(jobs)


def _unlinted(jobs: Sequence[LintJob], linted: Linted, sources: Sequence[Source]) -> Iterator[Finding]:
    """Yield what this project's rules find where cfn-lint did not run them."""
    broken_off = {finding.file for finding in linted.findings if finding.rule in BROKEN_OFF}
    linted_paths = {job.path for job in jobs if str(job.path) not in broken_off}
    reported = {(finding.file, finding.rule) for finding in linted.findings}
    found = quota_check.other_findings(sources, linted_paths)
    return (finding for finding in found if (finding.file, finding.rule) not in reported)


def _without_replaced(
    findings: Iterable[Finding], sources: Iterable[Source], files: Iterable[Path]
) -> Iterator[Finding]:
    """Drop cfn-lint's findings on the sum, which `quota_check` judges, and on what CDK writes into every template."""
    assembled = {path.parent for path in files if is_assembly(Folder(path.parent), path.parent)}
    assembled |= {path for source in sources for path in source.assemblies}
    for finding in findings:
        is_by_cdk = finding.rule == REDUNDANT_DEPENDS_ON and not assembled.isdisjoint(Path(finding.file).parents)
        if not is_by_cdk and finding.rule != SUM_RULE:
            yield finding


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
    account, path = judged.verdict.account, project.environments() / f"{judged.name}.toml"
    message = (
        f'operations.api_logging_role is "create" here and in {joined(rivals)}, but account {account.name} has one '
        f"logging role in {account.region}, and each stack would replace it; "
        'write api_logging_role = "existing" in all of them but one'
    )
    return [Finding(str(path), 1, "api-logging-role", Severity.ERROR, "", message)]


def template_size(plan: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if CloudFormation does not accept the file the way that the environment deploys it."""
    status = reading.status(path)
    message = plans.excess(plan.environment, status.st_size if status else 0)
    return [Finding(str(path), 1, "template-size", Severity.ERROR, "", message)] if message else []


def _own_findings(judged: Sequence[JudgedPlan], folder: Path) -> list[Finding]:
    """Return our own findings on the environments' files. Composing them takes about a tenth of cfn-lint's time."""
    findings = []
    for plan in judged:
        path = folder / f"{plan.name}.json"
        findings += [*quota_check.environment_quota(plan, path), *drift.drift(plan, folder)]
        findings += [*template_size(plan, path), *sms_volume(plan), *logging_role(plan)]
    return findings
