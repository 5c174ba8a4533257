"""The fixture project of the other tests is up to date with the generator."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator import scaffold
from tests.conftest import ENVIRONMENTS, FIXTURES


def test_the_fixtures_are_these_environments_and_their_files() -> None:
    found = {str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*") if path.is_file()}
    assert found == {
        *(f"environments/{name}.toml" for name in ENVIRONMENTS),
        *(f"templates_out/{name}.{kind}" for name in ENVIRONMENTS for kind in ("json", "md")),
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_new_project_starts_with_the_same_environments(name: str) -> None:
    fixture = (FIXTURES / f"environments/{name}.toml").read_text()
    assert scaffold.files()[f"environments/{name}.toml"] == scaffold.SCHEMA_LINE + fixture


@pytest.mark.parametrize("file", [f"{name}.{kind}" for name in ENVIRONMENTS for kind in ("json", "md")])
def test_the_fixture_is_what_the_environment_generates(generator: Callable[..., Result], file: str) -> None:
    assert generator("template", Path(file).stem, "--output", "now").exit_code == 0
    fixture, now = (FIXTURES / "templates_out" / file).read_text(), Path("now", file).read_text()
    difference = difflib.unified_diff(fixture.splitlines(), now.splitlines(), "fixture", "now", lineterm="")
    assert now == fixture, "\n".join(["run `make fixtures` and review:", *difference])
