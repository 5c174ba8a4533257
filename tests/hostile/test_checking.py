"""Checking reads templates and settings as data: nothing in the folder or in a template runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

EVIL = "import pathlib; pathlib.Path({marker!r}).write_text('ran')\n"
TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
SHADOWED = (
    "yaml",
    "click",
    "cfnlint",
    "boto3",
    "json",
    "troposphere",
    "pickle",
    "socket",
    "multiprocessing",
    "sitecustomize",
)


@pytest.fixture
def marker(project: Path) -> Path:
    """Return the file that the code of the attacker would write."""
    (project / "evil").mkdir()
    marker = project / "ran"
    (project / "evil/rule.py").write_text(EVIL.format(marker=str(marker)))
    (project / "evil/schema.json").write_text("{}")
    (project / "t.json").write_text(json.dumps(TEMPLATE))
    return marker


@pytest.mark.parametrize("name", [".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml"])
@pytest.mark.parametrize(
    "setting",
    [
        {"append_rules": ["evil"]},
        {"append_rules": ["evil.rule"]},
        {"custom_rules": "/proc/self/environ"},
        {"override_spec": "evil/schema.json"},
        {"registry_schemas": ["evil"]},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_settings_that_load_code_are_refused(
    generator: Callable[..., Result], marker: Path, name: str, setting: dict[str, object]
) -> None:
    Path(name).write_text(json.dumps(setting))
    result = generator("check", "t.json")
    key = next(iter(setting))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f".cfnlintrc: {key} loads code or files, which a check does not do; remove it, or give --trust-cfnlintrc if "
        "you trust this folder\n"
    )
    assert not marker.exists()


def test_settings_of_the_home_folder_are_refused_too(
    generator: Callable[..., Result], marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = marker.parent / "home"
    home.mkdir()
    (home / ".cfnlintrc").write_text(json.dumps({"append_rules": [str(marker.parent / "evil")]}))
    monkeypatch.setenv("HOME", str(home))
    assert generator("check", "t.json").exit_code == 2
    assert not marker.exists()


@pytest.mark.parametrize("setting", [{"append_rules": ["evil"]}, {"custom_rules": "x"}, {"override_spec": "x"}])
def test_settings_in_a_templates_metadata_are_refused(
    generator: Callable[..., Result], marker: Path, setting: dict[str, object]
) -> None:
    metadata = {"cfn-lint": {"config": setting}}
    Path("t.json").write_text(json.dumps({**TEMPLATE, "Metadata": metadata}))
    result = generator("check", "t.json")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"t.json: Metadata: {next(iter(setting))} loads code or files")
    assert not marker.exists()


@pytest.mark.slow
def test_the_option_lets_settings_load_code(generator: Callable[..., Result], marker: Path) -> None:
    Path(".cfnlintrc").write_text(json.dumps({"append_rules": ["evil"]}))
    assert generator("check", "t.json", "--trust-cfnlintrc").exit_code == 0
    assert marker.exists()


def test_harmless_settings_are_honoured(generator: Callable[..., Result], marker: Path) -> None:
    Path("t.json").write_text(json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topik"}}}))
    settings = {
        "ignore_checks": ["E3006"],
        "templates": ["/**/*"],
        "ignore_templates": ["/**/*"],
        "output_file": "written",
    }
    Path(".cfnlintrc").write_text(json.dumps(settings))
    assert generator("check", "t.json").exit_code == 0
    assert not Path("written").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "t.json"),
        ("template", "dev"),
        (
            "simulate",
            "dev",
            "--hours",
            "0.01",
            "--replications",
            "2",
            "--chart",
            "chart.svg",
        ),
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("start", [[f"{sys.prefix}/bin/generator"], [sys.executable, "-P", "-m", "generator"]])
def test_modules_in_the_current_folder_are_never_imported(
    marker: Path, start: list[str], arguments: tuple[str, ...]
) -> None:
    for name in SHADOWED:
        Path(f"{name}.py").write_text(EVIL.format(marker=str(marker)))
    Path("matplotlibrc").write_text("backend: module://evil.rule\ntext.usetex: True\n")
    done = subprocess.run([*start, *arguments], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1), done.stderr
    assert not marker.exists()


@pytest.mark.slow
def test_python_m_drops_the_current_folder_before_it_imports_anything(marker: Path) -> None:
    """Modules that Python itself imports before this program starts are beyond its reach; see SECURITY.md."""
    for name in ("yaml", "click", "cfnlint", "troposphere"):
        Path(f"{name}.py").write_text(EVIL.format(marker=str(marker)))
    command = [sys.executable, "-m", "generator", "check", "t.json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not marker.exists()
