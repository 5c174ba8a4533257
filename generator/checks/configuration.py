"""cfn-lint's configuration: .cfnlintrc, a template's Metadata, and above both the settings of a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.exceptions import CfnLintExitException
from cfnlint.rules import CloudFormationLintRule
from yaml import YAMLError

from generator.errors import Fault, UnusableLinter

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

    @property
    def configure_rules(self) -> dict[str, Any]:
        """Each rule's settings."""
        stated: dict[str, Any] = super().configure_rules
        return stated | {rule: _table(stated.get(rule)) | given for rule, given in self._settings.items()}


def _table(settings: Any) -> dict[str, Any]:
    """Return a rule's settings; cfn-lint ignores anything but a table."""
    return dict(settings) if isinstance(settings, dict) else {}


def enables(config: ConfigMixIn, rule: CloudFormationLintRule) -> bool:
    """Return whether a rule is enabled."""
    return bool(
        rule.is_enabled(
            config.include_experimental, config.ignore_checks, config.include_checks, config.mandatory_checks
        )
    )


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
