"""Recognize the output of `terraform show -json`, and write the addresses in it as logical ids."""

from __future__ import annotations

from pathlib import Path

from generator.template import reading

MAX_CHARACTERS = 200_000_000
"""The plan of ten thousand resources has about 100 million."""

MAX_VALUES = 10_000_000
"""Commas and brackets of a plan: twice those of ten thousand resources. Each may stand for a list of 64 bytes."""

SHOW = "run: terraform plan -out=plan, then terraform show -json plan > plan.json"
"""The remedy for another file of Terraform."""

_TO_ID, _TO_ADDRESS = str.maketrans("./", "\ue000\ue001"), str.maketrans("\ue000\ue001", "./")
"""Stand-ins for the two characters of an address that have a meaning in a logical id.

They begin an attribute and a nested stack.
"""


def text_at(path: Path) -> str | None:
    """Return the text of a file that looks like the output of `terraform show -json`; None for any other file.

    An unreadable file also gives None; the reader of templates reports it. Raises UnreadableTemplate for the log of
    `terraform plan -json`.
    """
    try:
        text = reading.bounded_text(path, most=MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError):
        return None
    if text.startswith('{"@level"'):
        raise reading.unreadable(str(path), "the log of terraform plan -json, not a plan", SHOW)
    return text if looks_like_plan(text) else None


def looks_like_plan(text: str) -> bool:
    """Return whether a text looks like the output of `terraform show -json`, with or without a byte order mark."""
    start = text[:100].lstrip("\ufeff\ufffd \t\r\n")
    return start.startswith("{") and all(key in text for key in ('"format_version"', '"terraform_version"'))


def as_written(text: str) -> str:
    """Return a text in which logical ids are addresses again, as Terraform writes them."""
    return text.translate(_TO_ADDRESS)


def logical_id(address: str) -> str:
    """Return the logical id of a resource."""
    return address.translate(_TO_ID)
