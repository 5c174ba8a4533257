"""What cfn-lint is told: by the project's .cfnlintrc, by a template's Metadata, and above both by a check."""

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
"""By rule, as for cfn-lint's --configure-rule."""


class Configuration(ConfigMixIn):  # type: ignore[misc]
    """cfn-lint's own, with settings of rules that replace one by one what project and template say of them.

    cfn-lint takes the Metadata of a template only while it runs, and one source of settings only: what a program gives
    it would put out of force all that a template says of any rule.
    """

    def __init__(self, settings: RuleSettings | None = None, **chosen: Any) -> None:
        self._settings = {rule: dict(given) for rule, given in (settings or {}).items() if given}
        super().__init__([], templates=[], **chosen)

    @property
    def configure_rules(self) -> dict[str, Any]:
        """By rule, its settings."""
        stated: dict[str, Any] = super().configure_rules
        return stated | {rule: _table(stated.get(rule)) | given for rule, given in self._settings.items()}


def _table(settings: Any) -> dict[str, Any]:
    """Settings of a rule; cfn-lint takes no notice of what is no table."""
    return dict(settings) if isinstance(settings, dict) else {}


def enables(config: ConfigMixIn, rule: CloudFormationLintRule) -> bool:
    """Whether findings of a rule are told."""
    return bool(
        rule.is_enabled(
            config.include_experimental, config.ignore_checks, config.include_checks, config.mandatory_checks
        )
    )


@contextmanager
def usable() -> Iterator[None]:
    """Around what depends on the configuration alone: any other ValueError is not its fault."""
    try:
        yield
    except (CfnLintExitException, YAMLError, ValueError) as error:
        raise unusable(str(error)) from error


def unusable(what: str) -> UnusableLinter:
    """That cfn-lint cannot work, and why."""
    return UnusableLinter([Fault("cfn-lint", " ".join(what.split()), "correct .cfnlintrc or AWS_DEFAULT_REGION")])


def try_settings(rule: CloudFormationLintRule, settings: Any) -> None:
    """Now, for later it would look like the fault of the first template; each run configures all rules anew."""
    try:
        rule.configure(settings)
    except (ValueError, TypeError) as error:
        raise unusable(f"configure_rules, {rule.id}: {error}") from error
