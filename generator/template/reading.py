"""Reads a template file, of JSON or of YAML as CloudFormation writes it, into plain values."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

from generator.errors import Fault, UnreadableTemplate


def status(path: Path) -> os.stat_result | None:
    """What is at the path; None if nothing is. Raises UnreadableTemplate where that cannot be told."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise unreadable(
            str(path), f"cannot be read ({error.strerror})", "correct the path or its permissions"
        ) from None


def is_file(path: Path) -> bool:
    """Whether there is such a file. Raises UnreadableTemplate where that cannot be told."""
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def text_of(path: Path, if_missing: str = "correct the path", errors: str = "strict") -> str:
    """The file's text; `errors` is as for `open`. Raises UnreadableTemplate, with what to do if it is missing."""
    try:
        return path.read_text(encoding="utf-8", errors=errors)
    except FileNotFoundError:
        raise unreadable(str(path), "not there", if_missing) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(str(path), f"cannot be read ({error})", "correct the path or the file") from None


def parsed(where: str, text: str) -> Any:
    """The text's value; the short forms of YAML (!Ref, !Sub ...) become the long ones. Raises UnreadableTemplate."""
    try:
        return _written(where, json.loads(text))
    except json.JSONDecodeError as error:
        json_reason = str(error)
    except RecursionError:
        json_reason = "nested too deeply"
    from cfn_flip import load_yaml

    try:
        value = json.loads(json.dumps(load_yaml(text), default=str))
    except Exception as error:  # The YAML reader has no one error of its own: whatever it is, the file is at fault.
        reason = json_reason if text.lstrip().startswith("{") else _yaml_reason(error)
        raise unreadable(where, f"neither JSON nor YAML ({reason})", "correct the file") from None
    return _written(where, value)


def _yaml_reason(error: Exception) -> str:
    """What the YAML reader says, and where, in one line."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem and mark:
        return f"{problem}: line {mark.line + 1} column {mark.column + 1}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _written(where: str, value: Any) -> Any:
    """The value, if it can be written again: infinity is no JSON, and half a character of two halves no text."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise unreadable(
            where, "not text: half of a surrogate pair", "correct the escapes that begin with \\uD"
        ) from None
    except ValueError:
        raise unreadable(where, "a number that is infinite or none", "correct the number") from None
    return value


def template(where: str, value: Any) -> dict[str, Any]:
    """The value, if it has Resources, each with its Type. Raises UnreadableTemplate."""
    resources = value.get("Resources") if isinstance(value, dict) else None
    if not isinstance(resources, dict) or not all(_is_resource(one) for one in resources.values()):
        raise unreadable(where, "not a template: no Resources, each with its Type", "name a CloudFormation template")
    return dict(value)


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and "Type" in value and isinstance(value.get("Properties", {}), dict)


def unreadable(where: str, what: str, remedy: str) -> UnreadableTemplate:
    """The error for one fault."""
    return UnreadableTemplate([Fault(where, what, remedy)])
