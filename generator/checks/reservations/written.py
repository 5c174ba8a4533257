"""Reads a template's sections as their author wrote them, where cfn-lint has put something else in their place.

cfn-lint's copy of the AWS::LanguageExtensions transform guesses where it cannot know: Fn::FindInMap by a parameter
becomes the value of some key. A guess must not become a finding, so what was written is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cfnlint.helpers import TRANSFORM_LANGUAGE_EXTENSION
from cfnlint.template import Template

from generator.checks.reservations.guards import Path
from generator.checks.reservations.source import Section

UNKNOWN_VALUE = {"Fn::Transform": "unknown"}
"""Stands where no one can say which of two values cfn-lint took; an intrinsic function that nothing here resolves."""


def reader(template: Template) -> Callable[[str], Section]:
    """Reads a section, with every Fn::FindInMap as it was before the transform; empty when it is no table."""
    written = _written(template) if template.has_language_extensions_transform() else {}
    guesses = _guesses(template, written)

    def section(name: str) -> Section:
        content = template.template.get(name)
        if not isinstance(content, dict):
            return {}
        return {
            key: _restored(value, (name, key), written, guesses) if written else value
            for key, value in content.items()
            if isinstance(key, str)
        }

    return section


def _written(template: Template) -> dict[Path, Any]:
    """Each Fn::FindInMap of the template, by its place.

    One in SAM's Globals is merged into functions before it is guessed, where the guess looks like a literal.
    """
    written = {tuple(path[:-2]): {"Fn::FindInMap": path[-1]} for path in template.transform_pre["Fn::FindInMap"]}
    merged = [path[2:] for path in written if path[:2] == ("Globals", "Function")]
    for function in template.get_resources("AWS::Serverless::Function"):
        for path in merged:
            written.setdefault(("Resources", function, "Properties", *path), UNKNOWN_VALUE)
    return written


def _guesses(template: Template, written: Mapping[Path, Any]) -> dict[Path, Any]:
    """What cfn-lint makes of each Fn::FindInMap that is compared: asked once more, where it stands alone."""
    compared = [path for path in written if _is_comparison(path[:-1])]
    if not compared:
        return {}
    sections = {name: template.template.get(name, {}) for name in ("Parameters", "Mappings")}
    alone = {str(index): written[path] for index, path in enumerate(compared)}
    asked = Template(
        template.filename,
        {"Transform": TRANSFORM_LANGUAGE_EXTENSION, **sections, "Metadata": alone},
        template.regions,
    )
    asked.transform()
    return {path: asked.template["Metadata"][str(index)] for index, path in enumerate(compared)}


def _restored(value: Any, path: Path, written: Mapping[Path, Any], guesses: Mapping[Path, Any]) -> Any:
    if path in written:
        return written[path]
    if isinstance(value, dict):
        return {key: _restored(inner, (*path, key), written, guesses) for key, inner in value.items()}
    if isinstance(value, list) and _is_comparison(path):
        return _operands(value, path, written, guesses)
    if isinstance(value, list):
        return [_restored(inner, (*path, index), written, guesses) for index, inner in enumerate(value)]
    return value


def _operands(operands: list[Any], path: Path, written: Mapping[Path, Any], guesses: Mapping[Path, Any]) -> list[Any]:
    """What is compared, told apart by what it became: cfn-lint sorts operands, so where one stands says nothing.

    Two that became the same are the same, whichever is taken for the guess.
    """
    restored = list(operands)
    for place in ((*path, index) for index in range(len(operands))):
        if place in guesses:
            became = [str(operand) for operand in restored]
            restored[became.index(str(guesses[place]))] = written[place]
    return restored


def _is_comparison(path: Path) -> bool:
    """Whether this is the place of what Fn::Equals compares in a condition or a rule."""
    return path[-1:] == ("Fn::Equals",) and path[0] in ("Conditions", "Rules")
