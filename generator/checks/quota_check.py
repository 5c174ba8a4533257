"""Judge the quota of environments, files, folders, CDK assemblies and Terraform plans.

`check` judges the quota alone, without cfn-lint. The `full_check` judges it too, after everything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator import _runtime
from generator.checks import pools
from generator.checks.findings import NOT_PROVEN, CheckVerdict, Finding, Rule, Severity
from generator.checks.pools import Pool, finding
from generator.checks.quota import judging
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.checks.request import Request
from generator.checks.stacks import ANY, Source, Stack, read_file, read_folder
from generator.config.project import foreign
from generator.errors import Fault, UnreadableTemplate, UnusableLinter, each
from generator.template import reading
from generator.template.nesting import outermost

if TYPE_CHECKING:
    from generator.plans import JudgedPlan

Committed = tuple["JudgedPlan", Path]
"""An environment and its committed template."""

MIN_PER_PROCESS = 50
"""Stacks that keep a process busy for longer than it takes to start."""

RULES = (
    *judging.RULES.values(),
    Rule(pools.APPLY_ORDER, "A Terraform plan fits the account at every step", judging.RULES[SUM_RULE].url),
    Rule(NOT_PROVEN, "Everything that may reserve concurrency is counted", judging.RULES[SUM_RULE].url),
)

ENVIRONMENT_RULES = (
    Rule("drift", "Committed template is what its environment generates", ""),
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
"""The checks of an environment's files beside cfn-lint's rules and those of this project."""


class Report(NamedTuple):
    """The findings and the rules they violate, with what is reserved in each account and Region."""

    findings: list[Finding]
    rules: Mapping[str, Rule] = {}
    subjects: Mapping[Path, bool] = {}
    """The files and folders that belong to no environment, each with whether more than its quota was checked.

    Of Terraform plans, and folders without a template, only the quota can be checked.
    """
    pools: Sequence[Pool] = ()
    """The accounts and Regions to which the stacks go; not those of environments, unless all are checked together."""

    @property
    def verdict(self) -> CheckVerdict:
        """GOOD if nothing is wrong, and everything is counted and judged."""
        if any(finding.bad for finding in self.findings if finding.rule != NOT_PROVEN):
            return CheckVerdict.BAD
        has_gaps = bool(self.unjudged) or any(finding.rule == NOT_PROVEN for finding in self.findings)
        return CheckVerdict.NOT_PROVEN if has_gaps else CheckVerdict.GOOD

    @property
    def passed(self) -> bool:
        """Whether no finding is worse than informational."""
        return not any(finding.bad for finding in self.findings)

    def accepting_gaps(self) -> Report:
        """Return the report with informational findings for whatever is not counted."""
        lowered = [
            finding._replace(severity=Severity.INFORMATIONAL) if finding.rule == NOT_PROVEN else finding
            for finding in self.findings
        ]
        return self._replace(findings=lowered)

    @property
    def unproven(self) -> tuple[Path, ...]:
        """The files and folders of which not everything is counted."""
        return self._subjects_with(finding.file for finding in self.findings if finding.rule == NOT_PROVEN)

    @property
    def unjudged(self) -> tuple[Path, ...]:
        """The files and folders whose quota was not checked, because its rule is switched off for them."""
        return self._subjects_with(
            member.stack.path for pool in self.pools if not pool.is_judged for member in pool.members
        )

    def _subjects_with(self, files: Iterable[str | Path]) -> tuple[Path, ...]:
        paths = {path for file in map(Path, files) for path in (file, *file.parents)}
        return tuple(path for path in self.subjects if path in paths)


def check(request: Request, folder: Path = Path()) -> Report:
    """Judge each file and folder, or all `together`, and the committed templates of environments in a folder.

    Raises UnreadableTemplate with every fault, and DisputedAccount if templates that are checked together state
    different accounts.
    """
    request = request._replace(folders=each_once(request.folders))
    rules = {rule.id: rule for rule in (*(ENVIRONMENT_RULES if request.judged else ()), *RULES)}
    require_known(request.ignored, rules)
    committed = committed_templates(request, folder)
    files = each_once(request.files, (path for _, path in committed))
    # Without cfn-lint, its settings switch no rule off.
    all_rules: dict[str, Any] = {"ignored": (), "ignoring": {}}
    environments = [source.with_settings(**all_rules) for source in environment_sources(request, committed, read_file)]
    others = [source.with_settings(**all_rules) for source in read_all([*files, *request.folders], request.region)]
    pools_, findings = judge(request, environments, others, folder)
    findings += other_findings([*environments, *others])
    for plan in request.judged:
        findings += environment_quota(plan, folder / f"{plan.name}.json")
    kept = request.kept(without_repeats(findings, request.judged, folder))
    return Report(kept, rules, dict.fromkeys((*files, *request.folders), False), pools_)


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


def read_all(paths: Iterable[Path], region: str = ANY) -> list[Source]:
    """Return the source of each file and folder. Raises UnreadableTemplate with every fault."""
    return each(lambda path: (read_folder if path.is_dir() else read_file)(path, region), paths, UnreadableTemplate)


def other_findings(sources: Iterable[Source], linted: Collection[Path] = ()) -> Iterator[Finding]:
    """Yield the findings of the project's other rules that are on, except in files that cfn-lint has checked."""
    stacks = [stack for source in sources for stack in source.stacks if stack.path not in linted]
    findings = _runtime.parallel_map(lambda stack: list(_other_findings(stack)), stacks, MIN_PER_PROCESS)
    return chain.from_iterable(findings)


def _other_findings(stack: Stack) -> Iterator[Finding]:
    for violation in judging.other_violations(stack.variants):
        location = outermost(violation.location)
        if not stack.settings.ignores(violation.rule, location):
            yield finding(stack, violation.rule, location, violation.message)


def _in_one_region(sources: Iterable[Source]) -> list[Stack]:
    """Return all stacks, with all single templates in one Region, so that they count together.

    It is any of the Regions that stacks name, or any at all if a template names none.
    """
    stacks = [(stack, not source.is_folder and stack.has_settings) for source in sources for stack in source.stacks]
    files = [stack for stack, is_file in stacks if is_file]
    rest = [stack for stack, is_file in stacks if not is_file]
    named = {region for stack in (*files, *rest) for region in stack.regions}
    shared = sorted(named) if all(stack.regions for stack in files) else ()
    return [*(stack.in_regions(shared) for stack in files), *rest]


def committed_templates(request: Request, folder: Path) -> list[Committed]:
    """Return the committed templates that exist. Raises UnreadableTemplate if one leads elsewhere."""
    committed = [(plan, folder / f"{plan.name}.json") for plan in request.judged]
    existing = [(plan, path) for plan, path in committed if reading.status(path)]
    if faults := [fault for _, path in existing if (fault := foreign(path))]:
        raise UnreadableTemplate(faults)
    return existing


def environment_sources(
    request: Request, committed: Iterable[Committed], read: Callable[[Path, str], Source]
) -> list[Source]:
    """Return the stacks of the committed templates, each in the account that its environment states.

    Unless all stacks are checked together, the other environments in the account count as reserved elsewhere.
    """
    sources = []
    for plan, path in committed:
        account = {key: getattr(plan.verdict.account, key) for key in DEFAULT_ACCOUNT}
        if not request.together:
            account["reserved_elsewhere"] += plan.reserved_by_neighbours
        source = read(path, plan.environment.region)
        sources.append(source.with_settings(account=account))
    return sources


def judge(
    request: Request, environments: Sequence[Source], others: Sequence[Source], folder: Path
) -> tuple[list[Pool], list[Finding]]:
    """Judge the environments, each in its own account, and the others; or all in the account that they share.

    Return the pools of the others, or of all, and the findings.
    """
    own: list[Pool] = []
    if request.together:
        counted = [*environments, *_counted_once(others)]
        has_gaps, by_others = any(source.gaps for source in counted), _neighbours(request, counted, folder)
        judged = pools.fullest(_in_one_region(counted), request, by_others, has_gaps)
    else:
        counted, options = [*environments, *others], Request(ignored=request.ignored)
        own = [pool for source in environments for pool in pools.fullest(source.stacks, options)]
        judged = [pool for one in others for pool in pools.fullest(one.stacks, request, has_gaps=bool(one.gaps))]
    gaps = dict.fromkeys(gap for source in counted for gap in source.gaps)
    return judged, [*pools.findings([*own, *judged]), *gaps]


def _counted_once(sources: Sequence[Source]) -> list[Source]:
    """Return the sources without the stacks of files that an earlier folder has too, or of FILEs in any folder."""
    in_folders = {path for source in sources if source.is_folder for path in _real_paths(source)}
    in_earlier: set[str] = set()
    kept = []
    for source in sources:
        known = in_earlier if source.is_folder else in_folders
        stacks = tuple(stack for stack in source.stacks if os.path.realpath(stack.path) not in known)
        if source.is_folder:
            in_earlier |= _real_paths(source)
        if stacks or not source.stacks:
            kept.append(source._replace(stacks=stacks))
    return kept


def _real_paths(source: Source) -> set[str]:
    return set(map(os.path.realpath, (*source.templates, *(stack.path for stack in source.stacks))))


def _neighbours(request: Request, counted: Iterable[Source], folder: Path) -> int:
    """Return the reservations of the account's other environments; 0 if an option states what others reserve."""
    if "reserved_elsewhere" in request.account:
        return 0
    files = {stack.path.resolve() for source in counted for stack in source.stacks}
    plans = {plan.environment.name: plan for judged in request.judged for plan in judged.verdict.plans}
    others = [plan for name, plan in plans.items() if (folder / f"{name}.json").resolve() not in files]
    return sum(plan.sizing.total_reserved for plan in others)


def each_once(paths: Iterable[Path], committed: Iterable[Path] = ()) -> list[Path]:
    """Return the paths, each once however it is written, without those that belong to environments."""
    known = {os.path.realpath(path) for path in committed}
    by_real_path = {os.path.realpath(path): path for path in reversed(list(paths))}
    return [path for real_path, path in reversed(by_real_path.items()) if real_path not in known]


def environment_quota(plan: JudgedPlan, path: Path) -> list[Finding]:
    """Return a finding if the account cannot hold the environment together with those that share it."""
    if plan.verdict.fits:
        return []
    from generator import plans

    return [Finding(str(path), 1, "quota", Severity.ERROR, "Resources", "\n".join(plans.refusals([plan])))]


def without_repeats(findings: Iterable[Finding], judged: Sequence[JudgedPlan], folder: Path) -> list[Finding]:
    """Return the findings in order, each once, without those that our own checks report in more detail.

    `template-size` is an error where W9805 warns; `quota` names every environment where E9801 has one sum.
    """
    paths = {plan.name: str(folder / f"{plan.name}.json") for plan in judged}
    repeated = {(path, "W9805") for path in paths.values()}
    repeated |= {(paths[plan.name], SUM_RULE) for plan in judged if not plan.verdict.fits}
    return sorted({finding for finding in findings if (finding.file, finding.rule) not in repeated})
