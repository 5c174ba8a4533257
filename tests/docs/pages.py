"""The pages of the documentation and what can be run in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

FIRST = (ROOT / "README.md", ROOT / "docs/tutorial.md")
PAGES = (*FIRST, *sorted(set((ROOT / "docs").rglob("*.md")) - set(FIRST)))
"""The pages whose blocks are run: the README and everything in docs/."""

ALL_PAGES = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")
"""The pages whose links and commands in the text are checked."""

RUN = ("generator", "make", "aws", "cfn-lint", "eval")
"""The first words of commands that the tests run or validate."""

NOT_RUN = ("cd", "source", "pip", "git", "cdk", "sam", "terraform", "curl", "python")
"""The first words of commands that need another tool or a state that no test has.

A block of output without a command has the language `text`.
"""


class Transcript(NamedTuple):
    """A command with the output that a page shows below it."""

    command: str
    printed: str


class Edit(NamedTuple):
    """A setting that the text asks for, as in: write `peak_factor = 3` in `environments/prod.toml`."""

    setting: str
    path: str


def name_of(page: Path) -> str:
    """Return the path of a page from the root of the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.S | re.M)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)


def steps(page: Path) -> Iterator[Transcript | Edit]:
    """Yield transcripts and edits in the order of the page."""
    block = r"^```\n(?P<block>\$ .*?)^```$"
    edit = r"\b[Ww]rite\s+`(?P<setting>\w+ = [^`]+)`\s+in\s+`(?P<path>environments/\w+\.toml)`"
    for found in re.finditer(f"{block}|{edit}", page.read_text(), re.S | re.M):
        if found["setting"]:
            yield Edit(found["setting"], found["path"])
            continue
        for part in re.split(r"^\$ ", found["block"], flags=re.M)[1:]:
            yield Transcript(*part.partition("\n")[::2])


def plain(page: Path) -> Iterator[str]:
    """Yield each command in a block without output, with continued lines joined."""
    for language, text in blocks(page):
        if not language and not text.startswith("$ "):
            joined = re.sub(r"\\\n\s*", "", text)
            starts = re.split(rf"^(?=(?:{'|'.join((*RUN, *NOT_RUN))}) )", joined, flags=re.M)
            yield from (start.strip() for start in starts if start.strip())


def inline(page: Path) -> list[str]:
    """Return the commands in the text of a page."""
    found = re.findall(r"`((?:generator|make|aws) [^`|]+)`", prose(page))
    return [" ".join(command.split()) for command in found]
