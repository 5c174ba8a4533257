"""Links in the documentation lead somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.docs.pages import ALL_PAGES, PAGES, name_of, prose

CHECKED = (*ALL_PAGES, ROOT / "CHANGELOG.md", ROOT / "environments/README.md", ROOT / "benchmarks/results/results.md")


def links(page: Path) -> list[str]:
    """Return the targets of the links and pictures of a page, except web addresses."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def _released(target: Path) -> Path:
    """Return the file of the released environments for one in `templates_out/`, where users keep their own."""
    is_users = target.is_relative_to(ROOT / "templates_out")
    return FIXTURES / target.relative_to(ROOT) if is_users else target


@pytest.mark.parametrize("page", CHECKED, ids=name_of)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = _released((page.parent / path).resolve()) if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert {name_of(page) for page in {*ALL_PAGES} - {index} - linked} == set()


def test_every_page_begins_with_one_title() -> None:
    for page in PAGES:
        assert page.read_text().startswith("# "), page
        assert len(re.findall(r"^# ", prose(page), re.M)) == 1, page


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
