"""Read files of the repository at a revision. No program that the repository configures is run."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from generator.template.reading import MAX_CHARACTERS, unreadable

OPTIONS = (
    *("--no-pager", "--no-replace-objects", "--no-optional-locks"),
    *("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
)
"""Options with which git runs no program of the repository and ignores bare repositories among its files.

Only rev-parse, cat-file, ls-tree and merge-base follow, which use neither filters nor textconv.
Source: gitglossary(7), git-config(1).
"""

SAFE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ADVICE": "0"}
"""Variables that keep a partial clone from fetching missing files with the programs that its configuration names.

They override the configuration. Source: git(1), "Environment variables"."""

INHERITED = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_TEST_ASSUME",
)
"""Prefixes of the variables that git inherits: the places of the repository and of the user's configuration."""

TIMEOUT_S = 60

DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
"""Names of the default branch; the first that exists counts. A workflow's checkout has no origin/HEAD."""


@dataclass(frozen=True, slots=True)
class Base:
    """The commit at which the current branch left another branch."""

    branch: str
    commit: str

    def __str__(self) -> str:
        return f"{self.branch} ({self.commit[:9]})"


def is_revision(where: str, revision: str) -> bool:
    """Return whether the text names a commit."""
    return bool(revision) and _commit(where, revision)[0] is not None


def commit(where: str, revision: str) -> str:
    """Return the id of the commit that a revision names. Raises UnreadableTemplate."""
    commit_id, reason = _commit(where, revision)
    if revision and reason:
        raise unreadable(where, f"git says: {reason}", "see: git status")
    if not revision or commit_id is None:
        raise unreadable(
            where, f'"{revision}" is not a revision of a git repository here', "name a branch, tag or commit"
        )
    return commit_id


def text_at(where: str, commit: str, path: Path) -> str | None:
    """Return a file's text at a commit, by its path from the current folder, or None if it did not exist.

    Raises UnreadableTemplate if it is too long, not text, or missing from the clone.
    """
    blob = f"{commit}:./{path.as_posix()}"
    size_bytes, _ = _git(where, "cat-file", "-s", blob)
    if size_bytes and int(size_bytes) > MAX_CHARACTERS:
        raise unreadable(where, f"{int(size_bytes):,} bytes, more than any template has", "name a template")
    text, _ = _git(where, "cat-file", "blob", blob)
    if text is None and names_at(where, commit, path.as_posix()):
        raise unreadable(where, f"{path} is not in this clone", "fetch it: git fetch --refetch")
    return text


def names_at(where: str, commit: str, path: str) -> list[str]:
    """Return the path of a file, or those in a folder if the path ends in /, at a commit.

    Raises UnreadableTemplate if the clone does not have them.
    """
    names, reason = _git(where, "ls-tree", "--name-only", "-z", commit, "--", path)
    if names is None:
        raise unreadable(where, f"git says: {reason}", "fetch the history: git fetch --unshallow")
    return [Path(name).name for name in names.split("\0") if name]


def base(branch: str | None) -> Base:
    """Return the commit at which the current branch left `branch`, by default the default branch.

    Raises UnreadableTemplate.
    """
    where = branch or "git"
    if branch is None:
        _, reason = _commit(where, "HEAD")
        existing = [name for name in DEFAULT_BRANCHES if not reason and is_revision(where, name)]
        if not existing:
            what = f"git says: {reason}" if reason else "no default branch to compare with"
            raise unreadable("base", what, "name both sides, such as main:prod prod, or a branch with --base")
        branch = existing[0]
    common, _ = _git(where, "merge-base", commit(where, "HEAD"), commit(where, branch))
    if common is None:
        what = f"no common commit with {branch} in this clone"
        raise unreadable("base", what, "fetch the history: git fetch --unshallow")
    if branch == DEFAULT_BRANCHES[0]:
        name, _ = _git(where, "rev-parse", "--abbrev-ref", branch)
        branch = (name or branch).strip()
    return Base(branch, common.split()[0])


def _commit(where: str, revision: str) -> tuple[str | None, str]:
    output, reason = _git(where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return output and output.strip(), reason


def _git(where: str, *arguments: str) -> tuple[str | None, str]:
    """Return the output of git, None if it fails, and the reason that it gives, if any."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    command = ["git", *OPTIONS, *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env=kept | SAFE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        reason = done.stderr.decode("utf-8", "replace").partition("\n")[0].removeprefix("fatal: ")
        return (done.stdout.decode("utf-8"), "") if done.returncode == 0 else (None, reason)
    except UnicodeDecodeError:
        raise unreadable(where, "not UTF-8 text", "name a template") from None
    except subprocess.TimeoutExpired:
        raise unreadable(where, f"git took more than {TIMEOUT_S} s", "name a commit, or compare files") from None
    except OSError:
        raise unreadable(where, "git cannot be run", "install git, or compare files") from None
