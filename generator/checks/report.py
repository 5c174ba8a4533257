"""The request for a check, and the report that it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from generator.checks.findings import NOT_PROVEN, CheckVerdict, Finding, Rule, Severity

if TYPE_CHECKING:
    from generator.checks.live import LiveFigures
    from generator.checks.pools import Pool
    from generator.plans import JudgedPlan


class Request(NamedTuple):
    """The files to check, and the options."""

    judged: Sequence[JudgedPlan] = ()
    files: Sequence[Path] = ()
    """Templates that belong to no environment; - is the standard input."""
    folders: Sequence[Path] = ()
    """CDK assemblies, and folders with templates."""
    account: Mapping[str, int] = {}
    """The account of the files as far as options state it; .cfnlintrc, a file's Metadata or DEFAULT_ACCOUNT state the
    rest."""
    complete: bool = False
    """Whether `judged` holds all environments, so that a template without one is an orphan."""
    together: bool = False
    """Whether the files and the environments are deployed to one account."""
    is_trusted: bool = False
    """Whether .cfnlintrc and the Metadata of templates may load rules, which are code, and other files."""
    ignored: Sequence[str] = ()
    """Rules to leave out: their ids, or prefixes of ids."""
    live: LiveFigures | None = None
    """Reads the account's figures from AWS, in place of those in `account`; None reads nothing."""

    @property
    def region(self) -> str:
        """The Region of templates that name none; empty for any."""
        return (self.live.region or "") if self.live else ""

    def ignores(self, rule: str) -> bool:
        """Return whether findings of a rule are left out."""
        return any(rule.startswith(prefix) for prefix in self.ignored)

    def kept(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings of the rules that are not left out."""
        return [finding for finding in findings if not self.ignores(finding.rule)]


class Report(NamedTuple):
    """The findings and the rules they violate, with what is reserved in each account and Region."""

    findings: list[Finding]
    rules: Mapping[str, Rule] = {}
    subjects: Mapping[Path, bool] = {}
    """The files and folders that belong to no environment, each with whether more than its quota can be checked.

    For Terraform plans, and folders without a template, it cannot.
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


class LintJob(NamedTuple):
    """One file for cfn-lint, with what is known of its deployment."""

    path: Path
    settings: Mapping[str, Mapping[str, int]] = {}
    """By rule, settings that take precedence over .cfnlintrc and the template's Metadata."""
    region: str = ""
    """The Region to lint for; empty for cfn-lint's own choice."""
    is_trusted: bool = False
    """Whether .cfnlintrc and the template's Metadata may load rules, which are code, and other files."""


class Linted(NamedTuple):
    """cfn-lint's findings, and all its rules by id."""

    findings: Sequence[Finding] = ()
    rules: Mapping[str, Rule] = {}
