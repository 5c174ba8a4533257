"""`generator rules`, and the hook that runs `generator check` in the repositories of others."""

from __future__ import annotations

import configparser
import re
import shlex

import pytest
import yaml

from generator.checks.rules import folder
from generator.config import project
from tests.checks.test_files import MESSAGE, SUMS, Run
from tests.conftest import ROOT


def test_path_prints_the_folder_alone(generator: Run) -> None:
    assert generator("rules", "--path").stdout == f"{folder()}\n"


def test_rules_are_listed_with_their_settings(generator: Run) -> None:
    assert generator("rules").stdout == (
        "E9801  error    Reserved and provisioned concurrency of all functions fits the account  "
        "(-x: concurrency_limit=1000, unreserved_floor=100, reserved_elsewhere=0)\n"
        "E9802  error    Provisioned concurrency is within the function's reservation\n"
        "W9803  warning  Stream consumer reserves no more than its pollers can use  (-x: shards=0)\n"
        "W9804  warning  Reserved concurrency of 0 stops the function\n"
        "W9805  warning  Template is within the limit of a direct TemplateBody\n"
        "E9806  error    No value is null\n"
        "E9807  error    SQS mapping's maximum concurrency is within the function's reservation\n"
        "W9808  warning  Throttled pollers send no messages to the dead-letter queue\n"
    )


(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def test_the_hook_is_what_pre_commit_asks_for() -> None:
    assert (HOOK["id"], HOOK["language"], HOOK["require_serial"]) == ("generator-check", "python", True)
    assert HOOK["name"]
    assert HOOK["types"] == ["text"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_region")
def test_the_hooks_entry_is_a_console_script_and_runs(generator: Run) -> None:
    script, *arguments = shlex.split(HOOK["entry"])
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert f"{script} = generator.__main__:main" in setup["options.entry_points"]["console_scripts"].splitlines()
    assert generator(*arguments, *SUMS).exit_code == 0
    result = generator(*arguments, "--account-limit", "300", *SUMS)
    assert result.exit_code == 1
    assert MESSAGE.format("") in result.stdout


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("template.yaml", True),
        ("service/template.yml", True),
        ("cloudformation/network.json", True),
        ("infra/cfn/deep/queue.yaml", True),
        ("templates_out/prod.json", True),
        ("stack.template", True),
        ("package.json", False),
        (".github/workflows/ci.yml", False),
        ("templates/page.html", False),
        ("docs/my-template.yaml", False),
    ],
)
def test_the_hook_takes_templates_and_leaves_other_files(path: str, taken: bool) -> None:
    assert bool(re.search(HOOK["files"], path)) is taken


def test_the_hook_takes_what_the_generator_writes() -> None:
    assert re.search(HOOK["files"], f"{project.TEMPLATES}/prod.json")
