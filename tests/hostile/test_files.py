"""Files that a command finds by itself are regular files of the project; nothing outside is read or written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import snapshot

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
SECRET = "aws_secret_access_key = 'do-not-show-this'\n"


@pytest.fixture
def outside(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside the project with a credentials file and a copy of the project."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "credentials").write_text(SECRET)
    shutil.copytree(project, folder / "copy")
    return folder


def link(path: str, target: Path | str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)
    Path(path).symlink_to(target)


COMMANDS = [
    ("check", "dev"),
    ("template",),
    ("diff", "dev", "prod"),
    ("simulate", "dev", "--hours", "0.01", "--replications", "2"),
    ("local", "dev"),
    ("adopt", "dev", "KmsKey=1"),
    ("size", "dev"),
]
PATHS = ("templates_out/dev.json", "templates_out/dev.md", "environments/dev.toml", "templates_out", "environments")
READS = {
    "check": PATHS,
    "template": PATHS,
    "diff": ("templates_out/dev.json", "templates_out"),
    "simulate": tuple(path for path in PATHS if path != "templates_out/dev.md"),
    "local": tuple(path for path in PATHS if path != "templates_out/dev.md"),
    "adopt": tuple(path for path in PATHS if path != "templates_out/dev.md"),
    "size": ("environments/dev.toml", "environments"),
}


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        pytest.param(arguments, path, id=f"{arguments[0]} {path}")
        for arguments in COMMANDS
        for path in READS[arguments[0]]
    ],
)
def test_a_link_out_of_the_project_is_refused(
    generator: Run, outside: Path, path: str, arguments: tuple[str, ...]
) -> None:
    is_folder = not Path(path).suffix
    link(path, outside / "copy" / path if is_folder else outside / "credentials")
    before = snapshot(outside)
    result = generator(*arguments)
    assert result.exit_code == 2, result.output
    assert "a link that leads out of the project; replace it by a file of the project" in result.stderr
    assert "do-not-show-this" not in result.output
    assert snapshot(outside) == before


@pytest.mark.parametrize("target", ["/proc/self/environ", "/dev/zero", "/etc/passwd", ".git/config"])
@pytest.mark.parametrize("path", ["templates_out/dev.json", "environments/dev.toml", ".cfnlintrc"])
def test_special_files_are_refused(generator: Run, project: Path, path: str, target: str) -> None:
    if path == ".cfnlintrc" and target == "/dev/zero":
        pytest.skip("not a regular file, so cfn-lint does not read it; the tests' own cache would")
    (project / ".git").mkdir()
    (project / ".git/config").write_text(SECRET)
    link(path, project / target)
    result = generator("check", "dev")
    assert result.exit_code == 2
    assert "do-not-show-this" not in result.output
    if target != "/dev/zero":
        assert "a link that leads out of the project" in result.stderr
    assert (project / ".git/config").read_text() == SECRET


@pytest.mark.parametrize("path", ["templates_out/dev.json", "templates_out/dev.md", "environments/dev.toml"])
@pytest.mark.parametrize("command", ["check", "template"])
def test_a_pipe_is_refused_and_not_waited_for(generator: Run, project: Path, path: str, command: str) -> None:
    Path(path).unlink()
    os.mkfifo(path)
    result = generator(command, "dev")
    assert result.exit_code == 2
    assert f"{path}: not a regular file; replace it by a file of the project" in result.stderr


def test_init_does_not_write_through_a_link(generator: Run, outside: Path) -> None:
    Path("new").mkdir()
    Path("new/environments").symlink_to(outside)
    before = snapshot(outside)
    result = generator("init", "new")
    assert result.exit_code == 2
    assert "new/environments/dev.toml: a link that leads out of the project" in result.stderr
    assert snapshot(outside) == before
    assert os.listdir("new") == ["environments"]


def test_a_link_inside_the_project_is_followed(generator: Run, project: Path) -> None:
    shutil.move("templates_out", "committed")
    Path("templates_out").symlink_to("committed")
    assert generator("template").exit_code == 0
    assert Path("templates_out").is_symlink()


def test_a_path_that_the_user_names_may_be_anywhere(generator: Run, outside: Path) -> None:
    assert generator("template", "--output", str(outside / "new")).exit_code == 0
    assert generator("diff", str(outside / "new/dev.json"), "dev").exit_code == 0


@pytest.mark.parametrize(
    "name", ["--ignore=x.template", "--trust-cfnlintrc.template", "--allow-unproven.template", "-.template"]
)
def test_a_file_that_is_named_like_an_option_is_never_one(generator: Run, name: str) -> None:
    """pre-commit passes the names of changed files as arguments."""
    Path(name).write_text("{}")
    assert generator("check", "templates_out/dev.json", name).exit_code == 2


def test_an_alias_bomb_in_cfnlintrc_is_refused(generator: Run) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    Path(".cfnlintrc").write_text("\n".join([*lines, "ignore_checks: *a8"]))
    result = generator("check", "dev")
    assert result.exit_code == 2
    assert len(result.stderr) < 1000


def test_a_chart_is_not_written_through_a_link_out_of_the_project(generator: Run, outside: Path) -> None:
    Path("chart.svg").symlink_to(outside / "credentials")
    result = generator("size", "dev", "--chart", "chart.svg")
    assert result.exit_code == 2
    assert "chart.svg: a link that leads out of the project" in result.stderr
    assert (outside / "credentials").read_text() == SECRET


def test_a_template_from_a_pipe_is_read_once_and_named_as_given(project: Path) -> None:
    template = json.loads((project / "templates_out/dev.json").read_text())
    template["Resources"]["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"] = 950
    command = [sys.executable, "-m", "generator", "check", "/dev/stdin"]
    done = subprocess.run(command, cwd=project, input=json.dumps(template), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(
        r"^/dev/stdin:\d+: error E9801: In any account and us-east-1, the functions reserve 958 ",
        done.stdout,
        re.MULTILINE,
    )
    assert "generator-check" not in done.stdout


def substituted(text: bytes) -> str:
    """Return a path as a shell writes it for <(...): a pipe that can be read once."""
    reader, writer = os.pipe()
    os.write(writer, text)  # A pipe holds 64 KiB.
    os.close(writer)
    return f"/dev/fd/{reader}"


@pytest.mark.skipif(not os.path.exists("/dev/fd/0"), reason="needs names of open files")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "FILE", "--only", "quota"),
        ("diff", "dev", "FILE"),
        ("diff", "FILE", "./templates_out/dev.json"),
        ("simulate", "dev", "--template", "FILE", "--hours", "0.01", "--replications", "2"),
    ],
    ids=" ".join,
)
def test_a_process_substitution_is_read(generator: Run, project: Path, arguments: tuple[str, ...]) -> None:
    name = substituted((project / "templates_out/dev.json").read_bytes())
    result = generator(*(name if word == "FILE" else word for word in arguments))
    assert result.exit_code == 0, result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/fd/0"), reason="needs names of open files")
def test_an_endless_pipe_is_read_to_the_bound(generator: Run) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout
        result = generator("diff", "dev", f"/dev/fd/{endless.stdout.fileno()}")
        endless.kill()
    assert result.exit_code == 2
    assert "more than 5,000,000 characters" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8_is_one_line_and_its_quota_is_judged(generator: Run, project: Path) -> None:
    name = os.fsdecode(b"x\xff.json")
    shutil.copy("templates_out/dev.json", name)
    result = generator("check", name, "dev")
    assert (result.exit_code, result.stdout) == (2, "")
    fault = "its name is not UTF-8, which cfn-lint cannot handle; rename the file, or check it with --only quota"
    assert result.stderr == f"x\\udcff.json: {fault}\n"
    assert generator("check", name, "--only", "quota").exit_code == 0
