"""Names and values of a foreign template neither control the terminal nor imitate lines of the generator."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generator.checks.findings import Finding, Rule, Severity, as_text
from generator.checks.sarif import as_sarif
from generator.cli.main import main
from generator.cli.output import only_printable
from tests.hostile.watching import assert_harmless

Run = Callable[..., Result]

CLAIM = "prod: lint, size, drift and quota are good"
FORGED = f"X\x1b[2J\x9b1m\n::error::forged\r\n  ##[error]forged\n{CLAIM}\n|`<img src=x>\u202e\u2028$x$"


@pytest.fixture
def forged(project: Path) -> str:
    """Return a copy of a template whose first function has a name that attacks every report."""
    text = Path("templates_out/dev.json").read_text()
    name = json.dumps(FORGED)[1:-1]
    Path("forged.json").write_text(text.replace("ProcessWebhookFunction", name))
    return "forged.json"


def test_a_template_cannot_forge_a_difference(generator: Run, forged: str) -> None:
    result = generator("diff", "dev", forged)
    assert_harmless(result.output)
    assert "X\\u001b[2J" in result.stdout
    assert CLAIM not in result.stdout.splitlines()
    assert "<img src=x>" not in result.stdout.replace("`<img", "")


def test_the_difference_as_data_is_escaped_and_has_the_exact_names(generator: Run, forged: str) -> None:
    result = generator("diff", "dev", forged, "--format", "json")
    assert_harmless(result.output)
    assert FORGED in {one["id"] for one in json.loads(result.stdout)["resources"]}


@pytest.mark.slow
def test_a_template_cannot_forge_findings(generator: Run, forged: str) -> None:
    for format_ in ("text", "json", "sarif"):
        result = generator("check", forged, "--format", format_)
        assert result.exit_code == 1
        assert_harmless(result.output)
        assert CLAIM not in [line.strip() for line in result.stdout.splitlines()]


@pytest.mark.slow
def test_a_template_cannot_forge_a_simulation(generator: Run, forged: str) -> None:
    run = ("simulate", "dev", "--template", forged, "--hours", "0.05", "--replications", "2", "--chart", "a.svg")
    for format_ in ("text", "json"):
        result = generator(*run, "--format", format_)
        assert_harmless(result.output)
        assert CLAIM not in result.output.splitlines()
    assert "\\u001b[2J" in "".join(one.text or "" for one in ElementTree.fromstring(Path("a.svg").read_text()).iter())


def test_a_file_name_cannot_forge_output(generator: Run) -> None:
    path = Path(f"x\x1b[2J\n{CLAIM}.json")
    path.write_text("{")
    result = generator("diff", str(path), str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert_harmless(result.output)
    assert len(result.stderr.splitlines()) == 1


def test_an_orphan_file_cannot_forge_output(generator: Run) -> None:
    Path(f"templates_out/x\x1b[2J\n::error::x\n{CLAIM}.json").write_text("{}")
    result = generator("template")
    assert "\\u001b[2J" in result.output
    assert_harmless(result.output)
    assert CLAIM not in "\n".join(result.output.splitlines()[1:]).splitlines()


def test_a_long_name_does_not_make_a_report_too_long_for_a_comment(generator: Run) -> None:
    functions = {f"{'$' * 10_000}{n}": {"Type": "AWS::Lambda::Function", "Properties": {}} for n in range(20)}
    Path("long.json").write_text(json.dumps({"Resources": functions}))
    for sides in (("dev", "long.json"), ("long.json", "dev")):
        assert len(generator("diff", *sides).stdout) < 65_536


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["check"], marks=pytest.mark.slow),
        ["check", "--only", "quota"],
        ["diff", "dev"],
        ["diff"],
        ["simulate", "dev", "--template"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("place", ["key", "value"])
def test_half_of_a_surrogate_pair_is_one_line(generator: Run, command: list[str], place: str) -> None:
    key, value = ("\\ud800", "a") if place == "key" else ("A", "\\udfff")
    text = f'{{"Resources": {{"{key}": {{"Type": "AWS::SNS::Topic", "Properties": {{"TopicName": "{value}"}}}}}}}}'
    for name in ("half.json", "half.yaml"):
        Path(name).write_text(text)
        names = [f"./{name}"] * (2 if command == ["diff"] else 1)
        result = generator(*command, *names)
        assert result.exit_code == (1 if command == ["check"] else 2)
        assert "half of a surrogate pair" in result.output
        assert_harmless(result.output)


def test_an_environment_cannot_forge_the_review_page(generator: Run) -> None:
    email = "<img/src=x>|`<b>`|[a](https://evil.example)@b.example"
    with Path("environments/dev.toml").open("a") as file:
        file.write(f'\n[operations]\nemail = "{email}"\n[tags]\n"a @mallory" = "b"\n')
    assert generator("template", "dev").exit_code == 0
    page = Path("templates_out/dev.md").read_text()
    assert "img/src" in page
    text = re.sub(r"(?ms)^```.+?^```$", "", page)
    text = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"<img|<b>|evil\.example|@mallory", text)


def test_a_finding_of_a_linter_stays_below_its_own_line() -> None:
    found = Finding(f"a\n{CLAIM}", 1, "E1", Severity.ERROR, FORGED, f"bad {FORGED}")
    first, *rest = as_text([found]).split("\n")
    assert first.startswith("a\\nprod")
    assert all(line.startswith("    ") for line in rest)


def test_sarif_has_no_link_that_a_template_wrote() -> None:
    found = Finding("a\udcff.json", 1, "E1", Severity.ERROR, "", "see [the fix](https://evil.example) and a[0]\x1b")
    (run,) = as_sarif([found], {"E1": Rule("E1", "Title", "")})["runs"]
    (result,) = run["results"]
    assert result["message"]["text"] == "see \\[the fix](https://evil.example) and a[0]\\u001b"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%FF.json"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_any_encoding_of_the_output_shows_everything(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    with only_printable():
        print("é → \udcff 🚀")
    sys.stdout.flush()
    shown = written.getvalue().decode(encoding)
    assert json.loads(f'"{shown.strip()}"') == "é → \udcff 🚀"


def test_an_argument_cannot_forge_output(project: Path) -> None:
    result = CliRunner().invoke(main, ["templat\x1b[2J\n::error::x"])
    assert result.exit_code == 2
    assert_harmless(result.output)
