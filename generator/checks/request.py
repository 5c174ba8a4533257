"""The request for a check, and that for cfn-lint with its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from generator.checks.findings import Finding, Rule

if TYPE_CHECKING:
    from generator.checks.live import LiveFigures
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
