"""Render a template as the exact text that is committed, and replace files atomically."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator._runtime import mark_in_use, remove_abandoned, uninterrupted
from generator.aws import MAX_TEMPLATE_BODY_BYTES
from generator.errors import NO_SPACE, Fault, UnwritableOutput
from generator.template.layout import NARROW, WIDE, WIDTH, Spacing, lay_out, on_one_line

if TYPE_CHECKING:
    from troposphere import Template

TEMPLATE_KEYS = (
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions"),
    *("Transform", "Resources", "Outputs"),
)
"""Sections in the order of the CloudFormation User Guide, "Template anatomy". Other sections come last."""

TEMPORARY = ".generator-tmp-"
"""The prefix of a new file's name until the file is complete."""

LEADING_KEYS = (
    *("Type", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"),
    *("Effect", "Principal", "Action", "Resource", "NotResource", "Condition"),
    *("PolicyName", "Version", "Statement"),
)
"""Keys that come first, in this order. All others are sorted by name."""

_SORT_KEYS = {key: f" {rank:02}" for rank, key in enumerate(LEADING_KEYS)}
"""A space sorts before every letter."""


def render(template: Template, limit_bytes: int = MAX_TEMPLATE_BODY_BYTES) -> str:
    """Return the text of the file, the same bytes on every machine and Python version.

    Parameters, resources and outputs keep the order in which they were added; the keys inside them are sorted. A text
    above the limit, by default that of a deployment without an upload bucket, is laid out without spaces.
    """
    body: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09", **template.to_dict()}
    keys = [*(key for key in TEMPLATE_KEYS if key in body), *(key for key in body if key not in TEMPLATE_KEYS)]
    text = _text(body, keys, WIDE)
    return text if len(text.encode()) <= limit_bytes else _text(body, keys, NARROW)


def _text(body: dict[str, Any], keys: Iterable[str], spacing: Spacing) -> str:
    return "{\n" + ",\n".join(_section(key, body[key], spacing) for key in keys) + "\n}\n"


def write(path: Path, text: str) -> bool:
    """Replace the file atomically and return whether its content changed.

    A reader, or an interruption, finds either the old or the new content. A symbolic link stays a link, a replaced file
    keeps its permissions, and a file with the right content is not touched. The function does not wait for the disk,
    because a file lost in a power failure can be generated again.

    Raises UnwritableOutput if the folder or file cannot be written.
    """
    content = text.encode()
    with uninterrupted():
        return _replace(path, content)


def _replace(path: Path, content: bytes) -> bool:
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(target.parent, TEMPORARY)
        temporary = target.with_name(f"{TEMPORARY}{os.urandom(4).hex()}")
        try:
            with open(temporary, "xb") as file:
                mark_in_use(file.fileno())
                file.write(content)
                file.flush()
                if target.exists():
                    os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
                os.replace(temporary, target)  # Before closing, which ends the mark: another run may clean up.
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = "its folder is a file" if isinstance(error, FileExistsError) else error.strerror
        remedy = "free some space" if error.errno in NO_SPACE else "correct the folder or its permissions"
        fault = Fault(str(path), f"cannot be written ({reason})", remedy)
        raise UnwritableOutput([fault]) from error
    return True


def _section(name: str, section: Any, spacing: Spacing) -> str:
    start = f"{on_one_line(name)}{spacing.colon}"
    if not isinstance(section, dict):
        return start + on_one_line(section)
    entries = {key: _in_order(entry) for key, entry in section.items()}
    lines = [_entry(key, entry, spacing) for key, entry in entries.items()]
    if sum(map(len, lines)) < WIDTH and len(start) + len(line := on_one_line(entries)) < WIDTH:
        return start + line
    return start + "{\n" + ",\n".join(lines) + "\n}"


def _entry(key: str, entry: Any, spacing: Spacing) -> str:
    # Not indented: a template of this size saves more than a kilobyte of spaces.
    start = f"{on_one_line(key)}{spacing.colon}"
    return start + lay_out(entry, spacing, len(start))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=_sort_key)}
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    return value


def _sort_key(key: str) -> str:
    return _SORT_KEYS.get(key, key)
