"""Runs one command and writes what it used; nothing else is in this process.

Linux counts what a process had before `exec` into its peak memory, so a child of the program that measures would never
need less than that program. This one is smaller than any Python that it starts:

python -I -S launcher.py FD TREE COMMAND...

FD is where the figures go: exit code, wall seconds, processor seconds, peak KiB of the largest process, sum of the
peaks of all processes in KiB, number of processes. With TREE=1 the last two are found by looking every few
milliseconds, which takes processor time itself; with TREE=0 they are 0.
"""

from __future__ import annotations

import os
import sys
import time

LOOK_EVERY_S = 0.004


def main() -> None:
    """Starts the command, waits for it, and reports."""
    report, tree, *command = sys.argv[1:]
    os.set_inheritable(int(report), False)
    start_s = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    peaks_kib = _watch(child) if tree == "1" else {}
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - start_s
    used_s = usage.ru_utime + usage.ru_stime
    figures = (os.waitstatus_to_exitcode(status), wall_s, used_s, usage.ru_maxrss, sum(peaks_kib.values()))
    os.write(int(report), " ".join(map(str, (*figures, len(peaks_kib)))).encode())


def _watch(root: int) -> dict[int, int]:
    """The peak memory of each process of the tree in KiB, until its root ends."""
    peaks_kib: dict[int, int] = {}
    while os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        for process in _tree(root):
            peaks_kib[process] = max(_peak_kib(process), peaks_kib.get(process, 0))
        time.sleep(LOOK_EVERY_S)
    return peaks_kib


def _tree(root: int) -> set[int]:
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdigit()}
    found = {root}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parent(process: str) -> int:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _peak_kib(process: int) -> int:
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"VmHWM:")), 0)
    except OSError:
        return 0


if __name__ == "__main__":
    main()
