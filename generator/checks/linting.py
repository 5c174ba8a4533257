"""Lint templates with cfn-lint and the rules of this project, with one start of cfn-lint for all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import _runtime
from generator.checks import rules
from generator.checks.findings import Finding, Rule, Severity
from generator.checks.stacks import not_a_template, source_of_template
from generator.errors import Fault, OversizedTemplate, UnreadableTemplate, UnusableLinter
from generator.template import reading

if TYPE_CHECKING:
    from cfnlint.match import Match
    from cfnlint.rules import CloudFormationLintRule
    from cfnlint.runner import Runner

    from generator.checks.configuration import RuleSettings

RULES_PAGE = "https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md"

LIMIT_S = 60
"""Time for cfn-lint to check one file. 500 resources take a tenth of that, but deeply nested values take hours."""

TEMPLATE_KEYS = {"AWSTemplateFormatVersion", "Resources", "Transform"}
"""A document without any of them is no template at all."""


BROKEN_OFF = ("E0000", "E0001", "E0002")
"""cfn-lint's findings after which it may run no other rule: it cannot read or transform the file, or crashes.

E0002 also reports the crash of a single rule; cfn-lint then goes on with the others, so their findings are there.
"""


@dataclass(frozen=True, slots=True)
class LintJob:
    """One file to lint, with what is known of its deployment."""

    path: Path
    settings: RuleSettings = field(default_factory=dict)
    """By rule, settings that take precedence over .cfnlintrc and the template's Metadata."""
    region: str = ""
    """The Region to lint for; empty for cfn-lint's own choice."""
    is_trusted: bool = False
    """Whether .cfnlintrc and the template's Metadata may load rules, which are code, and other files."""


@dataclass(frozen=True, slots=True)
class Linted:
    """cfn-lint's findings, and all its rules by id."""

    findings: list[Finding]
    rules: dict[str, Rule]


def lint(jobs: Sequence[LintJob]) -> Linted:
    """Lint each file.

    A syntax error is a finding, E0000, and so is a crash of cfn-lint, E0002. Raises UnreadableTemplate for files that
    are no templates, and UnusableLinter if cfn-lint cannot work as configured.
    """
    if not jobs:
        return Linted([], {})
    if faults := [fault for job in jobs for fault in _unprintable_name(job.path)]:
        raise UnreadableTemplate(faults)
    from generator.checks.configuration import refuse_code

    if not all(job.is_trusted for job in jobs):
        refuse_code()
    runner = _start()
    results = _runtime.parallel_map(lambda job: _lint_one(runner, job), jobs)
    findings = [finding for result in results for finding in result.findings]
    if faults := [fault for job in jobs for fault in _foreign_files(job.path, findings)]:
        raise UnreadableTemplate(faults)
    used_rules = {id_: rule for result in results for id_, rule in result.rules.items()}
    return Linted(findings, {rule.id: _rule(rule) for rule in runner.rules.values()} | used_rules)


def unreadable(paths: Iterable[Path]) -> list[Fault]:
    """Return a fault for each file that cannot be read as text, or is larger than any template."""
    faults: list[Fault] = []
    for path in paths:
        if fault := source_of_template(path):
            faults.append(fault)
            continue
        try:
            reading.parsed(str(path), reading.bounded_text(path))
        except OversizedTemplate as error:
            faults += error.faults
        except UnreadableTemplate:
            pass  # A syntax error, which cfn-lint reports.
        except FileNotFoundError:
            faults.append(Fault(str(path), "no such file", "correct the path"))
        except IsADirectoryError:
            faults.append(Fault(str(path), "a folder and not a file", "name the templates in it"))
        except UnicodeDecodeError as error:
            faults.append(Fault(str(path), f"not a text in UTF-8 ({error.reason})", "save it as UTF-8"))
        except OSError as error:
            faults.append(Fault(str(path), f"cannot be read ({error.strerror})", "correct its permissions"))
    return faults


def _start() -> Runner:
    """Load every rule, which takes longer than linting a small template."""
    from cfnlint.runner import Runner

    from generator.checks.configuration import Configuration, try_settings, usable

    with usable():
        configuration = Configuration()
        runner = Runner(Configuration(append_rules=[str(rules.folder()), *configuration.rule_folders]))
    for id_, settings in configuration.configure_rules.items():
        if id_ in runner.rules:
            try_settings(runner.rules[id_], settings)
    return runner


def _lint_one(runner: Runner, job: LintJob) -> Linted:
    matches = list(_matches(runner, job))
    return Linted(list(map(_finding, matches)), {match.rule.id: _rule(match.rule) for match in matches})


def _matches(runner: Runner, job: LintJob) -> Iterator[Match]:
    """Yield cfn-lint's matches. Its own list of files would read a [ in a file's name as a pattern."""
    from cfnlint.exceptions import CfnLintExitException
    from cfnlint.helpers import REGIONS
    from cfnlint.match import Match
    from cfnlint.rules.errors import RuleError
    from cfnlint.runner import run_template_by_file_path

    from generator.checks.configuration import Configuration, UntrustedTemplate, unusable

    if job.region and job.region not in REGIONS:
        what = f"cfn-lint does not know the Region {job.region}: correct the environment's, or upgrade cfn-lint"
        yield Match.create(message=what, filename=str(job.path), rule=RuleError())
        return
    chosen: dict[str, Any] = {"regions": [job.region]} if job.region else {}
    if job.is_trusted:
        config = Configuration(job.settings, **chosen)
    else:
        config = UntrustedTemplate(job.path, job.settings, **chosen)
    try:
        with _runtime.time_limit(LIMIT_S):
            matches = list(run_template_by_file_path(str(job.path), config, runner.rules, False))
        yield from matches
    except CfnLintExitException as error:
        raise unusable(str(error)) from error
    except UnusableLinter:
        raise
    except _runtime.OutOfTime:
        what = f"cfn-lint did not finish within {LIMIT_S} s, so only the quota is checked; split the template"
        yield Match.create(message=what, filename=str(job.path), rule=RuleError())
    except Exception as error:  # cfn-lint has no type of its own for what it does not expect.
        what = f"cfn-lint crashed on this file ({type(error).__name__}: {error})"
        remedy = "in YAML, quote keys such as On, Yes and No"
        yield Match.create(message=f"{what}; {remedy}", filename=str(job.path), rule=RuleError())


def _unprintable_name(path: Path) -> Iterator[Fault]:
    """Yield a fault if the file's name is not UTF-8: cfn-lint encodes it in each of its findings."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        what = "its name is not UTF-8, which cfn-lint cannot handle"
        yield Fault(str(path), what, "rename the file, or check it with --only quota")


def _foreign_files(path: Path, findings: Iterable[Finding]) -> Iterator[Fault]:
    """Yield a fault if a file that cannot be linted is no template at all."""
    if not any(finding.file == str(path) and finding.rule in ("E0000", "E1001") for finding in findings):
        return
    from cfnlint.decode import decode

    content, syntax_errors = decode(str(path))
    if not syntax_errors and not (isinstance(content, dict) and TEMPLATE_KEYS & content.keys()):
        yield not_a_template(path)


def _finding(match: Match) -> Finding:
    path = "/".join(str(part) for part in getattr(match, "path", None) or [])
    severity = Severity(match.rule.severity)
    return Finding(str(match.filename), match.linenumber, match.rule.id, severity, path, match.message)


def _rule(rule: CloudFormationLintRule) -> Rule:
    return Rule(rule.id, rule.shortdesc, rule.source_url or RULES_PAGE)
