"""What `generator check` prints, and what it says of environments, whole and in each format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.checks import sarif
from generator.checks.findings import Finding, Rule, Severity, as_text
from tests.checks.test_files import MESSAGE, QUOTA, SUMS, Run, findings, template, write
from tests.conftest import ENVIRONMENTS


def validated(log: Any) -> Any:
    """The log, if it has what SARIF 2.1.0 requires of one. Source: OASIS, "SARIF Version 2.1.0", section 3."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    for run in log["runs"]:
        assert run["tool"]["driver"]["name"]
        rules = run["tool"]["driver"]["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            for location in result["locations"]:
                place = location["physicalLocation"]
                assert place["artifactLocation"]["uri"]
                assert place["region"]["startLine"] >= 1
    return log


def test_text_indents_what_does_not_fit_one_line() -> None:
    found = [Finding("a.json", 3, "quota", Severity.ERROR, "", "too many\n  prod 37\nlower it"), _ONE_LINE]
    assert as_text(found) == (
        "a.json:3: error quota: too many\n      prod 37\n    lower it\nb.json:1: warning W9804: never runs"
    )


_ONE_LINE = Finding("b.json", 1, "W9804", Severity.WARNING, "Resources/A", "never runs")


@pytest.mark.usefixtures("no_region")
def test_json_has_the_documented_keys(generator: Run) -> None:
    result = generator("check", SUMS[0], "--account-limit", "300", "--format", "json", *QUOTA)
    assert json.loads(result.stdout) == {
        "environment": None,
        "findings": [
            {
                "file": SUMS[0],
                "line": 33,
                "rule": "E9801",
                "severity": "error",
                "path": "Resources/ProcessWebhookFunction/Properties/ReservedConcurrentExecutions",
                "message": MESSAGE.format(""),
            }
        ],
        "passed": False,
        "verdict": "bad",
        "notes": [],
        "accounts": [
            {
                "account": None,
                "region": None,
                "reserved": 205,
                "reservable": 200,
                "stacks": [{"name": "sum.json", "file": SUMS[0], "reserved": 205}],
            }
        ],
    }


def test_json_names_all_environments(generator: Run) -> None:
    report = json.loads(generator("check", "--format", "json", *QUOTA).stdout)
    assert report == {
        "environment": list(ENVIRONMENTS),
        "findings": [],
        "passed": True,
        "verdict": "good",
        "notes": [],
        "accounts": [],
    }


@pytest.mark.usefixtures("no_region")
def test_sarif_is_valid_and_points_into_the_repository(generator: Run) -> None:
    content = write("my stacks/sum.json", Path(SUMS[0]).read_text())
    stopped = write("zero.json", template(One=0))
    result = generator("check", stopped, content, "--account-limit", "300", "--format", "sarif", *QUOTA)
    assert result.exit_code == 1
    (run,) = validated(json.loads(result.stdout))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["E9801", "W9804"]
    assert rules[0]["shortDescription"] == {
        "text": "Reserved and provisioned concurrency of all functions fits the account"
    }
    assert rules[0]["helpUri"].startswith("https://docs.aws.amazon.com/")
    assert [rules[found["ruleIndex"]]["id"] for found in run["results"]] == ["E9801", "W9804"]
    assert run["results"][0] == {
        "ruleId": "E9801",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": MESSAGE.format("")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "my%20stacks/sum.json", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 33},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": ("Resources/ProcessWebhookFunction/Properties/ReservedConcurrentExecutions")}
                ],
            }
        ],
    }


@pytest.mark.slow
def test_sarif_has_the_findings_of_all_parts_of_a_full_check(generator: Run) -> None:
    """The committed template of an environment has drifted, and both cfn-lint and the quota refuse a file."""
    committed = Path("templates_out/dev.json")
    committed.write_text(committed.read_text() + " ")
    content = template(One=901)
    content["Resources"]["One"]["Properties"]["Handlers"] = "index.handler"
    result = generator("check", "dev", write("other.json", content), "--format", "sarif")
    assert result.exit_code == 1
    (run,) = validated(json.loads(result.stdout))["runs"]
    places = [found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for found in run["results"]]
    assert sorted(zip(places, (found["ruleId"] for found in run["results"]), strict=True)) == [
        ("other.json", "E3002"),
        ("other.json", "E9801"),
        ("templates_out/dev.json", "drift"),
    ]


def test_sarif_without_findings_is_a_log_all_the_same(generator: Run) -> None:
    (run,) = validated(json.loads(generator("check", SUMS[0], "--format", "sarif", *QUOTA).stdout))["runs"]
    assert run["results"] == []


@pytest.mark.parametrize(
    ("severity", "level"),
    [("error", "error"), ("warning", "warning"), ("informational", "note"), ("unknown", "warning")],
)
def test_sarif_has_a_level_for_each_severity(severity: str, level: str, tmp_path: Path) -> None:
    outside = Finding(str(tmp_path / "a.json"), 0, "I1", Severity(severity), "", "said")
    (run,) = validated(sarif.as_sarif([outside], {"I1": Rule("I1", "Title", "")}))["runs"]
    (result,) = run["results"]
    assert result["level"] == level
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": (tmp_path / "a.json").as_uri()}, "region": {"startLine": 1}}


def test_a_committed_file_over_its_environments_account_is_reported(generator: Run) -> None:
    with Path("environments/dev.toml").open("a") as file:
        file.write("[account]\nname = 'shared'\nconcurrency_limit = 150\n")
    with Path("environments/staging.toml").open("a") as file:
        file.write("[account]\nname = 'shared'\nconcurrency_limit = 150\n")
    path = Path("templates_out/dev.json")
    path.write_text(path.read_text().replace('"ReservedConcurrentExecutions": 3', '"ReservedConcurrentExecutions": 27'))
    result = generator("check", "dev", "--format", "json", *QUOTA)
    assert findings(result) == [("dev.json", "E9801")]
    assert "2 more than the 33 that can be reserved (limit 150 - unreserved floor 100 - reserved elsewhere 17)" in (
        result.stdout
    )


def test_an_environment_over_its_account_is_reported_once(generator: Run) -> None:
    with Path("environments/prod.toml").open("a") as file:
        file.write("[account]\nconcurrency_limit = 130\n")
    assert findings(generator("check", "prod", "--format", "json", *QUOTA)) == [("prod.json", "quota")]


@pytest.mark.slow
def test_a_consumer_with_more_than_the_environments_shards_can_use_is_warned_of(generator: Run) -> None:
    path = Path("templates_out/prod.json")
    path.write_text(
        path.read_text().replace('"ReservedConcurrentExecutions": 10', '"ReservedConcurrentExecutions": 11')
    )
    result = generator("check", "prod", "--format", "json")
    assert sorted(rule for _, rule in findings(result)) == ["W9803", "drift"]
    assert "1 more than the 10 that its pollers can ever use" in result.stdout


@pytest.mark.slow
def test_size_is_reported_once(generator: Run) -> None:
    path = Path("templates_out/dev.json")
    path.write_text(path.read_text() + "\n" * 10_000)
    rules = sorted(rule for _, rule in findings(generator("check", "dev", "--format", "json")))
    assert rules == ["drift", "template-size"]


def test_a_committed_file_that_is_no_text_is_a_fault(generator: Run) -> None:
    Path("templates_out/dev.json").write_bytes(b"\xff")
    result = generator("check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("templates_out/dev.json: not a text in UTF-8")


@pytest.mark.slow
def test_a_clean_template_of_ours_is_clean_to_others(generator: Run) -> None:
    assert generator("check", "templates_out/prod.json").exit_code == 0


def test_a_message_of_any_length_prints_as_a_short_one() -> None:
    long = Finding("a.json", 1, "E1", Severity.ERROR, "", "x" * 900_000)
    assert as_text([long]).endswith("x... (898,000 characters left out)")
    assert len(as_text([long])) < 2_100
