"""Turns a template into the exact bytes that are committed, and writes them whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.errors import Fault, UnwritableOutput
from generator.layout import lay_out

if TYPE_CHECKING:
    from troposphere import Template

MAX_BODY_BYTES = 51_200
"""What CloudFormation takes directly, without an upload bucket. Source: CloudFormation API reference, CreateStack."""

TEMPLATE_KEYS = ("AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs")
LEADING_KEYS = (
    *("Type", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"),
    *("Effect", "Principal", "Action", "Resource", "NotResource", "Condition"),
    *("PolicyName", "Version", "Statement"),
)
"""Keys that come before others, which are sorted: what a thing is, then what it has."""


def render(template: Template) -> str:
    """The text of the file: a fixed key order, so the same bytes on every machine and Python version."""
    body = {"AWSTemplateFormatVersion": "2010-09-09", **template.to_dict()}
    # Parameters, resources and outputs keep the order in which they were composed; what is in them is ordered.
    return lay_out({key: _in_order(body[key], key) for key in TEMPLATE_KEYS if key in body}) + "\n"


def write(path: Path, text: str) -> bool:
    """Replaces the file in one step: whoever reads it, or interrupts this, finds it old or new.

    Tells whether there was anything to change; a file that is right already is not touched.

    Raises UnwritableOutput if the folder or file cannot be written.
    """
    content = text.encode()
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        fault = Fault(str(path), f"cannot be written ({error.strerror})", "correct the folder or its permissions")
        raise UnwritableOutput([fault]) from error
    return True


def _in_order(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        keys = list(value) if key in TEMPLATE_KEYS else sorted(value, key=_rank)
        return {name: _in_order(value[name]) for name in keys}
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    return value


def _rank(key: str) -> tuple[int, str]:
    return (LEADING_KEYS.index(key) if key in LEADING_KEYS else len(LEADING_KEYS), key)
