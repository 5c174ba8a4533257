"""Read from the kernel which processes a test has started, and where they listen. Source: proc(5) and proc_net(5)."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path

LISTEN = "0A"
"""The state of a socket that takes connections."""


def started_with(text: str) -> list[int]:
    """Return the processes that have the text in their environment, except zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue  # It has ended in the meantime, or belongs to another user.
    return found


def listening(processes: list[int]) -> set[str]:
    """Return the addresses on which any of the processes takes connections."""
    inodes = {inode for process in processes for inode in _sockets(process)}
    return {address for process in processes for address, inode in _listeners(process) if inode in inodes}


def _sockets(process: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _listeners(process: int) -> Iterator[tuple[str, str]]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                yield _address(fields[1].partition(":")[0]), fields[9]


def _address(digits: str) -> str:
    """Four bytes at a time, each in this machine's order."""
    words = (int(digits[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(digits), 8))
    return str(ipaddress.ip_address(b"".join(words)))
