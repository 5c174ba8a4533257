"""`generator init` writes a whole project or nothing, and every file in it works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import Result

from generator import __version__
from generator import scaffold as new_project
from generator.errors import UnwritableOutput
from tests.conftest import ENVIRONMENTS, git, snapshot
from tests.shell import Shell
from tests.stack.model import TEXTS

Run = Callable[..., Result]

FILES = [
    ".github/workflows/templates.yml",
    ".gitignore",
    "Makefile",
    "README.md",
    "environments/README.md",
    *sorted(["environments/schema.json", *(f"environments/{name}.toml" for name in ENVIRONMENTS)]),
    "requirements.txt",
]


@pytest.fixture
def started(generator: Run, project: Path) -> Path:
    """Return the folder of a project that the command has just created."""
    assert generator("init", "new").exit_code == 0
    return project / "new"


@pytest.fixture
def shell(started: Path) -> Shell:
    return Shell(started.parent / "bin")


def test_init_lists_the_files_and_the_next_commands(generator: Run, project: Path) -> None:
    result = generator("init", "my alerts")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("wrote ")] == [
        f"wrote my alerts/{name}" for name in FILES
    ]
    assert "  cd 'my alerts'\n  generator template " in result.stdout
    assert sorted(snapshot(project / "my alerts")) == sorted(FILES)
    assert (project / "my alerts/environments/schema.json").read_text() == generator("schema").stdout
    assert (project / "my alerts/environments/dev.toml").read_text().startswith("#:schema ./schema.json\n")


def test_the_current_folder_can_become_a_project(
    generator: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    result = generator("init", ".")
    assert (result.exit_code, "cd " in result.stdout) == (0, False)
    assert sorted(snapshot(tmp_path / "empty")) == sorted(FILES)


def test_init_creates_missing_parent_folders(generator: Run, project: Path) -> None:
    assert generator("init", str(project / "a/b/c")).exit_code == 0
    assert sorted(snapshot(project / "a")) == sorted(f"b/c/{name}" for name in FILES)
    assert (project / "a/b/c/Makefile").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, f"=={__version__}"),
        ({"url": "file:///dist/price_alert_stack-1-py3-none-any.whl", "archive_info": {}}, " @ file:///dist/"),
        ({"url": "file:///clone", "dir_info": {"editable": True}}, " @ file:///clone"),
        (
            {"url": "https://example.com/a.git", "vcs_info": {"vcs": "git", "commit_id": "0f8fad5b"}},
            " @ git+https://example.com/a.git@0f8fad5b",
        ),
    ],
    ids=["index", "wheel", "clone", "commit"],
)
def test_the_project_requires_the_generator_that_ran(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch, origin: Any, requirement: str
) -> None:
    installed = SimpleNamespace(read_text=lambda name: origin and json.dumps(origin))
    monkeypatch.setattr(metadata, "distribution", lambda name: installed)
    result = generator("init", "new")
    assert f"\nprice-alert-stack{requirement}" in (project / "new/requirements.txt").read_text()
    assert ("installs the generator from a path" in result.stdout) == (" @ file:" in requirement)
    assert not any(b"@REQUIREMENT@" in content for content in snapshot(project / "new").values())


def test_init_overwrites_nothing(generator: Run, project: Path) -> None:
    folder = project / "mine"
    (folder / "environments").mkdir(parents=True)
    (folder / "environments/prod.toml").write_text("mine")
    (folder / "README.md").symlink_to("nowhere")
    (folder / ".github").write_text("mine")
    before = snapshot(project)
    result = generator("init", "mine")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "mine/.github: is a file, but .github/workflows/templates.yml needs a folder; move it away or choose another "
        "folder",
        "mine/README.md: already exists; move it away or choose another folder",
        "mine/environments/prod.toml: already exists; move it away or choose another folder",
    ]
    assert snapshot(project) == before


def test_other_files_in_the_folder_stay(generator: Run, project: Path) -> None:
    (project / "mine/environments").mkdir(parents=True)
    (project / "mine/environments/qa.toml").write_text("mine")
    assert generator("init", "mine").exit_code == 0
    assert snapshot(project / "mine")["environments/qa.toml"] == b"mine"
    assert sorted(snapshot(project / "mine")) == sorted([*FILES, "environments/qa.toml"])


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_file_in_place_of_the_folder_is_refused(generator: Run, project: Path, folder: str) -> None:
    (project / "file").write_text("mine")
    result = generator("init", folder)
    assert result.exit_code == 2
    assert result.stderr == "file: is a file, not a folder; choose a new folder or one without a project\n"


def test_an_unwritable_folder_is_reported_in_one_line(generator: Run) -> None:
    result = generator("init", "/proc/new")
    assert result.exit_code == 2
    assert re.fullmatch(r"/proc/new: cannot be written \(.*\); correct its permissions or .*\n", result.stderr)


@pytest.mark.parametrize("renames", range(6))
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_an_interrupted_init_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int, error: Any
) -> None:
    """Interrupt between any two files, before or after the rename."""
    (tmp_path / "environments").mkdir()
    before, real, done = sorted(tmp_path.rglob("*")), os.rename, []

    def interrupted(source: Path, target: Path) -> None:
        done.append(target)
        if len(done) == renames:
            real(source, target)
        if len(done) == max(renames, 1):
            raise error
        real(source, target)

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises((KeyboardInterrupt, UnwritableOutput)):
        new_project.write(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_the_commands_work_in_a_new_project(generator: Run, started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(started)
    assert generator("template").exit_code == 0
    assert {name: (started / f"templates_out/{name}.json").read_text() for name in ENVIRONMENTS} == {
        name: TEXTS[name] for name in ENVIRONMENTS
    }
    assert generator("check", "dev").exit_code == 0


@pytest.mark.slow
def test_the_makefile_works_with_an_installed_generator(started: Path, shell: Shell) -> None:
    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return shell.run(["make", "GENERATOR=generator", *arguments], started)

    assert "make template" in make().stdout
    assert make("template").stdout.count(" written") == 3
    assert "written\nTo make this permanent: environments/dev.toml" in (
        make("template", "ENV=dev", "RATE=20000").stdout
    )
    checked = make("check", "ENV=dev")
    assert (checked.returncode, "error drift" in checked.stdout) == (2, True)
    assert make("size", "RATE=20000").stdout.startswith("prod: 20,000 webhooks per hour")
    assert not (started / ".venv").exists()


def test_every_target_in_the_readme_is_in_the_makefile(started: Path) -> None:
    targets = set(re.findall(r"`make (\w+)", (started / "README.md").read_text()))
    assert targets == {"size", "template", "help", "check"}
    assert all(re.search(rf"^{target}:", (started / "Makefile").read_text(), re.M) for target in targets)


WORKFLOW: dict[Any, Any] = yaml.safe_load(new_project.files()[".github/workflows/templates.yml"])
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


@pytest.fixture
def pull_request(started: Path, shell: Shell) -> Callable[[], list[int]]:
    """Return a function that runs every step of the workflow, with gh and pip as stubs, and returns the exit codes."""
    for name, text in {
        "gh": 'test -s comment.md && echo "gh $*" >> ../called && case "$*" in *--jq*) cat ../found;; esac',
        "pip": 'test -s requirements.txt && echo "pip $*" >> ../called',
    }.items():
        shell.add(name, f"#!/bin/sh\n{text}\n")
    env = {"BASE": "origin/main", "GH_TOKEN": "none", "COMMENTS": "all", "COMMENT": "one"}
    env |= {"GITHUB_STEP_SUMMARY": str(started.parent / "summary")}
    (started.parent / "found").write_text("")

    def run() -> list[int]:
        return [
            shell.run(["bash", "-e", "-c", step["run"]], started, env).returncode for step in STEPS if "run" in step
        ]

    return run


@pytest.mark.slow
def test_the_workflow_reviews_a_pull_request(
    started: Path, generator: Run, pull_request: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WORKFLOW["jobs"]["review"]["env"].keys() == {"BASE"}
    assert WORKFLOW["jobs"]["publish"]["env"].keys() == {"GH_TOKEN", "COMMENTS", "COMMENT"}
    monkeypatch.chdir(started)
    git("init", folder=started)
    git("add", "Makefile", folder=started)
    git("commit", "-m", "First", folder=started)
    git("update-ref", "refs/remotes/origin/main", "HEAD", folder=started)
    for name in {*ENVIRONMENTS} - {"prod"}:
        (started / f"environments/{name}.toml").unlink()
    generator("template")
    git("add", ".", folder=started)
    git("commit", "-m", "Second", folder=started)
    assert pull_request() == [0] * 5, "the first template is new, which is no error"
    lines = (started / "diff.md").read_text().splitlines()
    assert "- **Verdict:** a new environment" in lines
    assert lines[-1] == "The review page `templates_out/prod.md` explains every figure."

    (started.parent / "found").write_text("12\n34\n")
    git("update-ref", "refs/remotes/origin/main", "HEAD", folder=started)
    toml = started / "environments/prod.toml"
    toml.write_text(toml.read_text().replace("50000", "20000"))
    generator("template", "prod")
    assert pull_request() == [0] * 5, "a new rate replaces nothing and grants nothing"
    assert "37 → 23" in (started / "diff.md").read_text()
    assert json.loads((started / "check.sarif").read_text())["runs"][0]["results"] == []

    (started / "templates_out/prod.json").write_text(TEXTS["prod"].replace('"lambda:InvokeFunction"', '"lambda:*"'))
    assert [code for code in pull_request() if code] == [1, 1], "drift and wider permissions"
    assert json.loads((started / "check.sarif").read_text())["runs"][0]["results"]

    (started / "templates_out/prod.json").write_text("{")
    assert [code for code in pull_request() if code] == [1, 2], "not a template, as the comment reports"
    assert (started / "diff.md").read_text().startswith("templates_out/prod.json: neither JSON nor YAML ")
    calls = [
        line
        for line in (started.parent / "called").read_text().splitlines()
        if "--method" in line or line.startswith("pip")
    ]
    assert calls[0::2] == ["pip install --requirement requirements.txt"] * 4
    assert calls[1] == "gh api --silent --method POST all --field body=@comment.md"
    assert calls[3::2] == ["gh api --silent --method PATCH one/34 --field body=@comment.md"] * 3


def test_actions_are_pinned_by_commit_and_scripts_contain_no_event_data() -> None:
    text = new_project.files()[".github/workflows/templates.yml"]
    for step in STEPS:
        assert "uses" in step or "${{" not in step["run"]
        assert "run" in step or re.search(rf"{step['uses']} # v\d+\.\d+\.\d+\n", text)
        assert "run" in step or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])


def test_the_job_that_runs_code_of_the_pull_request_can_only_read() -> None:
    review, publish = WORKFLOW["jobs"]["review"], WORKFLOW["jobs"]["publish"]
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW[True] == "pull_request"
    assert review["permissions"] == {"contents": "read"}
    assert "github.token" not in str(review)
    assert review["steps"][0]["with"]["persist-credentials"] is False
    assert publish["permissions"] == {"pull-requests": "write", "security-events": "write"}
    assert not re.search(r"checkout|pip|generator (check|diff prod)", str(publish["steps"]))
    assert "head.repo.full_name == github.repository" in publish["if"]


def test_only_a_comment_of_the_workflow_itself_is_edited(tmp_path: Path) -> None:
    """Run the filter, which is in the language of jq, on comments of other authors if jq is installed."""
    if not shutil.which("jq"):
        pytest.skip("needs jq")
    (script,) = [step["run"] for step in WORKFLOW["jobs"]["publish"]["steps"] if "run" in step]
    (expression,) = re.findall(r"mine='(.*)'", script)
    mark = "<!-- generator diff -->"
    comments = [
        {"id": 1, "user": {"login": "mallory"}, "body": f"{mark}\nNothing changes."},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "of another workflow"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"> {mark}"},
        {"id": 4, "user": {"login": "github-actions[bot]"}, "body": f"{mark}\nours"},
    ]
    found = subprocess.run(["jq", expression], input=json.dumps(comments), capture_output=True, text=True, check=True)
    assert found.stdout == "4\n"
