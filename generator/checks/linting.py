"""Lint templates with cfn-lint and the rules of this project, with one start of cfn-lint for all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode
from cfnlint.exceptions import CfnLintExitException
from cfnlint.helpers import REGIONS
from cfnlint.match import Match
from cfnlint.rules import CloudFormationLintRule
from cfnlint.rules.errors import RuleError
from cfnlint.runner import Runner, run_template_by_file_path
from yaml import YAMLError

from generator import _runtime
from generator.checks import rules
from generator.checks.findings import Finding, Rule, Severity
from generator.checks.request import Linted, LintJob
from generator.checks.stacks import not_a_template
from generator.config.project import foreign
from generator.errors import Fault, OversizedTemplate, UnreadableTemplate, UnusableLinter
from generator.template import reading

RULES_PAGE = "https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md"

LIMIT_S = 60
"""Time for cfn-lint to check one file. 500 resources take a tenth of that, but deeply nested values take hours."""

TEMPLATE_KEYS = {"AWSTemplateFormatVersion", "Resources", "Transform"}
"""A document without any of them is no template at all."""

HARMLESS = {
    *("configure_rules", "debug", "deployment_files", "format", "ignore_bad_template", "ignore_checks"),
    *("ignore_templates", "include_checks", "include_experimental", "info", "mandatory_checks", "merge_configs"),
    *("non_zero_exit_code", "output_file", "parameter_files", "parameters", "regions", "templates"),
}
"""Settings that load neither code nor files here, because `generator check` lints only the files that it is given.

The others are append_rules and custom_rules, which load rules, and override_spec and registry_schemas, which replace
cfn-lint's schemas. An unknown setting of a later release of cfn-lint counts as one of those.
"""


class Configuration(ConfigMixIn):  # type: ignore[misc]
    """cfn-lint's configuration, in which single settings of rules take precedence over project and template.

    cfn-lint itself takes all settings from one source: those of a program would disable everything that a template's
    Metadata states. The Metadata of an `untrusted` template may load neither code nor files.
    """

    def __init__(
        self, settings: Mapping[str, Mapping[str, int]] | None = None, untrusted: Path | None = None, **chosen: Any
    ) -> None:
        self._settings = {rule: dict(given) for rule, given in (settings or {}).items() if given}
        self._untrusted = untrusted
        super().__init__([], templates=[], **chosen)

    def _read_config(self, config: str) -> dict[str, Any]:
        """Return the settings of a file. Raises UnusableLinter if it leads out of the project or is too large."""
        path = Path(config)
        if not config or not path.is_file():
            return {}
        if path.parent == Path.cwd() and (fault := foreign(path)):
            raise UnusableLinter([fault])
        try:
            reading.parsed(path.name, reading.bounded_text(path))
        except OversizedTemplate as error:
            raise UnusableLinter(error.faults) from None
        except (UnreadableTemplate, OSError, UnicodeDecodeError):
            pass  # cfn-lint reports what it cannot read.
        settings: dict[str, Any] = super()._read_config(config)
        return settings

    @property
    def templates(self) -> list[str]:
        """No file: cfn-lint would search folders for those that .cfnlintrc names."""
        return []

    @property
    def rule_folders(self) -> list[str]:
        """The folders and modules of rules that .cfnlintrc appends, without the rules of this project."""
        appended: list[str] = self.append_rules[1:]
        return [folder for folder in appended if Path(folder).expanduser().resolve() != rules.folder()]

    @property
    def configure_rules(self) -> dict[str, Any]:
        """Each rule's settings. cfn-lint ignores anything but a table."""
        settings: dict[str, Any] = super().configure_rules
        tables = {rule: table if isinstance(table := settings.get(rule), dict) else {} for rule in self._settings}
        return settings | {rule: tables[rule] | given for rule, given in self._settings.items()}

    def set_template_args(self, template: Any) -> None:
        """Take the settings of the template's Metadata. Raises UnusableLinter if any of them may not be used."""
        super().set_template_args(template)
        if self._untrusted and (loading := self.get_template_args().keys() - HARMLESS):
            raise UnusableLinter(_refusals(f"{self._untrusted}: Metadata", loading, "the template"))


def lint(jobs: Sequence[LintJob]) -> Linted:
    """Lint each file.

    A syntax error is a finding, E0000, and so is a crash of cfn-lint, E0002. Raises UnreadableTemplate for files that
    are no templates, and UnusableLinter if cfn-lint cannot work as configured.
    """
    if faults := [fault for job in jobs for fault in _unprintable_name(job.path)]:
        raise UnreadableTemplate(faults)
    if not all(job.is_trusted for job in jobs):
        _refuse_code()
    runner = _start()
    results = _runtime.parallel_map(lambda job: _lint_one(runner, job), jobs)
    findings = [finding for result in results for finding in result.findings]
    if faults := [fault for job in jobs for fault in _foreign_files(job.path, findings)]:
        raise UnreadableTemplate(faults)
    used_rules = {id_: rule for result in results for id_, rule in result.rules.items()}
    return Linted(findings, {rule.id: _rule(rule) for rule in runner.rules.values()} | used_rules)


def _unprintable_name(path: Path) -> Iterator[Fault]:
    """Yield a fault if the file's name is not UTF-8: cfn-lint encodes it in each of its findings."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        what = "its name is not UTF-8, which cfn-lint cannot handle"
        yield Fault(str(path), what, "rename the file, or check it with --only quota")


def _refuse_code() -> None:
    """Raise UnusableLinter if .cfnlintrc, of this folder or of the home folder, loads code or files."""
    with _usable():
        configuration = Configuration()
        loading = {name for name, value in configuration.file_args.items() if name not in HARMLESS and value}
        if not configuration.rule_folders:
            loading.discard("append_rules")
    if loading:
        raise UnusableLinter(_refusals(".cfnlintrc", loading, "this folder"))


def _refusals(where: str, settings: Iterable[str], owner: str) -> list[Fault]:
    remedy = f"remove it, or give --trust-cfnlintrc if you trust {owner}"
    return [Fault(where, f"{name} loads code or files, which a check does not do", remedy) for name in sorted(settings)]


def _start() -> Runner:
    """Load every rule, which takes longer than linting a small template.

    Each rule is configured once before the first template, so that a wrong setting is not blamed on the template.
    """
    with _usable():
        configuration = Configuration()
        runner = Runner(Configuration(append_rules=[str(rules.folder()), *configuration.rule_folders]))
    for id_, settings in configuration.configure_rules.items():
        try:
            if id_ in runner.rules:
                runner.rules[id_].configure(settings)
        except (ValueError, TypeError) as error:
            raise _unusable(f"configure_rules, {id_}: {error}") from error
    return runner


@contextmanager
def _usable() -> Iterator[None]:
    """Turn errors of the configuration into UnusableLinter."""
    try:
        yield
    except (CfnLintExitException, YAMLError, ValueError) as error:
        raise _unusable(str(error)) from error


def _unusable(what: str) -> UnusableLinter:
    return UnusableLinter([Fault("cfn-lint", " ".join(what.split()), "correct .cfnlintrc or AWS_DEFAULT_REGION")])


def _lint_one(runner: Runner, job: LintJob) -> Linted:
    matches = _matches(runner, job)
    return Linted(list(map(_finding, matches)), {match.rule.id: _rule(match.rule) for match in matches})


def _matches(runner: Runner, job: LintJob) -> list[Match]:
    """Return cfn-lint's matches. Its own list of files would read a [ in a file's name as a pattern."""
    regions = {"regions": [job.region]} if job.region else {}
    if job.region and job.region not in REGIONS:
        what = f"cfn-lint does not know the Region {job.region}: correct the environment's, or upgrade cfn-lint"
    else:
        config = Configuration(job.settings, None if job.is_trusted else job.path, **regions)
        try:
            with _runtime.time_limit(LIMIT_S):
                return list(run_template_by_file_path(str(job.path), config, runner.rules, False))
        except CfnLintExitException as error:
            raise _unusable(str(error)) from error
        except UnusableLinter:
            raise
        except _runtime.OutOfTime:
            what = f"cfn-lint did not finish within {LIMIT_S} s, so only the quota is checked; split the template"
        except Exception as error:  # cfn-lint has no type of its own for what it does not expect.
            reason = f"cfn-lint crashed on this file ({type(error).__name__}: {error})"
            what = f"{reason}; in YAML, quote keys such as On, Yes and No"
    return [Match.create(message=what, filename=str(job.path), rule=RuleError())]


def _foreign_files(path: Path, findings: Iterable[Finding]) -> Iterator[Fault]:
    """Yield a fault if a file that cannot be linted is no template at all."""
    if any(finding.file == str(path) and finding.rule in ("E0000", "E1001") for finding in findings):
        content, syntax_errors = decode(str(path))
        if not syntax_errors and not (isinstance(content, dict) and TEMPLATE_KEYS & content.keys()):
            yield not_a_template(path)


def _finding(match: Match) -> Finding:
    path = "/".join(str(part) for part in getattr(match, "path", None) or [])
    severity = Severity(match.rule.severity)
    return Finding(str(match.filename), match.linenumber, match.rule.id, severity, path, match.message)


def _rule(rule: CloudFormationLintRule) -> Rule:
    return Rule(rule.id, rule.shortdesc, rule.source_url or RULES_PAGE)
