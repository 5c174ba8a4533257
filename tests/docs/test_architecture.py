"""The pages for maintainers name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.docs.pages import ALL_PAGES, name_of
from tests.test_structure import FLOORS

ARCHITECTURE = (ROOT / "docs/explanation/architecture.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    section = ARCHITECTURE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_every_path_on_the_page_exists(page: Path) -> None:
    """Users change environments/ and templates_out/, so these are looked for in the project of the tests."""
    paths = re.findall(r"`((?:generator|tests|docs|environments|templates_out)/[\w./-]*)`", page.read_text())
    assert [
        path
        for path in paths
        if not (ROOT / path).exists()
        and not (FIXTURES / path).exists()
        and not re.search("NAME|ENV|count_symbols", path)
    ] == []


def test_the_floors_are_those_of_the_imports() -> None:
    floors: dict[str, set[str]] = {}
    for number, names, _ in rows("Packages"):
        floors.setdefault(number, set()).update(re.findall(r"`(\w+)(?:/|\.py)`", names))
    assert [floors[str(number + 1)] for number in range(len(floors))] == [set(names) for names in FLOORS]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("threshold of an alarm", "threshold"),
        ("a price", "usd_per_million"),
        ("usage plan", "rate_per_s="),
        ("E9801", "concurrent executions together"),
        ("51,200 bytes", "51_200"),
        ("drift", '"drift"'),
    ],
)
def test_the_named_file_has_the_answer(question: str, code: str) -> None:
    (answer,) = [row[1] for row in rows("Where would I look?") if question in row[0]]
    (path,) = re.findall(r"`(generator/[\w./]+\.py)`", answer)
    assert code in Path(ROOT / path).read_text()
