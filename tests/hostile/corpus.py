"""Send mutated templates, environments, traces and names through every command, and watch the effects of each.

`python -m tests.hostile.corpus` runs as many inputs as the variable INPUTS states; `make hostile` runs 10,000. An input
that is reported fails again with `python -m tests.hostile.corpus NUMBER`.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from generator._runtime import OutOfTime, time_limit
from generator.checks import linting
from generator.cli.main import main
from tests.checks.terraform.plans import Planned, plan
from tests.conftest import FIXTURES
from tests.hostile.watching import assert_harmless

LIMIT_S, LIMIT_BYTES, MAX_OUTPUT = 20, 3 << 30, 20_000_000
"""For each input: time (twice ours, on a busy machine), address space, and bytes of output."""

CHECKED_EVERY = 25
"""One input in this many goes through cfn-lint, which takes a hundred times as long as the other commands."""

EVIL: tuple[Any, ...] = (
    *("\x1b[2J\x9b1m", "a\n::error::forged", "##[error]x", "\u202egpj\u2066", "\udcff", "\u2028", "", "a" * 5000, "\0"),
    *(
        "$(touch ran)",
        "`touch ran`",
        "|`<img src=x>",
        "${",
        "${A.${B}}",
        "../../etc/passwd",
        "-",
        "--output=x",
        "%0A::",
    ),
    *(10**400, -1, 0, 1e308, 0.1, True, None, [], {}, [[[]]], {"Ref": "A"}, {"Fn::If": ["No", 1]}, {"Ref": []}),
    *(
        {"Fn::Sub": "${" * 500},
        {"Fn::GetAtt": "A"},
        {"Fn::Transform": {"Name": "AWS::Include"}},
        {"Fn::FindInMap": [1]},
    ),
    *({"Fn::ForEach::L": ["V", ["a"] * 200, {"X${V}": 1}]}, {"Fn::Join": ["", "x"]}, {"Fn::Select": ["9" * 30, []]}),
)
"""Keys and values that an author of a template would not write."""


def inputs(number: int) -> list[str]:
    """Write the input of this number to the current folder and return the arguments of a command that reads it."""
    rnd = random.Random(number)
    makers: Sequence[Callable[[random.Random], list[str]]] = (
        *(_template, _template, _text, _environment, _trace, _name),
        *(_plan, _assembly, _metrics, _log),
    )
    return rnd.choice(makers)(rnd)


def _template(rnd: random.Random) -> list[str]:
    document = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    for _ in range(rnd.randint(1, 6)):
        _mutate(rnd, document)
    Path("evil.json").write_text(_dumped(document))
    return _reading(rnd, "evil.json")


def _mutate(rnd: random.Random, document: Any) -> None:
    """Replace, rename, repeat or wrap one value, anywhere in the document."""
    place = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rnd.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or rnd.random() < 0.2:
            break
        place = place[key]
    else:
        return
    kind = rnd.randrange(5)
    if kind == 0 and isinstance(place, dict):
        place[str(rnd.choice(EVIL))] = place.pop(key)
    elif kind == 1:
        place[key] = [place[key]] * rnd.choice((2, 50))
    elif kind == 2:
        for _ in range(rnd.choice((1, 30, 150, 900))):
            place[key] = [place[key]]
    else:
        place[key] = copy.deepcopy(rnd.choice(EVIL))  # A later mutation may change the value.


def _dumped(document: Any) -> str:
    try:
        return json.dumps(document)
    except RecursionError:  # Several mutations nested the same value.
        return "[" * 5000


def _text(rnd: random.Random) -> list[str]:
    """Damage the text of a template: cut it, repeat a part of it, or change bytes."""
    text = bytearray((FIXTURES / "templates_out/dev.json").read_bytes())
    for _ in range(rnd.randint(1, 5)):
        start = rnd.randrange(len(text))
        part = text[start : start + rnd.randint(1, 200)]
        text[start : start + rnd.randint(0, 200)] = rnd.choice(
            (b"", part * 20, rnd.randbytes(3), b"&a [*a, *a]", b"[" * 999)
        )
    Path("evil.yaml").write_bytes(text)
    return _reading(rnd, "evil.yaml")


def _reading(rnd: random.Random, file: str) -> list[str]:
    if rnd.randrange(CHECKED_EVERY) == 0:
        return ["check", file, "--format", rnd.choice(("text", "json", "sarif"))]
    short = ["--hours", "0.01", "--replications", "2"]
    commands = (
        ["diff", "dev", file],
        ["diff", file, "dev", "--format", "json"],
        ["diff", file, file, "--fail-on", "iam-widening"],
        ["simulate", "dev", "--template", file, *short],
        ["simulate", "dev", "--template", file, "--format", "json", *short],
    )
    return rnd.choice(commands)


def _environment(rnd: random.Random) -> list[str]:
    lines = (FIXTURES / "environments/dev.toml").read_text().splitlines()
    if rnd.random() < 0.5:
        keys = ("name", "scheme", "secret_field", "header", "allowed_addresses", "webhooks_per_hour", "x")
        settings = [f"{key} = {json.dumps(str(rnd.choice(EVIL)), ensure_ascii=True)}" for key in rnd.sample(keys, 3)]
        lines += ["[[sources]]", *settings] * rnd.choice((1, 2, 30))
    values = (
        "9" * 400,
        "30.0",
        "nan",
        "1e999",
        "[" * 300,
        "{a.b.c=1}",
        '"\\u001b[2J"',
        '"x\\n::error::"',
        "true",
        "-1",
    )
    tables = ("traffic", "account", "stream", "retention", "operations", "functions.check_alerts", "x." * 400 + "x")
    for _ in range(rnd.randint(1, 4)):
        key = rnd.choice(
            ("webhooks_per_hour", "name", "region", "shards", "log_days", "email", "a." * 400 + "a", "timeout_s")
        )
        line = rnd.choice((f"{key} = {rnd.choice(values)}", f"[{rnd.choice(tables)}]", "\x1b[2J", "\udcff"))
        lines.insert(rnd.randrange(len(lines) + 1), line)
    Path("environments/dev.toml").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    return rnd.choice(
        (["size", "dev"], ["size", "dev", "--format", "json"], ["template"], ["template", "dev", "--output", "-"])
    )


def _trace(rnd: random.Random) -> list[str]:
    cells = (
        "0",
        "1e308",
        "nan",
        "inf",
        "-1",
        "9" * 400,
        "2026-01-01T00:00:00Z",
        "\x1b[2J",
        "a,b,c",
        '"',
        "",
        "#",
        "1,2",
    )
    rows = [str(number * 60) if rnd.random() < 0.7 else rnd.choice(cells) for number in range(rnd.randint(0, 40))]
    Path("evil.csv").write_text("\n".join(rows))
    trace = ["simulate", "dev", "--trace", "evil.csv", "--replications", "2"]
    return rnd.choice((["size", "dev", "--fit-trace", "evil.csv"], trace))


def _plan(rnd: random.Random) -> list[str]:
    functions = {f"f{number}": 5 * number for number in range(rnd.randint(1, 4))}
    planned = [
        Planned("aws_lambda_function", n, {"function_name": n, "reserved_concurrent_executions": r})
        for n, r in functions.items()
    ]
    document = plan(*planned)
    for _ in range(rnd.randint(1, 4)):
        _mutate(rnd, document)
    Path("evil.json").write_text(_dumped(document))
    return ["check", "evil.json", "--only", "quota", "--format", rnd.choice(("text", "json", "sarif"))]


def _assembly(rnd: random.Random) -> list[str]:
    """Write a cloud assembly whose manifest and nested stack are mutated, beside a file that it must not read."""
    Path("outside.json").write_text('{"Resources": {}}')
    folder = Path("cdk.out")
    folder.mkdir()
    nested = {"TemplateURL": rnd.choice(("inner.json", "../outside.json", "/etc/passwd", "file:///etc/passwd", "."))}
    resources = {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": nested}}
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": rnd.choice(("aws://111122223333/eu-west-1", "aws://unknown-account/unknown-region", "\x1b[2J")),
        "properties": {"templateFile": rnd.choice(("outer.json", "../outside.json", "/etc/passwd", "\0"))},
    }
    parts = {
        "manifest.json": {"version": "36.0.0", "artifacts": {str(rnd.choice(EVIL))[:99]: artifact, "Stack": artifact}},
        "outer.json": {"Resources": resources},
        "inner.json": {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {}}}},
    }
    for name, document in parts.items():
        if rnd.random() < 0.5:
            _mutate(rnd, document)
        (folder / name).write_text(_dumped(document))
    return ["check", "cdk.out", "--only", "quota", "--format", rnd.choice(("text", "json", "sarif"))]


def _metrics(rnd: random.Random) -> list[str]:
    points = {"Timestamps": [f"2026-01-01T00:0{minute}:00Z" for minute in range(9)], "Values": [60.0] * 9}
    document = {"MetricDataResults": [{"Id": "process_webhook_invocations_sum", **points}]}
    reports = {"results": [[{"field": "@log", "value": "1:ProcessWebhookLogGroup"}]]}
    for one in (document, reports):
        for _ in range(rnd.randint(0, 3)):
            _mutate(rnd, one)
    Path("metrics.json").write_text(_dumped(document))
    Path("reports.json").write_text(_dumped(reports))
    return ["calibrate", "dev", "--metrics", "metrics.json", "--reports", "reports.json"]


def _log(rnd: random.Random) -> list[str]:
    line = '192.0.2.1 - - [01/Jan/2026:00:00:0{} +0000] "POST / HTTP/1.1" 200 1\n'
    content = bytearray("".join(line.format(second) for second in range(9)).encode())
    for _ in range(rnd.randint(1, 4)):
        content[rnd.randrange(len(content))] = rnd.randrange(256)
    Path("evil.log").write_bytes(
        gzip.compress(content)[: rnd.choice((None, None, 60))] if rnd.random() < 0.5 else content
    )
    return ["size", "dev", "--fit-trace", "evil.log"]


def _name(rnd: random.Random) -> list[str]:
    name = str(rnd.choice(EVIL)).replace("\0", "0")[:200]
    commands = (
        ["size", name],
        ["template", name],
        ["diff", name, "dev"],
        ["diff", f"{name}:dev", "dev"],
        [name],
        ["check", name],
        ["local", name],
        ["local", "dev", "--port", name],
        ["preflight", name],
        ["explore", name],
        ["schema", name],
        ["calibrate", name],
        ["alerts", name, "list"],
        ["alerts", "dev", "add", name, name, name, "above", name, "--phone-number", name],
        ["replay", name],
        ["preflight", "dev", "--profile", name],
        ["init", name.replace("/", "")],
        ["alerts", "dev", "add", name, name, name, "above", name, "--phone-number", name, "--local"],
        ["alerts", name, "list", "--local"],
        ["replay", name, "--local"],
        ["adopt", "dev", f"{name}={name}", f"KmsKey={name}"],
    )
    return rnd.choice((*commands, ["size", "dev", "--set", f"{name}={name}"], ["simulate", "dev", "--template", name]))


TEMPORARY = os.path.realpath(tempfile.gettempdir())

EVENTS: list[str] = []
"""The effects of the current command outside its folder."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note programs, connections and files written outside: https://docs.python.org/3/library/audit_events.html."""
    if event in ("socket.connect", "os.system", "os.exec", "os.posix_spawn"):
        EVENTS.append(f"{event} {arguments}")
    elif event == "subprocess.Popen" and arguments[0] != "git" and not str(arguments[0]).endswith("/git"):
        EVENTS.append(f"{event} {arguments[:2]}")
    elif event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
        path = os.path.realpath(arguments[0])
        if arguments[2] & (os.O_WRONLY | os.O_RDWR) and not path.startswith((os.getcwd(), TEMPORARY, "/dev/")):
            EVENTS.append(f"wrote {path}")
        if path in ("/etc/passwd", "/proc/self/environ") or path.endswith(".aws/credentials"):
            EVENTS.append(f"read {path}")


@contextmanager
def project() -> Iterator[None]:
    """Work in a fresh copy of the fixture project."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(FIXTURES, folder, dirs_exist_ok=True)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def failure(number: int) -> str:
    """Run one input and return what is wrong with the answer, or nothing."""
    with project():
        arguments = inputs(number)
        EVENTS.clear()
        started = time.monotonic()
        try:
            with time_limit(LIMIT_S):
                result = CliRunner().invoke(main, arguments)
        except OutOfTime:
            return f"{arguments}: did not end within {LIMIT_S} s"
        seconds = time.monotonic() - started
        typed = {f"read {os.path.abspath(word)}" for word in arguments if "\0" not in word}
        wrong = [*_wrong(result, seconds), *(event for event in EVENTS if event not in typed)]
        return "; ".join(f"{ascii(arguments)[:300]}: {one}" for one in wrong)


def _wrong(result: Any, seconds: float) -> Iterator[str]:
    if seconds > LIMIT_S:
        yield f"took {seconds:.0f} s"
    if result.exception and not isinstance(result.exception, SystemExit | click.exceptions.Exit):
        yield f"{type(result.exception).__name__}: {str(result.exception)[:200]}"
    elif result.exit_code not in (0, 1, 2):
        yield f"exit code {result.exit_code}"
    if result.exit_code == 2 and not result.stderr.strip():
        yield "exit code 2 without a word"
    if len(result.output) > MAX_OUTPUT:
        yield f"{len(result.output):,} characters of output"
    try:
        assert_harmless(result.output)
    except AssertionError as error:
        yield f"harmful output: {str(error)[:200]}"
    if Path("ran").exists():
        yield "code of the input ran"


def run(numbers: Sequence[int]) -> list[str]:
    """Run the inputs and return the failures, each with its number."""
    linting.LIMIT_S = 3
    found = []
    for number in numbers:
        if wrong := failure(number):
            found.append(f"{number}: {wrong}")
    return found


def _main() -> None:
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    sys.addaudithook(_watch)
    numbers = [int(word) for word in sys.argv[1:]] or range(int(os.environ.get("INPUTS", "10000")))
    failed = 0
    with click.progressbar(numbers, label="Hostile inputs", file=sys.stderr) as bar:
        for number in bar:
            for wrong in run([number]):
                failed += 1
                print(wrong, flush=True)
    print(f"{len(numbers):,} inputs: {failed or 'no'} failure{'s' * (failed > 1)}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    _main()
