"""The rules in the hands of a user: plain cfn-lint with -a and the folder, on templates written by hand."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cfnlint.runner.cli
import pytest
from cfnlint.rules import Rules

from generator.checks.rules import folder
from tests.checks.rules.rule_runner import TEMPLATES, requested

CFN_LINT = Path(sys.executable).with_name("cfn-lint")

SUM = (
    "The functions reserve 205 concurrent executions together, 5 more than the 200 that can be reserved (limit 300 - "
    "unreserved floor 100 - reserved elsewhere 0){}: ProcessWebhookFunction 100, CheckAlertsFunction 50, "
    "SendNotificationFunction 50, CleanupHistoryFunction 5" + requested(305)
)
PROVISIONED = (
    "Worker has 25 provisioned concurrent executions, 5 more than the 20 that it reserves{}: {}; reserve 25 or "
    "provision less"
)
STREAM = (
    "Counter reserves 50 concurrent executions, {0} more than the {1} that its pollers can ever use (shards x "
    "parallelization factor){2}: {3}; reserve {1}"
)
QUEUE = (
    "FromOrders has a maximum concurrency of 20, 10 more than the 10 that Worker reserves, when IsProd is false; "
    "Lambda refuses that: lower it to 10 or reserve 20"
)
THROTTLED = (
    "Orders moves a message to its dead-letter queue after 1 receive, and throttles count: the pollers of Worker start "
    "with 5 concurrent executions, 3 more than the 2 that it reserves; reserve 5, or write a maxReceiveCount of 5 or "
    "more"
)
SCALED = (
    "The functions reserve or provision 205 concurrent executions together, 5 more than the 200 that can be reserved "
    "(limit 300 - unreserved floor 100 - reserved elsewhere 0): Scaling 205" + requested(305)
)
ZERO = "Worker reserves 0 concurrent executions and never runs{}; leave the property out to share the account's pool"

EXPECTED = {
    "loops.yaml": [("E9801", 35, SUM.format(", when Environment is prod"))],
    "provisioned.json": [("E9802", 42, PROVISIONED.format("", "Live 15, OldVersion 10"))],
    "provisioned.sam.yaml": [("E9802", 13, PROVISIONED.format("", "Worker 25"))],
    "provisioned.yaml": [("E9802", 36, PROVISIONED.format(", when IsProd is true", "Live 25"))],
    "queue.sam.yaml": [("W9808", 11, THROTTLED)],
    "queue.yaml": [("E9807", 32, QUEUE)],
    "scaling.json": [("E9801", 46, SCALED)],
    "stream.json": [("W9803", 26, STREAM.format(44, 6, "", "CounterSource 6"))],
    "stream.sam.yaml": [("W9803", 14, STREAM.format(10, 40, "", "Counter.Click 40"))],
    "stream.yaml": [("W9803", 27, STREAM.format(45, 5, ", when Shards is 5", "CounterSource 5"))],
    "sum.json": [("E9801", 33, SUM.format(""))],
    "sum.sam.yaml": [("E9801", 9, SUM.format(""))],
    "sum.yaml": [
        ("E9801", 34, SUM.format(", when IsProd is true and Environment is prod and WebhookUnits is 100")),
    ],
    "zero.json": [("W9804", 22, ZERO.format(""))],
    "zero.sam.yaml": [("W9804", 5, ZERO.format(""))],
    "zero.yaml": [("W9804", 25, ZERO.format(", when IsPaused is true"))],
}
"""Rule, line and message for each file: all that cfn-lint finds, its own rules included."""


Lint = Callable[..., tuple[int, Any]]

loaded = functools.cache(Rules.create_from_directory)
"""Loading cfn-lint's rules takes longer than a small template."""


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lint:
    """Run cfn-lint in this process. Return its exit code and what it found."""
    monkeypatch.setattr(Rules, "create_from_directory", loaded)

    def run(*arguments: object) -> tuple[int, Any]:
        command = ["cfn-lint", "-a", str(folder()), "--format", "json", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            cfnlint.runner.cli.main()
        printed = capsys.readouterr()
        assert printed.err == ""
        return int(end.value.code or 0), json.loads(printed.out or "[]")

    return run


@pytest.mark.slow
def test_every_template_has_just_the_finding_it_was_written_for(lint: Lint) -> None:
    files = sorted(TEMPLATES.iterdir())
    _, findings = lint("-x", "E9801:concurrency_limit=300", "--", *files)
    found = defaultdict(list)
    for finding in findings:
        place = (finding["Rule"]["Id"], finding["Location"]["Start"]["LineNumber"], finding["Message"])
        found[Path(finding["Filename"]).name].append(place)
    assert found == EXPECTED
    assert sorted(EXPECTED) == [file.name for file in files]


@pytest.mark.slow
def test_plain_as_in_the_documentation() -> None:
    """The template comes first: -a and -x take everything that follows them."""
    path = TEMPLATES / "sum.json"
    command = [str(CFN_LINT), str(path), "-a", str(folder()), "-x", "E9801:concurrency_limit=300"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout) == (2, f"E9801 {SUM.format('')}\n{path}:33:5\n\n")


@pytest.mark.slow
def test_what_fits_the_configured_account_passes(lint: Lint) -> None:
    """The reservations of 205 fit exactly: 395 - 95 - 95."""
    configuration = ("E9801:concurrency_limit=395", "E9801:unreserved_floor=95", "E9801:reserved_elsewhere=95")
    assert lint("-x", *configuration, "--", TEMPLATES / "sum.json") == (0, [])


@pytest.mark.slow
def test_a_configuration_file_works_too(lint: Lint, tmp_path: Path) -> None:
    configuration = tmp_path / "cfnlintrc"
    configuration.write_text("configure_rules:\n  E9801:\n    concurrency_limit: 300\n    reserved_elsewhere: 10\n")
    code, [finding] = lint("--config-file", configuration, "--", TEMPLATES / "sum.json")
    assert code == 2
    assert "15 more than the 190" in finding["Message"]


@pytest.mark.slow
def test_cfn_lint_need_not_be_installed_beside_this_package() -> None:
    """Without `site`, an editable installation is not found; what else this package needs may not be imported."""
    start = (
        f"import sys; sys.path.append({str(Path(cfnlint.__file__).parents[1])!r})\n"
        "import importlib.util; assert importlib.util.find_spec('generator') is None\n"
        "sys.modules.update(dict.fromkeys(['troposphere', 'awacs', 'click', 'cfn_flip']))\n"
        "from cfnlint.runner.cli import main; main()"
    )
    files = sorted(path for path in TEMPLATES.glob("*.yaml") if "sam" not in path.name)
    arguments = ["-a", str(folder()), "--format", "json", "-x", "E9801:concurrency_limit=300", "--", *map(str, files)]
    command = [sys.executable, "-I", "-S", "-c", start, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.stderr == ""
    assert sorted(finding["Rule"]["Id"] for finding in json.loads(run.stdout)) == sorted(
        rule for file in files for rule, *_ in EXPECTED[file.name]
    )


@pytest.mark.slow
def test_given_parameters_replace_defaults(lint: Lint, tmp_path: Path) -> None:
    content = {
        "Parameters": {"Units": {"Type": "Number", "Default": 5}},
        "Resources": json.loads((TEMPLATES / "sum.json").read_text())["Resources"],
    }
    properties = content["Resources"]["CleanupHistoryFunction"]["Properties"]
    properties["ReservedConcurrentExecutions"] = {"Ref": "Units"}
    path = tmp_path / "template.json"
    path.write_text(json.dumps(content))
    limit = ("-x", "E9801:concurrency_limit=305")
    assert lint(*limit, "--", path) == (0, [])
    code, [finding] = lint(*limit, "--parameters", "Units=6", "--template", path)
    assert code == 2
    assert "206 concurrent executions" in finding["Message"]
    assert "when Units is 6" in finding["Message"]


@pytest.mark.slow
def test_a_resource_can_opt_out_of_a_warning(lint: Lint, tmp_path: Path) -> None:
    content = json.loads((TEMPLATES / "zero.json").read_text())
    content["Resources"]["Worker"]["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["W9804"]}}}
    path = tmp_path / "template.json"
    path.write_text(json.dumps(content))
    assert lint("--", path) == (0, [])


@pytest.mark.slow
def test_a_large_file_points_at_its_beginning(lint: Lint, tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text((TEMPLATES / "sum.json").read_text() + "\n" * 60_000)
    _, [finding] = lint("--", path)
    assert finding["Rule"]["Id"] == "W9805"
    assert finding["Location"]["Start"] == {"LineNumber": 1, "ColumnNumber": 1}


@pytest.mark.slow
def test_rules_leave_room_for_custom_ones(lint: Lint, tmp_path: Path) -> None:
    """cfn-lint numbers the lines of a custom rules file from 9001, and refuses two rules of one id."""
    custom = tmp_path / "custom.txt"
    custom.write_text("AWS::Lambda::Function Runtime EQUALS python3.13 ERROR\n" * 40)
    assert lint("-z", custom, "-x", "E9801:concurrency_limit=305", "--", TEMPLATES / "sum.json") == (0, [])
