"""cfn-lint's configuration: .cfnlintrc, a template's Metadata, and above both the settings of a check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.exceptions import CfnLintExitException
from cfnlint.rules import CloudFormationLintRule
from yaml import YAMLError

from generator.checks import rules
from generator.config.project import foreign
from generator.errors import Fault, OversizedTemplate, UnreadableTemplate, UnusableLinter
from generator.template import reading

HARMLESS = {
    *("configure_rules", "debug", "deployment_files", "format", "ignore_bad_template", "ignore_checks"),
    *("ignore_templates", "include_checks", "include_experimental", "info", "mandatory_checks", "merge_configs"),
    *("non_zero_exit_code", "output_file", "parameter_files", "parameters", "regions", "templates"),
}
"""Settings that load neither code nor files here, because `generator check` lints only the files that it is given.

The others are append_rules and custom_rules, which load rules, and override_spec and registry_schemas, which replace
cfn-lint's schemas. An unknown setting of a later release of cfn-lint counts as one of those.
"""

TRUST = "--trust-cfnlintrc"

RuleSettings = Mapping[str, Mapping[str, int]]
"""Settings by rule, as in cfn-lint's --configure-rule."""


class Configuration(ConfigMixIn):  # type: ignore[misc]
    """cfn-lint's configuration, in which single settings of rules take precedence over project and template.

    cfn-lint itself takes all settings from one source: those of a program would disable everything that a template's
    Metadata states.
    """

    def __init__(self, settings: RuleSettings | None = None, **chosen: Any) -> None:
        self._settings = {rule: dict(given) for rule, given in (settings or {}).items() if given}
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

    def loading(self) -> list[str]:
        """Return the settings of .cfnlintrc that load code or files."""
        loading = sorted(name for name, value in self.file_args.items() if name not in HARMLESS and value)
        return [name for name in loading if name != "append_rules" or self.rule_folders]

    @property
    def configure_rules(self) -> dict[str, Any]:
        """Each rule's settings."""
        settings: dict[str, Any] = super().configure_rules
        return settings | {rule: _table(settings.get(rule)) | given for rule, given in self._settings.items()}


class UntrustedTemplate(Configuration):
    """The configuration for a template that nobody vouches for: its Metadata may load neither code nor files."""

    def __init__(self, path: Path, settings: RuleSettings | None = None, **chosen: Any) -> None:
        self._path = path
        super().__init__(settings, **chosen)

    def set_template_args(self, template: Any) -> None:
        """Take the settings of the template's Metadata, or raise UnusableLinter if any of them loads something."""
        super().set_template_args(template)
        if loading := sorted(self.get_template_args().keys() - HARMLESS):
            raise UnusableLinter(refusals(f"{self._path}: Metadata", loading, "the template"))


def refusals(where: str, settings: Iterable[str], owner: str) -> list[Fault]:
    """Return a fault for each setting that loads code or files."""
    remedy = f"remove it, or give {TRUST} if you trust {owner}"
    return [Fault(where, f"{name} loads code or files, which a check does not do", remedy) for name in settings]


def refuse_code() -> None:
    """Raise UnusableLinter if .cfnlintrc, of this folder or of the home folder, loads code or files."""
    with usable():
        loading = Configuration().loading()
    if loading:
        raise UnusableLinter(refusals(".cfnlintrc", loading, "this folder"))


def _table(settings: Any) -> dict[str, Any]:
    """Return a rule's settings; cfn-lint ignores anything but a table."""
    return dict(settings) if isinstance(settings, dict) else {}


@contextmanager
def usable() -> Iterator[None]:
    """Turn errors of the configuration into UnusableLinter."""
    try:
        yield
    except (CfnLintExitException, YAMLError, ValueError) as error:
        raise unusable(str(error)) from error


def unusable(what: str) -> UnusableLinter:
    """Return the error that cfn-lint cannot work, with the reason."""
    return UnusableLinter([Fault("cfn-lint", " ".join(what.split()), "correct .cfnlintrc or AWS_DEFAULT_REGION")])


def try_settings(rule: CloudFormationLintRule, settings: Any) -> None:
    """Configure a rule once before the first template, so that a wrong setting is not blamed on the template."""
    try:
        rule.configure(settings)
    except (ValueError, TypeError) as error:
        raise unusable(f"configure_rules, {rule.id}: {error}") from error
