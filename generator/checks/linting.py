"""Templates in, cfn-lint's findings out, with the rules of this project and one start of cfn-lint for all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import _runtime
from generator.checks import rules
from generator.checks.findings import Finding, Rule
from generator.errors import Fault, UnreadableTemplate

if TYPE_CHECKING:
    from cfnlint.match import Match
    from cfnlint.rules import CloudFormationLintRule
    from cfnlint.runner import Runner
    from cfnlint.template import Template

    from generator.checks.configuration import RuleSettings

RULES_PAGE = "https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/rules.md"

TEMPLATE_KEYS = {"AWSTemplateFormatVersion", "Resources", "Transform"}
"""An object with none of them is some other file, and not a template with a mistake."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One file to lint, with what is known of where it will be deployed."""

    path: Path
    settings: RuleSettings = field(default_factory=dict)
    """Above what the project's .cfnlintrc, or the template's Metadata, says of the same rules."""
    region: str = ""
    """Empty for what cfn-lint takes by itself."""


@dataclass(frozen=True, slots=True)
class Linted:
    """What cfn-lint found, and all its rules, by id."""

    findings: list[Finding]
    rules: dict[str, Rule]


def lint(subjects: Sequence[Subject]) -> Linted:
    """What cfn-lint finds in each file.

    A file with a syntax error has a finding, E0000, and one at which cfn-lint itself breaks off has E0002. Raises
    UnreadableTemplate for files that are something else than templates, UnusableLinter if cfn-lint cannot work as it
    is configured.
    """
    if not subjects:
        return Linted([], {})
    runner = _start()
    linted = _runtime.parallel_map(lambda subject: _lint_one(runner, subject), subjects)
    findings = [found for one in linted for found in one.findings]
    if faults := [fault for subject in subjects for fault in _strangers(subject.path, findings)]:
        raise UnreadableTemplate(faults)
    found_by = {id_: rule for one in linted for id_, rule in one.rules.items()}
    return Linted(findings, {rule.id: _rule(rule) for rule in runner.rules.values()} | found_by)


def unreadable(paths: Iterable[Path]) -> list[Fault]:
    """What keeps these files from being read as text at all."""
    faults = []
    for path in paths:
        try:
            path.read_text(encoding="utf-8")
        except FileNotFoundError:
            faults.append(Fault(str(path), "no such file", "correct the path"))
        except IsADirectoryError:
            faults.append(Fault(str(path), "a folder and not a file", "name the templates in it"))
        except UnicodeDecodeError as error:
            faults.append(Fault(str(path), f"not a text in UTF-8 ({error.reason})", "give a template in JSON or YAML"))
        except OSError as error:
            faults.append(Fault(str(path), f"cannot be read ({error.strerror})", "correct its permissions"))
    return faults


@dataclass(frozen=True, slots=True)
class Opened:
    """A template as rules get it, and how one of them is set for it."""

    template: Template
    settings: Mapping[str, Any]
    """Those that are stated, without defaults."""
    is_enabled: bool
    ignoring: frozenset[str]
    """Resources whose own Metadata ignores it."""


def opened(subject: Subject, rule: CloudFormationLintRule) -> Opened | None:
    """None where cfn-lint cannot read, transform or configure the template, for which `lint` has a finding."""
    from cfnlint.decode import decode
    from cfnlint.template import Template

    from generator.checks.configuration import Configuration, enables

    config = Configuration(subject.settings)
    content, faults = decode(str(subject.path))
    if faults:
        return None
    try:
        config.set_template_args(content)
        template = Template(str(subject.path), content, config.regions, config.parameters)
        stated = config.configure_rules.get(rule.id, {})
        rule.configure(stated)
        settings = {name: value for name, value in rule.config.items() if name in stated}
        ignoring = frozenset(template.get_directives().get(rule.id, ()))
        return Opened(template, settings, enables(config, rule), ignoring)
    except Exception:
        return None  # at the same place as `lint`, which tells why


def _start() -> Runner:
    """Loads every rule, which takes longer than a small template does."""
    from cfnlint.runner import Runner

    from generator.checks.configuration import Configuration, try_settings, usable

    with usable():
        own = str(rules.folder())
        of_project = Configuration()
        others = [folder for folder in of_project.append_rules[1:] if Path(folder).expanduser().resolve() != Path(own)]
        runner = Runner(Configuration(append_rules=[own, *others]))
    for id_, settings in of_project.configure_rules.items():
        if id_ in runner.rules:
            try_settings(runner.rules[id_], settings)
    return runner


def _lint_one(runner: Runner, subject: Subject) -> Linted:
    """What is found in one file, and the rules that found it."""
    matches = list(_matches(runner, subject))
    return Linted(list(map(_finding, matches)), {match.rule.id: _rule(match.rule) for match in matches})


def _matches(runner: Runner, subject: Subject) -> Iterator[Match]:
    """By its path and not by the runner's list, in which a [ in a file's name would be a pattern."""
    from cfnlint.exceptions import CfnLintExitException
    from cfnlint.helpers import REGIONS
    from cfnlint.match import Match
    from cfnlint.rules.errors import RuleError
    from cfnlint.runner import run_template_by_file_path

    from generator.checks.configuration import Configuration, unusable

    if subject.region and subject.region not in REGIONS:
        what = f"cfn-lint does not know the Region {subject.region}: correct the environment's, or upgrade cfn-lint"
        yield Match.create(message=what, filename=str(subject.path), rule=RuleError())
        return
    chosen: dict[str, Any] = {"regions": [subject.region]} if subject.region else {}
    config = Configuration(subject.settings, **chosen)
    try:
        yield from run_template_by_file_path(str(subject.path), config, runner.rules, False)
    except CfnLintExitException as error:
        raise unusable(str(error)) from error
    except Exception as error:  # of any type: what cfn-lint does not expect of a template has no type of its own
        what = f"cfn-lint breaks off at this file ({type(error).__name__}: {error})"
        remedy = "in YAML, quote keys such as On, Yes and No"
        yield Match.create(message=f"{what}; {remedy}", filename=str(subject.path), rule=RuleError())


def _strangers(path: Path, findings: Iterable[Finding]) -> Iterator[Fault]:
    """A fault where a file that cannot be linted is no template at all. Parses only what is suspect anyway."""
    if not any(found.file == str(path) and found.rule in ("E0000", "E1001") for found in findings):
        return
    from cfnlint.decode import decode

    content, syntax_errors = decode(str(path))
    if not syntax_errors and not (isinstance(content, dict) and TEMPLATE_KEYS & content.keys()):
        what = "not a CloudFormation template: it has no Resources"
        yield Fault(str(path), what, "give a template in JSON or YAML, or leave this file out")


def _finding(match: Match) -> Finding:
    path = "/".join(str(part) for part in getattr(match, "path", None) or [])
    severity: str = match.rule.severity
    return Finding(str(match.filename), match.linenumber, match.rule.id, severity, path, match.message)


def _rule(rule: CloudFormationLintRule) -> Rule:
    return Rule(rule.id, rule.shortdesc, rule.source_url or RULES_PAGE)
