"""Where figures were taken: without it they mean nothing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def processor() -> str:
    """The model of the processor, as the system names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe(packages: Iterable[str]) -> dict[str, str]:
    """Machine, system, Python and versions, in words."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return {
        "Processor": f"{processor()}, {os.cpu_count()} cores",
        "System": f"{system}, Linux {platform.release()}" if sys.platform == "linux" else system,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Packages": ", ".join(f"{name} {metadata.version(name)}" for name in packages),
    }


def load() -> float:
    """How many processes wanted to run in the last minute, on average."""
    return os.getloadavg()[0]
