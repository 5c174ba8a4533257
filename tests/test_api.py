"""The public Python interface works as documented."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import generator as api
from generator import Plan, account_of, compose, judge, load, load_all, refusal, render, size
from generator.errors import GeneratorError, InvalidEnvironment, UnsizableLoad
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT
from tests.stack.model import TEXTS

PAGE = (ROOT / "docs/reference/api.md").read_text()
EXAMPLE = (ROOT / "docs/embed_sizing.py").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_a_file_a_dict_and_a_folder_load_the_same_environment(project: Path) -> None:
    prod = load("environments/prod.toml")
    tables = {"traffic": {"webhooks_per_hour": 50_000}, "operations": {"deletion_protection": True}}
    tables["sms"] = {"monthly_budget_usd": 15_000}
    assert prod == load(Path("environments/prod.toml")) == load({"name": "prod", "region": "us-east-1", **tables})
    assert [one.name for one in load_all()] == list(ENVIRONMENTS)
    assert prod in load_all(project / "environments")


def test_the_rendered_template_is_what_the_command_writes(project: Path) -> None:
    environment = load("environments/prod.toml")
    sizing = size(environment)
    assert (sizing.total_reserved, sizing["ProcessWebhookFunction"].reserved_concurrency) == (37, 20)
    assert account_of(environment).reservable == 900
    assert render(compose(environment, sizing)) == TEXTS["prod"]


def test_judge_and_refusal_explain_a_shortfall() -> None:
    tables = {"name": "a", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}}
    environment = load({**tables, "account": {"concurrency_limit": 130}})
    (verdict,) = judge([Plan(environment, size(environment))])
    assert (verdict.fits, verdict.headroom) == (False, -7)
    assert "7 too many" in refusal(verdict)


def test_all_faults_are_raised_together_with_their_place() -> None:
    with pytest.raises(GeneratorError) as raised:
        load({"name": "A", "region": "us-east-1", "traffic": {"webhooks_per_hour": 1}})
    assert isinstance(raised.value, InvalidEnvironment)
    assert [fault.where for fault in raised.value.faults] == [
        "environment: name",
        "environment: traffic.webhooks_per_hour",
    ]
    with pytest.raises(InvalidEnvironment, match=r"nowhere\.toml: no such environment file"):
        load("nowhere.toml")
    tables = {"name": "a", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}, "stream": {"batch_size": 1}}
    with pytest.raises(UnsizableLoad):
        size(load(tables))


def test_an_unknown_function_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="Nowhere"):
        size(load(FIXTURES / "environments/dev.toml"))["Nowhere"]


def test_every_public_name_exists_and_no_other() -> None:
    for name in api.__all__:
        assert getattr(api, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'sizes'"):
        _ = api.sizes  # type: ignore[attr-defined]
    assert set(api.__all__) <= set(dir(api))


def test_type_checkers_see_every_public_name() -> None:
    """The imports for type checkers match the public names."""
    seen = set(re.findall(r"import \w+ as (\w+)", Path(api.__file__ or "").read_text()))
    assert seen == set(api.__all__)


def test_import_generator_imports_nothing_else(tmp_path: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import generator\n"
        "assert set(sys.modules) - before == {'generator'}, set(sys.modules) - before\n"
        "from generator import load, size\n"
        "assert 'troposphere' not in sys.modules\n"
        "import generator.capacity.sizing\n"
        "assert generator.capacity.sizing.size is size\n"
        "from generator import compose\n"
        "assert 'troposphere' in sys.modules\n"
        "from generator.cli.main import main\n"
    )
    done = run("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_does_not_import_troposphere(tmp_path: Path) -> None:
    code = "import sys; from generator.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    done = run("-c", code + "assert 'troposphere' not in sys.modules", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_shows_the_example_of_one_function_and_its_output(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "docs/size_functions.py"
    assert path.read_text() in BLOCKS
    runpy.run_path(str(path), run_name="__main__")
    assert f"```text\n{capsys.readouterr().out}```" in PAGE


@pytest.mark.slow
def test_the_page_shows_the_example_and_its_output(generator: Callable[..., Result], project: Path) -> None:
    done = run(str(ROOT / "docs/embed_sizing.py"), cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert EXAMPLE in BLOCKS
    assert done.stdout in PAGE
    reserved = [
        body["Properties"]["ReservedConcurrentExecutions"]
        for body in json.loads(Path("orders.json").read_text())["Resources"].values()
        if body["Type"] == "AWS::Lambda::Function"
    ]
    assert reserved == [7, 15]
    account = ("--account-limit", "400", "--reserved-elsewhere")
    assert generator("check", "orders.json", *account, "120").stdout == (
        "orders.json: lint, size and quota are good\n"
        "any account and us-east-1: orders.json 22 reserved of 180 reservable\n"
    )
    assert generator("check", "orders.json", *account, "284").exit_code == 1


def test_the_example_writes_nothing_if_it_does_not_fit(tmp_path: Path) -> None:
    for old, new, reason in (
        ('"concurrency_limit": 400', '"concurrency_limit": 236', "do not fit: 16 can be reserved"),
        ('"eu-west-1"', '"Dublin"', "environment: region:"),
    ):
        (tmp_path / "example.py").write_text(EXAMPLE.replace(old, new))
        done = run("example.py", cwd=tmp_path)
        assert (done.returncode, reason in done.stderr) == (1, True)
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "orders.json").exists()


@pytest.mark.parametrize("block", [block for block in BLOCKS if block != EXAMPLE])
def test_the_other_examples_run(project: Path, block: str) -> None:
    done = run("-c", block, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_lists_every_function() -> None:
    table = set(re.findall(r"`(\w+)\(", "\n".join(re.findall(r"^\| `.*", PAGE, re.M))))
    assert {"load", "load_all", "size", "account_of", "judge", "refusal", "compose", "render"} <= table
    assert table - {"holds"} <= set(api.__all__)
