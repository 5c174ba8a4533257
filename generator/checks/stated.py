"""Read what .cfnlintrc and a template's Metadata state about the deployment, without cfn-lint.

cfn-lint takes longer to start than the quota takes to check. Only the settings that the quota depends on are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.config.project import foreign
from generator.errors import UnusableLinter
from generator.template import reading
from generator.template.alternatives import Location
from generator.template.intrinsics import listed, mapping, whole_number

NAMES = (".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml")
"""Files of settings. The first one counts, of the home folder and of the current folder."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What is stated about the deployment of a template."""

    account: Mapping[str, int] = field(default_factory=dict)
    """Figures by the keys of DEFAULT_ACCOUNT."""
    regions: tuple[str, ...] = ()
    """The Regions of the deployment; empty for any."""
    parameters: tuple[Mapping[str, Any], ...] = ()
    """Sets of parameters; empty for any."""
    ignored: tuple[str, ...] = ()
    """Rules that are switched off, or how their ids begin."""
    mandatory: tuple[str, ...] = ()
    """Rules that nothing switches off, or how their ids begin."""
    ignoring: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """By resource, the rules that its own Metadata switches off for it."""

    def ignores(self, rule: str, location: Location) -> bool:
        """Return whether a rule is switched off for a place in the template."""
        if rule.startswith(self.mandatory):
            return False
        return rule.startswith(self.ignored) or any(rule in self.ignoring.get(str(one), ()) for one in location[1:2])


def of_project() -> dict[str, Any]:
    """Return the settings of the home folder and, above them, of the current folder.

    Raises UnusableLinter for a file that leads out of the project, and UnreadableTemplate for one that is no settings.
    """
    found: dict[str, Any] = {}
    for folder in (Path.home(), Path()):
        path = next((one for name in NAMES if (one := folder / name).is_file()), None)
        if path is None:
            continue
        if folder == Path() and (fault := foreign(path)):
            raise UnusableLinter([fault])
        found |= mapping(reading.parsed(path.name, reading.text_of(path)))
    return found


def stated(document: Any, project: Mapping[str, Any]) -> Stated:
    """Return what the project's settings and, above them, the template's Metadata state."""
    own = _settings_of(document)
    account: dict[str, int] = {}
    for source in (project, own):
        figures = mapping(mapping(source.get("configure_rules")).get(SUM_RULE))
        account |= {key: number for key in DEFAULT_ACCOUNT if (number := whole_number(figures.get(key))) is not None}
    chosen = {**project, **own}
    resources = mapping(mapping(document).get("Resources"))
    return Stated(
        account=account,
        regions=tuple(_regions(chosen)),
        parameters=tuple(filter(None, map(mapping, listed(chosen.get("parameters"))))),
        ignored=_rules("ignore_checks", project, own),
        mandatory=_rules("mandatory_checks", project, own),
        ignoring={
            name: listed(_settings_of(one).get("ignore_checks"))
            for name, one in resources.items()
            if "Metadata" in mapping(one)
        },
    )


def _settings_of(section: Any) -> Mapping[str, Any]:
    """Return the settings in the Metadata of a template or a resource."""
    return mapping(mapping(mapping(mapping(section).get("Metadata")).get("cfn-lint")).get("config"))


def _rules(key: str, *sources: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the rules, or how their ids begin, in the lists of this name."""
    named = [one for source in sources for one in listed(source.get(key))]
    return tuple(one for one in named if isinstance(one, str) and one)


def _regions(chosen: Mapping[str, Any]) -> Iterator[str]:
    """Yield the Regions of the settings, or the one of the machine."""
    if named := [one for one in listed(chosen.get("regions")) if isinstance(one, str)]:
        yield from named
    elif of_machine := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        yield of_machine
