"""Comparing with a git revision runs no program that a repository names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import git

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


@pytest.fixture
def marker(project: Path) -> Path:
    """Return the file that the program of the attacker writes; the project is a repository with one commit."""
    program = project / "evil.sh"
    program.write_text(f"#!/bin/sh\necho ran > {project}/ran\nexit 1\n")
    program.chmod(0o755)
    (project / ".gitattributes").write_text("* diff=evil filter=evil\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return project / "ran"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "core.fsmonitor",
            "core.pager",
            "pager.show",
            "pager.cat-file",
            "core.sshCommand",
            "core.editor",
            "core.askPass",
        ),
        *("diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.smudge", "filter.evil.process"),
        *("core.gitProxy", "credential.helper", "core.alternateRefsCommand", "gpg.program", "alias.cat-file"),
    ],
)
def test_programs_of_the_configuration_do_not_run(generator: Run, marker: Path, key: str) -> None:
    git("config", key, f"{marker.parent}/evil.sh")
    for arguments in (["main:dev", "dev"], ["dev"], []):
        result = generator("diff", *arguments)
        assert result.exit_code == 0, result.output
    assert not marker.exists()


def test_hooks_do_not_run(generator: Run, marker: Path) -> None:
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        shutil.copy("evil.sh", f".git/hooks/{hook}")
    assert generator("diff", "main:dev", "dev").exit_code == 0
    assert not marker.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "{here}/origin", "uploadpack": "{here}/evil.sh"},
        {"url": "ext::{here}/evil.sh"},
        {"url": "ssh://localhost/nowhere"},
        {"url": "{here}/evil.sh", "vcs": "ext"},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_a_partial_clone_fetches_nothing(generator: Run, marker: Path, settings: dict[str, str]) -> None:
    here = marker.parent
    git("config", "core.repositoryFormatVersion", "1")
    for protocol in ("file", "ext", "ssh"):
        git("config", f"protocol.{protocol}.allow", "always")
    git("config", "core.sshCommand", f"{here}/evil.sh")
    for name, value in {"promisor": "true", "partialclonefilter": "blob:none", **settings}.items():
        git("config", f"remote.origin.{name}", value.format(here=here))
    git("config", "extensions.partialClone", "origin")
    blob = git("rev-parse", "main:templates_out/dev.json")
    os.remove(f".git/objects/{blob[:2]}/{blob[2:]}")
    result = generator("diff", "main:dev", "dev")
    assert result.exit_code == 2
    assert "main:dev: " in result.stderr
    tree = git("rev-parse", "main:templates_out")
    os.remove(f".git/objects/{tree[:2]}/{tree[2:]}")
    for arguments in (["main:dev", "dev"], ["dev"], []):
        assert generator("diff", *arguments).exit_code == 2, "what is missing from the clone is not a new environment"
    assert not marker.exists()


def test_a_bare_repository_among_the_files_is_not_used(
    generator: Run, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "--bare", ".", "vendored")
    for folder in ("environments", "templates_out"):
        shutil.copytree(folder, f"vendored/{folder}")
    monkeypatch.chdir("vendored")
    git("config", "core.fsmonitor", f"{marker.parent}/evil.sh")
    result = generator("diff", "main:dev", "dev")
    assert result.exit_code == 2
    assert not marker.exists()


@pytest.mark.parametrize(
    "revision", ["--help", "--output=written", "-h", "--upload-pack=evil.sh", "--parseopt", "--", ""]
)
def test_a_revision_is_never_an_option(generator: Run, marker: Path, revision: str) -> None:
    result = generator("diff", "--", f"{revision}:dev", "dev")
    assert result.exit_code == 2
    assert f'"{revision}" is not a revision of a git repository here' in result.stderr
    assert not marker.exists()
    assert not Path("written").exists()


def test_a_replaced_commit_is_compared_as_it_was_made(generator: Run, marker: Path) -> None:
    first = git("rev-parse", "main")
    shutil.copy("templates_out/prod.json", "templates_out/dev.json")
    git("commit", "-q", "-a", "-m", "second")
    git("replace", first, "main")
    shutil.copy("templates_out/prod.json", "templates_out/dev.json")
    assert generator("diff", f"{first}:dev", "dev").exit_code == 1


def test_a_large_file_is_refused_before_it_is_read(generator: Run, marker: Path) -> None:
    Path("large.json").write_text("1" * 5_000_001)
    git("add", "large.json")
    git("commit", "-q", "-m", "large")
    result = generator("diff", "main:large.json", "dev")
    assert result.exit_code == 2
    assert "main:large.json: 5,000,001 bytes, more than any template has; name a template" in result.stderr


def test_a_file_does_not_stand_in_for_a_revision_or_an_environment(generator: Run, marker: Path) -> None:
    """Otherwise a pull request could commit a file called main:dev, or dev, and hide every change from the gate."""
    shutil.copy("templates_out/prod.json", "templates_out/dev.json")
    expected = generator("diff", "main:dev", "dev").stdout
    shutil.copy("templates_out/dev.json", "main:dev")
    assert generator("diff", "main:dev", "dev").stdout == expected
    Path("dev").write_text(git("show", "main:templates_out/dev.json"))
    assert generator("diff", "main:dev", "dev").stdout == expected
    assert generator("check", "dev").exit_code == 1
    assert generator("diff", "main:dev", "./dev").exit_code == 0
