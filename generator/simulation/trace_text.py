"""The lines of a recorded trace: plain or compressed with gzip, in UTF-8 or UTF-16, in bounded memory and time."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

from generator.errors import Fault, UnreadableTrace

Line = tuple[int, str]
"""A line with its number, from 1."""

MAX_LINE = 65_536
"""Characters of a line that is not JSON. A binary file may be a single line."""

MAX_DOCUMENT = 64 * 2**20
"""Characters of a JSON document, which may be a single line and is read as a whole."""

MAX_UNPACKED = 64 * 2**20
"""Characters that any compressed file may unpack to."""

MAX_RATIO = 200
"""The factor by which a larger file may grow when unpacked. Logs and CSV files reach about 20."""

ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"))


def lines(path: Path) -> Generator[Line, None, None]:
    """Yield the lines that are neither empty nor comments; close the iterator to close the file.

    Raises UnreadableTrace.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.peek(2)[:2] == b"\x1f\x8b"
            most = MAX_UNPACKED + MAX_RATIO * path.stat().st_size if is_packed else None
            with gzip.GzipFile(fileobj=file) if is_packed else file as stream:
                encoding = next(name for mark, name in ENCODINGS if stream.peek(2).startswith(mark))
                with io.TextIOWrapper(stream, encoding) as text:
                    yield from _lines(text, most)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise fault(f"it is damaged gzip ({error})", "copy it again, or unpack it first") from error
    except OSError as error:
        raise fault(error.strerror or str(error), "name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise fault("it is not text in UTF-8 or UTF-16", "name a CSV file or a log") from error


def _lines(text: TextIO, most: int | None) -> Iterator[Line]:
    unpacked = 0
    # A limit for each line: a single endless line must not take all memory.
    for number, line in enumerate(iter(partial(text.readline, MAX_LINE + 1), ""), 1):
        limit = MAX_LINE
        if len(line) > limit and line.lstrip().startswith(("{", "[")):
            limit = MAX_DOCUMENT
            line += text.readline(limit + 1 - len(line))
        unpacked += len(line)
        if most is not None and unpacked > most:
            raise fault(f"it unpacks to more than {most:,} characters", "unpack it, and name a shorter part")
        if "\0" in line:
            remedy = "name a CSV file or a log in UTF-8, or in UTF-16 with a byte order mark"
            raise fault(f"line {number} is neither a time nor a count", remedy)
        if len(line) > limit:
            what = f"line {number} has more than {limit:,} characters"
            raise fault(what, "name a CSV file, a log or a shorter JSON export")
        if not line.isspace() and line[0] != "#":
            yield number, line


def fault(what: str, remedy: str) -> UnreadableTrace:
    """Return the error for one fault of a trace. `read_trace` adds the path."""
    return UnreadableTrace([Fault("", what, remedy)])
