"""Run one command and report its time and memory: python -I -S launcher.py FD TREE COMMAND...

This is a program of its own because Linux includes the memory from before `exec` in the peak of a process. A command
started from the benchmark itself would never show less memory than the benchmark; this program is smaller than any
Python that it starts.

It writes to the file descriptor FD: exit code, wall seconds, processor seconds, peak KiB of the largest process, and
the most KiB and the most processes that the whole tree had at one time. With TREE=1 it samples the tree every few
milliseconds for the last two, which takes processor time; with TREE=0 they are 0. A page that several processes share
counts once: https://docs.kernel.org/filesystems/proc.html (smaps_rollup, Pss).
"""

from __future__ import annotations

import os
import sys
import time

SAMPLE_EVERY_S = 0.004


def main() -> None:
    """Start the command, wait for it, and report."""
    report, tree, *command = sys.argv[1:]
    os.set_inheritable(int(report), False)
    start_s = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    most_kib, most_processes = _watch(child) if tree == "1" else (0, 0)
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - start_s
    used_s = usage.ru_utime + usage.ru_stime
    figures = (os.waitstatus_to_exitcode(status), wall_s, used_s, usage.ru_maxrss, most_kib, most_processes)
    os.write(int(report), " ".join(map(str, figures)).encode())


def _watch(root: int) -> tuple[int, int]:
    """Return the most memory in KiB and the most processes that the tree had at one time, once its root has ended."""
    most_kib = most_processes = 0
    while os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        shares_kib = [share for process in _tree(root) if (share := _share_kib(process))]
        most_kib, most_processes = max(most_kib, sum(shares_kib)), max(most_processes, len(shares_kib))
        time.sleep(SAMPLE_EVERY_S)
    return most_kib, most_processes


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


def _share_kib(process: int) -> int:
    try:
        with open(f"/proc/{process}/smaps_rollup", "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"Pss:")), 0)
    except OSError:
        return 0


if __name__ == "__main__":
    main()
