"""Read the settings of .cfnlintrc and of a template's Metadata that concern its deployment, without cfn-lint.

cfn-lint takes longer to start than the quota takes to check. Only the settings that the quota depends on are read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.config.project import foreign
from generator.errors import UnusableLinter
from generator.template import reading
from generator.template.alternatives import Location
from generator.template.intrinsics import Json, as_list, as_mapping, whole_number

NAMES = (".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml")
"""Files of settings. The first one counts, of the home folder and of the current folder."""


class LintSettings(NamedTuple):
    """Settings that concern the deployment of a template."""

    account: Mapping[str, int] = {}
    """Figures by the keys of DEFAULT_ACCOUNT."""
    regions: tuple[str, ...] = ()
    """The Regions of the deployment; empty for any."""
    parameters: tuple[Mapping[str, Any], ...] = ()
    """Sets of parameters; empty for any."""
    ignored: tuple[str, ...] = ()
    """Rules that are switched off: their ids, or prefixes of ids."""
    mandatory: tuple[str, ...] = ()
    """Rules that nothing switches off: their ids, or prefixes of ids."""
    ignoring: Mapping[str, Sequence[Any]] = {}
    """By resource, the rules that its own Metadata switches off for it."""

    def ignores(self, rule: str, location: Location) -> bool:
        """Return whether a rule is switched off for a place in the template."""
        if rule.startswith(self.mandatory):
            return False
        return rule.startswith(self.ignored) or any(
            rule in self.ignoring.get(str(logical_id), ()) for logical_id in location[1:2]
        )


def of_project() -> dict[str, Any]:
    """Return the settings of the home folder and, above them, of the current folder.

    Raises UnusableLinter for a file that leads out of the project, and UnreadableTemplate for one without settings.
    """
    settings: dict[str, Any] = {}
    for folder in (Path.home(), Path()):
        path = next((file for name in NAMES if (file := folder / name).is_file()), None)
        if path is None:
            continue
        if folder == Path() and (fault := foreign(path)):
            raise UnusableLinter([fault])
        settings |= as_mapping(reading.parsed(path.name, reading.text_of(path)))
    return settings


def lint_settings(document: Json, project: Mapping[str, Any]) -> LintSettings:
    """Return the project's settings, overridden by those in the template's Metadata."""
    sources = (project, _settings_of(document))
    account: dict[str, int] = {}
    for source in sources:
        figures = as_mapping(as_mapping(source.get("configure_rules")).get(SUM_RULE))
        account |= {key: number for key in DEFAULT_ACCOUNT if (number := whole_number(figures.get(key))) is not None}
    chosen = {**project, **sources[1]}
    of_machine = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return LintSettings(
        account=account,
        regions=_texts("regions", chosen) or ((of_machine,) if of_machine else ()),
        parameters=tuple(filter(None, map(as_mapping, as_list(chosen.get("parameters"))))),
        ignored=_texts("ignore_checks", *sources),
        mandatory=_texts("mandatory_checks", *sources),
        ignoring={
            name: as_list(_settings_of(resource).get("ignore_checks"))
            for name, resource in as_mapping(as_mapping(document).get("Resources")).items()
            if "Metadata" in as_mapping(resource)
        },
    )


def _settings_of(section: Any) -> Mapping[str, Any]:
    for key in ("Metadata", "cfn-lint", "config"):
        section = as_mapping(section).get(key)
    return as_mapping(section)


def _texts(key: str, *sources: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts in the lists of this name, without empty ones."""
    named = [text for source in sources for text in as_list(source.get(key))]
    return tuple(text for text in named if isinstance(text, str) and text)
