"""Input that would take all time or memory is refused with a line that names the bound."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from generator._runtime import time_limit
from generator.checks import linting
from generator.checks.quota import judging
from generator.checks.quota.variants import variants
from generator.config import files
from generator.errors import InvalidEnvironment, OversizedTemplate, UnreadableTemplate
from generator.template import dependencies
from generator.template.conditions import DeploymentSpace
from generator.template.intrinsics import parts_of
from generator.template.reading import MAX_DEPTH, MAX_VALUES, parse, parsed, text_of
from tests.conftest import environment_of

Run = Callable[..., Result]

FUNCTION = '{"Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"X": %s}}}}'
BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 300))
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 9)
)

OVERSIZED = {
    "characters": ("{" + " " * 5_000_000 + "}", "more than 5,000,000 characters"),
    "values": (FUNCTION % f"[{'1,' * 200_000}1]", "more than 100,000 values, with aliases written out"),
    "aliases": (BOMB, "more than 100,000 values, with aliases written out"),
    "merged aliases": (MERGES, "more than 100,000 values, with aliases written out"),
    "a chain of aliases": (CHAIN, "nested more than 200 levels deep"),
    "nesting": (FUNCTION % ("[" * 900 + "]" * 900), "nested more than 200 levels deep"),
    "nesting in YAML": ("Resources: " + "[" * 900 + "]" * 900, "nested more than 200 levels deep"),
    "nesting in dashes": ("Resources:\n " + "- " * 900, "nested more than 200 levels deep"),
    "digits": (FUNCTION % ("9" * 400), "a number with more than 300 digits"),
    "thousands of digits": (FUNCTION % ("9" * 5000), "a number with more than 300 digits"),
    "digits in YAML": (f"Resources: {'9' * 400}", "a number with more than 300 digits"),
    "hexadecimal digits": (f"Resources: 0x{'f' * 5000}", "a number with more than 300 digits"),
    "digits to the base of sixty": (f"Resources: 1{':59' * 100_000}", "a number with more than 300 digits"),
}


@pytest.mark.parametrize("case", OVERSIZED)
def test_a_template_beyond_any_other_is_refused_before_it_is_built(case: str) -> None:
    text, what = OVERSIZED[case]
    with pytest.raises(OversizedTemplate) as refused:
        parsed("a.yaml", text)
    (fault,) = refused.value.faults
    assert fault.what == what


@pytest.mark.parametrize("text", ["Resources: &a {A: *a}", "Resources: " + "[" * 100_000, FUNCTION % ("[" * 100_000)])
def test_a_document_that_is_not_a_tree_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableTemplate):
        parsed("a.yaml", text)


def test_the_largest_templates_are_read() -> None:
    around = 5  # Levels above the value X, and X itself.
    deep = FUNCTION % ("[" * (MAX_DEPTH - around) + "]" * (MAX_DEPTH - around))
    assert parse(parsed("a.json", deep)).resources
    assert len(parsed("a.json", "[" + "1, " * (MAX_VALUES - 2) + "1]")) == MAX_VALUES - 1


def test_an_endless_file_is_read_only_to_the_bound() -> None:
    with pytest.raises(OversizedTemplate):
        parsed("/dev/zero", text_of(Path("/dev/zero")))


def test_text_of_open_braces_is_searched_in_one_pass() -> None:
    """A pattern that looked for the closing brace again from each opening one took minutes for this text."""
    text = "${" * 500_000
    assert list(dependencies.references({"Fn::Sub": text})) == []
    assert parts_of(text) == [text]


def test_a_text_of_many_parts_is_compared_in_linear_time() -> None:
    """Ten conditions took 20 s when each pair of places in the text was tried for each part."""
    composed = {"Fn::Sub": "${P}" * 400}
    content = {
        "Parameters": {"P": {"Type": "String"}},
        "Conditions": {f"C{n}": {"Fn::Equals": [composed, "a" * 97 + str(100 + n)]} for n in range(10)},
        "Resources": {"A": {"Type": "AWS::SNS::Topic"}},
    }
    with time_limit(5):
        assert DeploymentSpace(parse(content)).mentioned("P")


@pytest.mark.parametrize("case", ["aliases", "nesting", "thousands of digits"])
@pytest.mark.parametrize(
    "command", [["check"], ["diff", "dev"], ["simulate", "dev", "--template"]], ids=["check", "diff", "simulate"]
)
def test_a_command_refuses_a_hostile_file_in_one_line(generator: Run, command: list[str], case: str) -> None:
    text, what = OVERSIZED[case]
    Path("large.yaml").write_text(text)
    result = generator(*command, "large.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"large.yaml: {what}; ")
    assert result.stderr.count("\n") == 1


SOURCE = '{name = "a", scheme = "token", rate_per_s = 5, allowed_addresses = ["%s"]}'


def environment(lines: str) -> None:
    Path("environments/dev.toml").write_text(f'region = "us-east-1"\n{lines}\n[traffic]\nwebhooks_per_hour = 1000\n')


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (f"x.{'a.' * 3000}a = 1", "line 2 has more than 1,000 characters"),
        ("x = [" + "\n1," * 50_000 + "]", "more than 100,000 bytes"),
        ("x = " + "[\n" * 20_000, "not TOML (maximum recursion depth exceeded"),
        (f"retention.log_days = {'9' * 400}", "is not supported"),
        (f"retention.log_days = 0x{'f' * 900}", "is not supported"),
        ("retention.log_days = 30.0", "30.0 is not supported"),
        (f"retention.log_days = {'[' * 300}{']' * 300}", "is not supported"),
        (f"retention = {'9' * 400}", "is not a table"),
        (f"account.concurrency_limit = {'9' * 400}", "is above the maximum of 1,000,000"),
        (f"targets.stream_utilisation = {'9' * 400}", "is above the maximum of 0.95"),
        ("targets.stream_utilisation = nan", "nan is not a number"),
        ('operations.email = "a\\u001b[2J@b.example"', "is not an e-mail address"),
        (f"sources = [{SOURCE % 'fe80::1%$(touch ran)'}]", "not addresses or networks"),
        (f"sources = [{SOURCE % 'fe80::1%[a](https://evil.example)'}]", "not addresses or networks"),
        ('operations.email = "<a\\u202e@b.example"', "is not an e-mail address"),
    ],
    ids=lambda text: text[:40].strip(),
)
def test_an_environment_with_a_hostile_value_is_wrong_input(generator: Run, lines: str, shown: str) -> None:
    environment(lines)
    result = generator("size", "dev")
    assert (result.exit_code, result.stdout) == (2, "")
    assert shown in result.stderr


@pytest.mark.parametrize(
    "text",
    [f"{'a.' * 10_000}a = 1", f"[{'a.' * 498}a]\n" + "".join(f"b{n}.{'a.' * 490}a = 1\n" for n in range(99))],
    ids=["one key", "hundred keys below a table"],
)
def test_keys_of_many_parts_take_little_memory(text: str) -> None:
    """The memory grows with the square of the parts: a file of 160 kB took 24 GB."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="line 1 has more than"):
            files.tables(text.encode())
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_value_that_python_cannot_write_is_wrong_input() -> None:
    loop: dict[str, object] = {}
    loop["a"] = loop
    for value in (10**5000, [10**5000], loop):
        with pytest.raises(InvalidEnvironment):
            files.load({"name": "a", "region": "us-east-1", "retention": {"log_days": value}})


def test_a_hostile_override_is_wrong_input() -> None:
    for override in (
        f"{'a.' * 3000}a=1",
        f"x={{{'a.' * 3000}a=1}}",
        f"retention.log_days={'9' * 5000}",
        "a=" + "[" * 9999,
    ):
        with pytest.raises(InvalidEnvironment):
            environment_of("dev", override)


def test_thousands_of_faults_are_counted(generator: Run) -> None:
    environment("".join(f"k{number} = 1\n" for number in range(1000)))
    lines = generator("size", "dev").stderr.splitlines()
    assert len(lines) == 201
    assert lines[-1].startswith("and ")


def test_a_chain_of_hundreds_of_conditions_ends_in_one_line(generator: Run) -> None:
    conditions: dict[str, object] = {"C0": {"Fn::Equals": ["a", "a"]}}
    conditions |= {f"C{n}": {"Fn::Not": [{"Condition": f"C{n - 1}"}]} for n in range(1, 2000)}
    chain = {"Conditions": conditions, "Resources": {"A": {"Type": "AWS::SNS::Topic", "Condition": "C1999"}}}
    Path("chain.json").write_text(json.dumps(chain))
    result = generator("diff", "dev", "chain.json")
    assert result.exit_code == 2
    assert "through hundreds of others" in result.stderr


def loops(outputs: dict[str, Any], levels: str = "ABC") -> dict[str, Any]:
    """Return a template whose loops produce 100 times as many entries at each level."""
    for variable in levels:
        outputs = {f"Fn::ForEach::Loop{variable}": [variable, [str(number) for number in range(100)], outputs]}
    return {"Transform": "AWS::LanguageExtensions", "Resources": outputs}


@pytest.mark.parametrize(
    ("options", "limit_s", "rule"),
    [(["--only", "quota"], 60, "not-proven"), pytest.param([], 0.3, "E0002", marks=pytest.mark.slow)],
    ids=["quota", "cfn-lint"],
)
def test_loops_that_multiply_end_at_a_bound(
    generator: Run, monkeypatch: pytest.MonkeyPatch, options: list[str], limit_s: float, rule: str
) -> None:
    monkeypatch.setattr(linting, "LIMIT_S", limit_s)
    function = {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 1}}
    Path("loops.json").write_text(json.dumps(loops({"F${A}a${B}b${C}": function})))
    with time_limit(10):
        result = generator("check", "loops.json", *options, "--format", "json")
    assert result.exit_code == 1
    assert rule in {found["rule"] for found in json.loads(result.stdout)["findings"]}


WORKER = {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 120}}
STREAM = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {"maxReceiveCount": 1}}}


def version(function: str) -> dict[str, Any]:
    config = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 130}}
    return {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": function}, **config}}


def source(function: str, name: str, **more: object) -> dict[str, Any]:
    properties = {"FunctionName": {"Ref": function}, "EventSourceArn": {"Fn::GetAtt": [name, "Arn"]}}
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties, **more}


def functions(number: int) -> dict[str, Any]:
    every = [
        {f"F{n}": WORKER, f"V{n}": version(f"F{n}"), f"S{n}": STREAM, f"M{n}": source(f"F{n}", f"S{n}")}
        for n in range(number)
    ]
    return {name: resource for one in every for name, resource in one.items()}


def versions(number: int) -> dict[str, Any]:
    return {"F": WORKER, **{f"V{n}": version("F") for n in range(number)}}


def mappings(number: int, of: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"F": WORKER, "S": of, **{f"E{n}": source("F", "S", **more) for n in range(number)}}


def judged(resources: dict[str, Any]) -> list[judging.Violation]:
    conditions = {"C": {"Fn::Equals": [{"Ref": "P"}, "a"]}}
    document = {"Parameters": {"P": {"Type": "String"}}, "Conditions": conditions, "Resources": resources}
    return list(judging.other_violations(variants(document)))


SHAPES: dict[str, tuple[Callable[[int], dict[str, Any]], set[str]]] = {
    "functions": (functions, {"E9802", "W9803"}),
    "versions": (versions, {"E9802"}),
    "streams": (lambda number: mappings(number, STREAM), {"W9803"}),
    "conditional streams": (lambda number: mappings(number, STREAM, Condition="C"), {"W9803"}),
    "queues": (lambda number: mappings(number, QUEUE), {"W9808"}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_quota_rules_take_linear_time(shape: str) -> None:
    """E9802 and W9803 took 135 s for the functions of one template."""
    make, rules = SHAPES[shape]
    calls = dict.fromkeys((25, 100), 0)
    for number in calls:

        def count(*_: object, number: int = number) -> None:
            calls[number] += 1

        resources = make(number)
        sys.setprofile(count)
        try:
            found = judged(resources)
        finally:
            sys.setprofile(None)
        assert {one.rule for one in found} == rules
    assert calls[100] < 5 * calls[25]


LARGE_COMMANDS = {
    "check": ["large.json", "--only", "quota"],
    "diff": ["large.json", "larger.json"],
    "simulate": ["dev", "--template", "large.json", "--hours", "0.01", "--replications", "2"],
}

MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""A small process that starts the command: its measured memory would include that of the process that forks it."""


@pytest.mark.slow
@pytest.mark.parametrize("command", LARGE_COMMANDS)
def test_two_thousand_resources_take_seconds_and_little_memory(project: Path, command: str) -> None:
    """A third are functions with all that belongs to them; the others are mappings of one function."""
    template = json.loads((project / "templates_out/dev.json").read_text())
    template["Resources"] |= functions(160) | mappings(1300, QUEUE)
    assert len(template["Resources"]) >= 2000
    text = json.dumps(template)
    (project / "large.json").write_text(text)
    (project / "larger.json").write_text(text.replace('"ShardCount": 1', '"ShardCount": 2'))
    command_line = [sys.executable, "-m", "generator", command, *LARGE_COMMANDS[command]]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command_line], capture_output=True, text=True, check=True
    )
    code, processor_s, memory_kib = map(float, measured.stdout.split())
    assert code in (0, 1)
    assert processor_s < 10
    assert memory_kib < 500_000
