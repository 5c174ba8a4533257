"""The project is found from any folder inside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator.config import files, project

Run = Callable[..., Result]


def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)


def test_commands_work_below_the_project(generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(project / "src/nested", monkeypatch)
    assert generator("size", "prod").exit_code == 0
    result = generator("template", "dev")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "../../templates_out/dev.json")
    assert generator("diff", "prod", "../../templates_out/prod.json").exit_code == 0
    assert not list(Path().iterdir())
    wrong = generator("size", "prod", "--set", "nonsense=1")
    assert wrong.stderr.startswith("--set nonsense: unknown key")


def test_the_closest_project_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(project / "other/src", monkeypatch)
    (project / "other/environments").mkdir()
    (project / "other/environments/qa.toml").write_text("")
    assert files.known() == ["qa"]


def test_the_search_ends_at_the_root_of_a_repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(project / "vendored/src", monkeypatch)
    (project / "vendored/.git").mkdir()
    assert files.known() == []


def test_a_folder_without_environment_files_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/main.tf").write_text("")
    inside(tmp_path / "src", monkeypatch)
    assert project.root() == Path()


def test_a_link_out_of_the_project_is_refused_below_it(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.toml"
    elsewhere.write_text("secret = 1")
    (project / "environments/qa.toml").symlink_to(elsewhere)
    inside(project / "src", monkeypatch)
    result = generator("size", "qa")
    assert (result.exit_code, "a link that leads out of the project" in result.stderr) == (2, True)
