"""The generator works when installed from a wheel, and the source distribution is complete."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement

from generator import __version__, _runtime
from tests.conftest import ENVIRONMENTS, ROOT, SCALE
from tests.stack.model import TEXTS

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
EXTRAS = ("charts", "local")
VERSIONS = ["3.11", "3.12", "3.13"] if SCALE > 1 else [f"3.{sys.version_info.minor}"]
"""Releases of Python to try; all with TEST_SCALE=2."""

BUILD = "import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
METADATA = configparser.ConfigParser()
METADATA.read(ROOT / "setup.cfg")
DISTRIBUTIONS = {"cfn_flip": "cfn-flip", "cfnlint": "cfn-lint", "yaml": "pyyaml", "botocore": "boto3"}
"""The distributions of modules with another name. botocore is installed with boto3."""


class Built(NamedTuple):
    """The built distributions."""

    wheel: Path
    sdist: Path
    tools: Path


def build(kind: str, source: Path, tools: Path, folder: Path) -> Path:
    """Build with the backend, as every front end does."""
    folder.mkdir(exist_ok=True)
    env = {**os.environ, "PYTHONPATH": str(tools)}
    command = [sys.executable, "-c", BUILD.format(kind=kind), str(folder)]
    subprocess.run(command, cwd=source, env=env, check=True, capture_output=True)
    (made,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the wheel and the source distribution from a copy of this folder."""
    folder = tmp_path_factory.mktemp("package")
    source, tools = folder / "source", folder / "tools"
    ignored = shutil.ignore_patterns(".venv", ".git", "*.egg-info", "build", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, source, ignore=ignored)
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    subprocess.run([*PIP, "install", "--no-compile", "--target", tools, *requires], check=True, capture_output=True)
    sdist = build("sdist", source, tools, folder / "sdist")
    return Built(build("wheel", source, tools, folder / "wheel"), sdist, tools)


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel except its RECORD."""
    with zipfile.ZipFile(wheel) as file:
        return {info.filename: info.CRC for info in file.infolist() if not info.filename.endswith("/RECORD")}


def python_of(version: str) -> str:
    """Return a Python of that version, or skip the test."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for found in (shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")):
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return str(found)
    pytest.skip(f"needs Python {version}")


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_in_an_empty_environment(built: Built, tmp_path: Path, version: str) -> None:
    """It uses the libraries of this environment, so that nothing is downloaded."""
    subprocess.run([python_of(version), "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install = [*PIP, "--python", str(python), "install", "--no-compile", "--no-index", "--no-deps", str(built.wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    assert (packages / "generator/py.typed").is_file()
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    project = tmp_path / "project"
    for arguments, folder in ((["init", "project"], tmp_path), (["template"], project)):
        subprocess.run([tmp_path / "venv/bin/generator", *arguments], cwd=folder, check=True, capture_output=True)
    for name in ENVIRONMENTS:
        assert (project / f"templates_out/{name}.json").read_text() == TEXTS[name]
    assert (project / ".gitignore").read_text() == ".venv/\n"
    assert f"\nprice-alert-stack @ {built.wheel.as_uri()}\n" in (project / "requirements.txt").read_text()


@pytest.mark.slow
def test_the_wheel_contains_only_the_package(built: Built) -> None:
    info = f"price_alert_stack-{__version__}.dist-info"
    assert {name.split("/")[0] for name in contents(built.wheel)} == {"generator", info}
    metadata = zipfile.ZipFile(built.wheel).read(f"{info}/METADATA").decode()
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nDescription-Content-Type: text/markdown\n" in metadata
    assert metadata.endswith((ROOT / "README.md").read_text())


@pytest.mark.slow
def test_the_source_distribution_is_complete_and_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as file:
        file.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    carried = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    for folder in (".ci", "docs", "environments", "generator", "templates_out", "tests"):
        needed = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert not {name for name in needed if "_cache" not in name and "__pycache__" not in name} - carried
    assert carried >= {"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml", "setup.cfg"}
    assert contents(build("wheel", source, built.tools, tmp_path / "wheel")) == contents(built.wheel)


@pytest.mark.slow
def test_users_of_the_wheel_see_its_types(built: Built, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    zipfile.ZipFile(built.wheel).extractall(packages)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-troposphere.*]\nignore_missing_imports = true\n")
    shutil.copy(ROOT / "docs/embed_sizing.py", tmp_path / "good.py")
    (tmp_path / "bad.py").write_text("from generator import load, sizes\nload(1)\nload({}).traffic.rate\n")
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(tmp_path / "venv/bin/python")]

    def complaints(name: str) -> list[Any]:
        done = subprocess.run([*mypy, name], cwd=tmp_path, capture_output=True, text=True, check=False)
        return re.findall(rf"^{name}:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.M) or [done.stdout]

    assert complaints("good.py") == ["Success: no issues found in 1 source file\n"]
    assert complaints("bad.py") == [("1", "attr-defined"), ("2", "arg-type"), ("3", "attr-defined")]


@pytest.mark.slow
def test_the_makefile_of_a_new_project_installs_the_wheel_in_its_requirements(built: Built, tmp_path: Path) -> None:
    """It installs the built wheel with the libraries of this environment, so that nothing is downloaded."""
    subprocess.run([sys.executable, "-m", "generator", "init", "new"], cwd=tmp_path, check=True, capture_output=True)
    project = tmp_path / "new"
    (project / "requirements.txt").write_text(f"price-alert-stack @ {built.wheel.as_uri()}\n")
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    make = ["make", f"PYTHON={sys.executable}"]
    subprocess.run([*make, ".venv/ready"], cwd=project, env=env, check=True, capture_output=True)
    installed = next((project / ".venv").rglob("generator/scaffold.py"))
    (installed.parents[1] / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    made = subprocess.run([*make, "template"], cwd=project, env=env, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout.count(" written")) == (0, 3), made.stderr
    assert (project / "templates_out/prod.json").read_text() == TEXTS["prod"]


@pytest.mark.slow
def test_every_imported_distribution_is_required() -> None:
    """A distribution that only another one requires may be missing with the next version of that one."""
    required = set(re.findall(r"^([\w-]+)[<>=]", METADATA["options"]["install_requires"].lower(), re.M))
    optional = {"matplotlib", "ministack"}
    for path in (ROOT / "generator").rglob("*.py"):
        if "handlers" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"generator"}:
                assert DISTRIBUTIONS.get(name, name) in required | optional, f"{path} imports {name}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_install_command_installs_the_extra(extra: str) -> None:
    python, *pip, requirement = shlex.split(_runtime.install_command(extra))[:5]
    assert (python, pip) == (sys.executable, ["-m", "pip", "install"])
    assert Requirement(requirement) == Requirement(METADATA["options.extras_require"][extra].strip())


def test_the_install_command_works_where_the_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runtime, "DISTRIBUTION", "not-installed")
    assert _runtime.install_command("charts").endswith(" -m pip install 'not-installed[charts]'")


@pytest.mark.parametrize("extra", EXTRAS)
def test_installing_an_extra_keeps_the_other_requirements_satisfied(extra: str) -> None:
    """pip must resolve the extra's pins together with our other requirements that share them."""
    distribution = Requirement(METADATA["options.extras_require"][extra].strip()).name
    pinned = {name for line in required_by(distribution) for name in re.findall(r"^([\w.-]+)==", line)}
    required = re.findall(r"^([\w-]+)[<>=]", METADATA["options"]["install_requires"], re.M)
    sharing = {name for name in required for line in required_by(name) if re.split(r"[^\w.-]", line)[0] in pinned}
    assert sharing <= set(shlex.split(_runtime.install_command(extra))), pinned
    assert extra != "local" or sharing == {"boto3"}


def required_by(distribution: str) -> list[str]:
    """The requirements of a distribution without its extras."""
    return [line for line in metadata.requires(distribution) or [] if ";" not in line]
