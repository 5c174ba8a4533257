"""Match texts against patterns with wildcards and references, in a time that does not grow exponentially."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from functools import cache

WILDCARDS = "*?"


class Wildcard(Enum):
    """A part of a pattern that fits more than one text."""

    ANY = auto()
    """Any text, wildcards of other patterns included."""
    PLAIN = auto()
    """Any text without wildcards."""
    CHARACTER = auto()
    """One character of a text, but not a wildcard or a reference that may be longer."""


Tokens = tuple[str | Wildcard, ...]
Alternatives = tuple[Tokens, ...]
"""The texts that a part of a pattern may be."""

ANYTHING: Alternatives = ((Wildcard.ANY,),)

_BY_SIGN: dict[str, Wildcard] = {"*": Wildcard.ANY, "?": Wildcard.CHARACTER}


@cache
def tokens(pattern: str) -> Tokens:
    """Return the literal texts and the wildcards of an IAM pattern."""
    return tuple(_BY_SIGN.get(part, part) for part in re.split(r"([*?])", pattern) if part)


def matches(pattern: Iterable[Alternatives], text: str) -> bool:
    """Return whether one alternative of each part, one after the other, makes up the text."""
    ends = {0}
    for alternatives in pattern:
        ends = {end for one in alternatives for end in _ends(one, text, ends)}
    return len(text) in ends


def _ends(pattern: Tokens, text: str, ends: set[int]) -> set[int]:
    """Return each position up to which the pattern may reach if it begins at one of these positions."""
    for token in pattern:
        if not ends:
            break
        match token:
            case str():
                ends = {end + len(token) for end in ends if text.startswith(token, end)}
            case Wildcard.ANY:
                ends = {*range(min(ends), len(text) + 1)}
            case Wildcard.PLAIN:
                ends = _plain_ends(text, ends)
            case Wildcard.CHARACTER:
                ends = {end + 1 for end in ends if text[end : end + 1] not in ("", "*", "$", "{")}
    return ends


def _plain_ends(text: str, ends: set[int]) -> set[int]:
    reached = set(ends)
    for end in range(min(ends), len(text)):
        if end in reached and text[end] not in WILDCARDS:
            reached.add(end + 1)
    return reached
