"""Template files in, findings out: lint, size, drift and quota. Reads only; mends nothing."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from generator import _runtime, plans
from generator.aws import MAX_TEMPLATE_BODY_BYTES
from generator.capacity.quota import AccountQuota
from generator.checks import linting, together
from generator.checks.findings import Finding, Rule
from generator.checks.linting import Subject
from generator.checks.quota.account import DEFAULT_ACCOUNT
from generator.checks.together import Stack
from generator.errors import UnreadableTemplate
from generator.plans import JudgedPlan
from generator.report.page import generated_files
from generator.template import reading

MAX_DIFF_LINES = 12
"""As much of a drift as is worth reading in a finding; the rest is in `git diff` after regenerating."""

MAX_DIFF_WIDTH = 160
"""As much of a line of it."""

RULES = (
    Rule("drift", "Committed template is what its environment generates", ""),
    Rule(
        "quota",
        "Reserved concurrency of all environments in an account fits it",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    ),
    Rule(
        "size",
        "Template is within the limit of a direct TemplateBody",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html",
    ),
)
"""What is checked here beside cfn-lint's rules and those in generator/rules."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, the rules that found it, and what all stacks in one account reserve, if that was asked."""

    findings: list[Finding]
    rules: dict[str, Rule] = field(default_factory=dict)
    together: str = ""
    files: tuple[Path, ...] = ()
    """Those that were checked and belong to no environment, each once."""
    undecided: tuple[Path, ...] = ()
    """Those of them that passed although they do not tell all that they reserve, or not within the time of a search."""
    unjudged: tuple[Path, ...] = ()
    """Those of them that passed because the rule about the quota is switched off for them."""

    @property
    def passed(self) -> bool:
        """Whether nothing worse than an informational finding is there."""
        return not any(finding.bad for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Request:
    """What to check."""

    judged: Sequence[JudgedPlan]
    files: Sequence[Path] = ()
    """Anyone's templates, beside those of the environments."""
    account: Mapping[str, int] = field(default_factory=dict)
    """What is known of the account that the files go to; the rest is as .cfnlintrc or a file's Metadata says, or
    DEFAULT_ACCOUNT."""
    complete: bool = False
    """Whether these are all the environments that there are."""
    together: bool = False
    """Whether the files and the environments all go into that account."""


def check(request: Request, folder: Path) -> Report:
    """Everything that is wrong with the environments' committed templates, in this folder, and with the files.

    Raises UnreadableTemplate for files that are no templates, UnusableLinter if cfn-lint cannot work as configured,
    DisputedAccount if what is checked together states different accounts.
    """
    committed = [folder / f"{one.name}.json" for one in request.judged]
    present = [(one, path) for one, path in zip(request.judged, committed, strict=True) if reading.status(path)]
    files = _different(request.files, committed)
    if faults := linting.unreadable([*(path for _, path in present), *files]):
        raise UnreadableTemplate(faults)
    others = [Subject(path, {together.RULE: request.account}) for path in files]
    with _runtime.in_background(lambda: _own(request.judged, committed)) as own:
        linted = linting.lint([*(_subject(one, path) for one, path in present), *others])
        findings = [*_without_repeats(linted.findings, request.judged, committed), *own()]
    if request.complete:
        findings += _left_over(folder, request.judged)
    rules = linted.rules | {rule.id: rule for rule in RULES}
    ours = [Subject(path, {together.RULE: _stated(one.verdict.account)}) for one, path in present]
    stacks = together.stacks([*ours, *others]) if request.together else []
    summary = ""
    if stacks:
        account = _account(request, stacks, folder)
        findings += _without_echo(together.shortfall(stacks, account), findings, stacks)
        summary = together.summary(stacks, account)
    report = Report(sorted(findings), rules, summary, tuple(files))
    if not (report.passed and files):
        return report
    found = {stack.path: stack for stack in stacks or together.apart(others)}
    unjudged = tuple(path for path in files if not found[path].is_judged)
    undecided = tuple(path for path in files if not found[path].complete and path not in unjudged)
    return replace(report, undecided=undecided, unjudged=unjudged)


def _different(files: Iterable[Path], committed: Iterable[Path]) -> list[Path]:
    """The files, each once however its path is written, without those that belong to environments."""
    known = {os.path.realpath(path) for path in committed}
    by_place = {os.path.realpath(path): path for path in reversed(list(files))}
    return [path for place, path in reversed(by_place.items()) if place not in known]


def quota(one: JudgedPlan, path: Path) -> list[Finding]:
    """Whether the account holds the environment together with what shares it."""
    if one.verdict.fits:
        return []
    return [Finding(str(path), 1, "quota", "error", "Resources", "\n".join(plans.refusals([one])))]


def drift(one: JudgedPlan, folder: Path) -> list[Finding]:
    """Whether the files are what the environment generates today. An environment over quota generates nothing."""
    if not one.verdict.fits:
        return []
    return [found for name, text in generated_files(one).items() for found in _drift(one.name, folder / name, text)]


def _drift(environment: str, path: Path, generated: str) -> list[Finding]:
    refresh = f"run: generator template {environment}"
    if not reading.is_file(path):
        return [Finding(str(path), 1, "drift", "error", "", f"not there; {refresh}")]
    committed = reading.text_of(path, errors="replace")
    if committed == generated:
        return []
    old, new = committed.splitlines(), generated.splitlines()
    line = next((i for i, (a, b) in enumerate(zip(old, new, strict=False), start=1) if a != b), min(len(old), len(new)))
    difference = list(difflib.unified_diff(old, new, "committed", "generated", n=0, lineterm=""))
    shown = [text[:MAX_DIFF_WIDTH] for text in difference[:MAX_DIFF_LINES]] + (
        ["..."] if len(difference) > MAX_DIFF_LINES else []
    )
    message = f"not what environments/{environment}.toml generates; {refresh}"
    return [Finding(str(path), line, "drift", "error", "", "\n".join([message, *shown]))]


def _left_over(folder: Path, judged: Sequence[JudgedPlan]) -> list[Finding]:
    """Templates that were an environment's, and could still be deployed."""
    return [
        Finding(
            *(str(path), 1, "drift", "error", ""),
            f"there is no environments/{path.stem}.toml that generates it; remove it and {path.stem}.md, or bring the "
            "environment back",
        )
        for path in plans.orphans(folder, [one.name for one in judged])
    ]


def size(path: Path) -> list[Finding]:
    """Whether CloudFormation takes the file directly, as it should take every file that is generated here."""
    found = reading.status(path)
    size_bytes = found.st_size if found else 0
    if size_bytes <= MAX_TEMPLATE_BODY_BYTES:
        return []
    message = f"{size_bytes:,} bytes are more than the {MAX_TEMPLATE_BODY_BYTES:,} that CloudFormation takes directly"
    return [Finding(str(path), 1, "size", "error", "", message)]


def _own(judged: Sequence[JudgedPlan], committed: Sequence[Path]) -> list[Finding]:
    """What this module finds in the environments' files; composing them takes about a tenth as long as cfn-lint."""
    return [
        found
        for one, path in zip(judged, committed, strict=True)
        for found in quota(one, path) + drift(one, path.parent) + size(path)
    ]


def _subject(one: JudgedPlan, path: Path) -> Subject:
    """The committed template, to be linted for the account and the stream that its environment states."""
    environment, verdict = one.plan.environment, one.verdict
    neighbours = sum(plan.sizing.total_reserved for plan in verdict.plans if plan.environment.name != one.name)
    account = _stated(verdict.account)
    account["reserved_elsewhere"] += neighbours
    return Subject(path, {together.RULE: account, "W9803": {"shards": environment.stream.shards}}, environment.region)


def _without_repeats(
    findings: Iterable[Finding], judged: Sequence[JudgedPlan], committed: Sequence[Path]
) -> list[Finding]:
    """Leaves out of cfn-lint's findings what this module says of an environment's file, and says with more to go by.

    `size` is an error where W9805 warns, and `quota` names every environment and the remedy where E9801 has one sum.
    """
    repeated = {(str(path), "W9805") for path in committed}
    repeated |= {
        (str(path), together.RULE) for one, path in zip(judged, committed, strict=True) if not one.verdict.fits
    }
    return [found for found in findings if (found.file, found.rule) not in repeated]


def _without_echo(shortfall: list[Finding], findings: Sequence[Finding], stacks: Sequence[Stack]) -> list[Finding]:
    """Of one stack, the rule itself says the same already."""
    said = {(found.file, found.rule) for found in findings}
    return [found for found in shortfall if len(stacks) > 1 or (found.file, found.rule) not in said]


def _account(request: Request, stacks: Sequence[Stack], folder: Path) -> AccountQuota:
    """The one account of all that is checked together. What its environments share it with comes on top."""
    account = together.shared_account(stacks, request.account)
    if "reserved_elsewhere" in request.account:
        return account
    counted = {stack.path.resolve() for stack in stacks}
    plans = {plan.environment.name: plan for one in request.judged for plan in one.verdict.plans}
    others = [plan for name, plan in plans.items() if (folder / f"{name}.json").resolve() not in counted]
    neighbours = sum(plan.sizing.total_reserved for plan in others)
    return replace(account, reserved_elsewhere=account.reserved_elsewhere + neighbours)


def _stated(account: AccountQuota) -> dict[str, int]:
    return {key: getattr(account, key) for key in DEFAULT_ACCOUNT}
