"""Turns a template into the exact bytes that are committed, and writes them whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.errors import Fault, UnwritableOutput
from generator.template.layout import WIDTH, lay_out, on_one_line

if TYPE_CHECKING:
    from troposphere import Template

TEMPLATE_KEYS = (
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions"),
    *("Transform", "Resources", "Outputs"),
)
"""Sections in the order of the CloudFormation User Guide, "Template anatomy"; any other comes after them."""

LEADING_KEYS = (
    *("Type", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"),
    *("Effect", "Principal", "Action", "Resource", "NotResource", "Condition"),
    *("PolicyName", "Version", "Statement"),
)
"""Keys that come before others, which are sorted: what a thing is, then what it has."""

RANKS = {key: rank for rank, key in enumerate(LEADING_KEYS)}


def render(template: Template) -> str:
    """The text of the file: a fixed key order, so the same bytes on every machine and Python version."""
    return render_body(template.to_dict())


def render_body(body: Mapping[str, Any]) -> str:
    """The text of the file from what `Template.to_dict()` is.

    Parameters, resources and outputs keep the order in which they were composed; what is in them is ordered.
    """
    body = {"AWSTemplateFormatVersion": "2010-09-09", **body}
    keys = [*(key for key in TEMPLATE_KEYS if key in body), *(key for key in body if key not in TEMPLATE_KEYS)]
    sections = (f" {on_one_line(key)}: {_section(key, body[key])}" for key in keys)
    return "{\n" + ",\n".join(sections) + "\n}\n"


def write(path: Path, text: str) -> bool:
    """Replaces the file in one step: whoever reads it, or interrupts this, finds it old or new. A link stays one.

    Tells whether there was anything to change; a file that is right already is not touched, and one that is replaced
    keeps its permissions. Nothing waits for the disk: what a power failure takes can be generated again.

    Raises UnwritableOutput if the folder or file cannot be written.
    """
    content = text.encode()
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                if target.exists():
                    os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = "a file is where its folder should be" if isinstance(error, FileExistsError) else error.strerror
        fault = Fault(str(path), f"cannot be written ({reason})", "correct the folder or its permissions")
        raise UnwritableOutput([fault]) from error
    return True


def _section(key: str, section: Any) -> str:
    if not isinstance(section, dict):
        return on_one_line(section)
    entries = {name: on_one_line(entry) for name, entry in section.items()}
    if len(key) + sum(len(name) + len(line) for name, line in entries.items()) < WIDTH:
        return lay_out({name: _in_order(entry) for name, entry in section.items()}, 1, len(f' "{key}": '))
    return "{\n" + ",\n".join(_entry(name, line) for name, line in entries.items()) + "\n }"


@lru_cache(maxsize=4096)
def _entry(name: str, line: str) -> str:
    """Remembered, because the templates of several environments are equal in most of their resources."""
    key = f"  {on_one_line(name)}: "
    return key + lay_out(_in_order(json.loads(line)), 2, len(key))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=_rank)}
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    return value


def _rank(key: str) -> tuple[int, str]:
    return RANKS.get(key, len(RANKS)), key
