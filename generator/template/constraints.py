"""Decide which values a parameter of a template accepts, where its declaration allows a simple check.

Source: AWS CloudFormation User Guide, "CloudFormation template Parameters syntax".
"""

from __future__ import annotations

import re
from functools import lru_cache

from generator.template.intrinsics import literal_text, whole_number
from generator.template.model import Section, is_list, is_stored

GIVEN = "Given"
"""The key of a parameter's only value in a model whose parameters are pinned. That of a list is a text with commas."""

MAX_PATTERN = 200
"""Characters of an AllowedPattern. A longer one counts as matched."""

MAX_BACKTRACKING = 2_000
"""Bound on the ways to match a value against a pattern that may be tried. With more, the value counts as matched."""

_ATOM = r"(?:[\w \-:/@,=<>#%&;!~'\".^$|]|\\[dwsDWS.\-_/:\\+*?]|\[(?:[^\[\]\\]|\\[dws.\-/\]])+\])"
_QUANTIFIER = r"(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})"
_SIMPLE = re.compile(rf"(?:{_ATOM}{_QUANTIFIER}?|\((?:\?:)?|\)\??)*")
"""A pattern with the same meaning in Java and Python, and with no repetition of a group."""


def accepts(parameter: Section, value: str) -> bool:
    """Return whether a parameter may have a value; True if its declaration allows no simple check.

    Its default counts as accepted. CloudFormation refuses a template whose default is not.
    """
    if is_list(parameter) or is_stored(parameter) or value == literal_text(parameter.get("Default")):
        return True
    if parameter.get("Type") == "Number":
        least, most = (_number(literal_text(parameter.get(key))) for key in ("MinValue", "MaxValue"))
        return _is_between(_number(value), least, most)
    if parameter.get("Type") != "String":
        return True
    pattern = parameter.get("AllowedPattern")
    has_length = _is_between(len(value), *(whole_number(parameter.get(key)) for key in ("MinLength", "MaxLength")))
    return has_length and (not isinstance(pattern, str) or _is_match(pattern, value))


def allowed_values(parameter: Section) -> tuple[str, ...] | None:
    """Return the only values that a parameter may have, as texts; None if it may have others.

    They are the value that it is given, its AllowedValues, or the words that its AllowedPattern lists. Values that
    another constraint excludes are left out, unless no value would be left. The AllowedValues of a list are those of
    its items, so a list has others unless it is given.
    """
    if (given := literal_text(parameter.get(GIVEN))) is not None:
        return (given,)
    if is_list(parameter) or is_stored(parameter):
        return None
    allowed = parameter.get("AllowedValues")
    values = allowed if isinstance(allowed, list) else _words(parameter)
    texts = tuple(dict.fromkeys(text for value in values if (text := literal_text(value)) is not None))
    return tuple(text for text in texts if accepts(parameter, text)) or texts or None


def _words(parameter: Section) -> tuple[str, ...]:
    """Return the values that an AllowedPattern lists, such as ^(dev|prod)$, and the default; empty for another one."""
    pattern = parameter.get("AllowedPattern")
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN or parameter.get("Type") != "String":
        return ()
    listed = re.fullmatch(r"\^?\((?:\?:)?([\w-]+(?:\|[\w-]+)*)\)\$?|([\w-]+(?:\|[\w-]+)*)", pattern, re.ASCII)
    default = literal_text(parameter.get("Default"))
    words = (listed[1] or listed[2]).split("|") if listed else []
    return (*words, default) if words and default is not None else tuple(words)


def _is_between(number: float | None, least: float | None, most: float | None) -> bool:
    return number is not None and (least is None or number >= least) and (most is None or number <= most)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _is_match(pattern: str, value: str) -> bool:
    if len(pattern) > MAX_PATTERN:
        return True
    repetitions = len(re.findall(r"[*+?]|\{\d+,", pattern.replace("(?:", "(")))
    alternatives = pattern.count("|") if "(" in pattern else 0
    is_quick = (len(value) + 1) ** min(repetitions, 20) * 2 ** min(alternatives, 20) <= MAX_BACKTRACKING
    if not is_quick or not _SIMPLE.fullmatch(pattern):
        return True
    try:
        return re.fullmatch(pattern, value, re.ASCII) is not None
    except re.error:
        return True
