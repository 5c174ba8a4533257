"""Reads a recording line by line into cells, and cells into times and counts; says which line is wrong, and how."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from generator.errors import Fault, UnreadableTrace

MAX_LINE = 1000
"""Characters; nothing that is a time or a count is longer, and a binary file may be one line."""

PIECE = 1 << 16
"""Characters read at once."""

SECONDS_BELOW = 1e11
"""Numbers from here on are no seconds since 1970, which would lie beyond the year 5000."""

UNITS = ((1e17, 1e9), (1e14, 1e6), (SECONDS_BELOW, 1e3))
"""From which number on a time since 1970 is in nano-, micro- or milliseconds, and how many of them are a second: in the
next larger unit it would lie beyond the year 5000."""

Row = tuple[int, list[str]]
"""The number of a line and its cells."""


def rows(path: Path) -> Iterator[Row]:
    """The lines with something in them, without those that start with #. Raises UnreadableTrace."""
    for number, line in enumerate(_lines(path), 1):
        if len(line) > MAX_LINE or "\0" in line:
            raise wrong(path, f"line {number} is not text of a time or a count", "name a CSV file")
        if line and not line.isspace() and line[0] != "#":
            yield number, _cells(path, number, line) if '"' in line else line.split(",")


def time_s(path: Path, number: int, cells: list[str]) -> float:
    """The one cell of a line as a time in seconds. Raises UnreadableTrace."""
    if len(cells) != 1:
        raise wrong(path, f"line {number} has {len(cells)} columns", "write one, or two for a minute and its count")
    try:
        found = float(cells[0])
    except ValueError:
        found = _calendar_time_s(path, number, cells[0])
    if not 0 <= found < math.inf:
        raise wrong(path, f"line {number}: {cells[0].strip()} is not a time", "write seconds, from 0 up, or ISO 8601")
    return next((found / per_s for least, per_s in UNITS if found >= least), found)


def count(path: Path, number: int, cell: str) -> int:
    """A cell as a count, which may be written as 55.0. Raises UnreadableTrace."""
    try:
        found = float(cell)
    except ValueError:
        found = -1.0
    if not (0 <= found < 2**40 and found == int(found)):
        raise wrong(path, f"line {number}: {cell.strip()[:40]!r} is not a count", "write a whole number from 0 up")
    return int(found)


def is_value(cell: str) -> bool:
    """Whether a cell is data rather than a column's name."""
    return bool(cell.strip()) and (cell.strip()[0] in "+-.0123456789" or cell.strip().lower() in ("nan", "inf"))


def wrong(path: Path, what: str, remedy: str) -> UnreadableTrace:
    """The error for one fault of the file."""
    return UnreadableTrace([Fault(str(path), what, remedy)])


def _cells(path: Path, number: int, line: str) -> list[str]:
    """The cells of a line with quotation marks: slower, and no cell goes on in the next line."""
    try:
        (cells,) = csv.reader([line], strict=True)
    except csv.Error as error:
        raise wrong(path, f"line {number} is not CSV ({error})", "correct its quotation marks") from None
    return cells


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, read piece by piece, so that not even a line without end takes all memory."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            rest = ""
            while piece := file.read(PIECE):
                lines = (rest + piece).split("\n")
                rest = lines.pop()
                yield from lines
                if len(rest) > MAX_LINE:
                    break
            if rest:
                yield rest
    except OSError as error:
        raise wrong(path, error.strerror or str(error), "name a CSV file that can be read") from error
    except UnicodeDecodeError as error:
        raise wrong(path, "it is not text", "name a CSV file") from error


def _calendar_time_s(path: Path, number: int, cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        shown = cell.strip()[:40]
        raise wrong(path, f"line {number}: {shown!r} is not a time", "write seconds or ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
