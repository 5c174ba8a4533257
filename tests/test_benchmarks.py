"""The benchmarks compare sources of the same stack, and measure the command itself."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import cases, confirmation, drawing, imports
from benchmarks.measuring import Case, python, run, slope
from benchmarks.peers.cdk_app import cdk_app
from benchmarks.peers.python_source import Call, Name, snake_case, source
from benchmarks.peers.sam_template import sam_template
from benchmarks.peers.troposphere_script import troposphere_script
from benchmarks.targets import Target
from generator.config import files
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT


def committed(environment: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((FIXTURES / f"templates_out/{environment}.json").read_bytes())
    return template


@pytest.fixture
def template() -> dict[str, Any]:
    return committed("prod")


def imported(script: str) -> set[str]:
    """Return the top-level modules that a script imports."""
    nodes = list(ast.walk(ast.parse(script)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {*names, *(str(node.module) for node in nodes if isinstance(node, ast.ImportFrom))}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_bare_script_prints_the_committed_template(environment: str) -> None:
    template = committed(environment)
    done = subprocess.run(python("-"), input=troposphere_script(template).encode(), capture_output=True, check=True)
    assert json.loads(done.stdout) == template


def test_the_bare_script_imports_troposphere_alone(template: dict[str, Any]) -> None:
    """It is like a script that a person would write: no generator, and no JSON to load at run time."""
    script = troposphere_script(template)
    assert imported(script) == {"troposphere"}
    assert "open(" not in script


def test_the_bare_script_constructs_every_resource_with_its_own_class(template: dict[str, Any]) -> None:
    script = troposphere_script(template)
    assert script.count("stack.add_resource(") == len(template["Resources"])
    for resource in ("awslambda.Function", "dynamodb.Table", "sns.SubscriptionResource", "cloudwatch.MetricDimension"):
        assert f"{resource}(" in script


def test_the_cdk_app_is_valid_python_with_one_construct_for_each_resource(template: dict[str, Any]) -> None:
    app = cdk_app(template)
    assert imported(app) == {"sys", "aws_cdk"}
    (stack,) = [node for node in ast.parse(app).body if isinstance(node, ast.ClassDef)]
    calls = [node for node in ast.walk(stack) if isinstance(node, ast.Call) and len(node.args) == 2]
    constructed = [
        ast.literal_eval(call.args[1])
        for call in calls
        if ast.unparse(call.args[0]) == "self" and "." in ast.unparse(call.func)
    ]
    assert sorted(constructed) == sorted(template["Resources"])


def test_the_cdk_app_assigns_every_variable_before_its_use(template: dict[str, Any]) -> None:
    (stack,) = [node for node in ast.parse(cdk_app(template)).body if isinstance(node, ast.ClassDef)]
    (constructor,) = stack.body
    known = {"App", "Aws", "CfnCondition", "CfnDeletionPolicy", "CfnOutput", "CfnParameter", "Fn"}
    known |= {"self", "super", "scope", "id", "options", "True", "False"}
    assert isinstance(constructor, ast.FunctionDef)
    for statement in constructor.body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        read = {name.id for name in names if isinstance(name.ctx, ast.Load) and not name.id.startswith("aws_")}
        assert read <= known, ast.unparse(statement)
        known |= {name.id for name in names if isinstance(name.ctx, ast.Store)}


def test_the_sam_template_has_a_serverless_function_for_each_function(template: dict[str, Any]) -> None:
    sam = yaml.safe_load(sam_template(template))["Resources"]
    functions = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Function"}
    assert [name for name, one in sam.items() if one["Type"] == "AWS::Serverless::Function"] == [*functions]
    for name, function in functions.items():
        separator, lines = function["Properties"]["Code"]["ZipFile"]["Fn::Join"]
        assert sam[name]["Properties"]["InlineCode"] == separator.join(lines)
        assert len(sam[name]["Properties"]["Events"]) == 1


@pytest.mark.slow
def test_the_sam_template_keeps_everything_that_sam_has_no_type_for(template: dict[str, Any]) -> None:
    sam = yaml.safe_load(sam_template(template))
    for name, resource in sam["Resources"].items():
        if not resource["Type"].startswith("AWS::Serverless::"):
            assert resource == template["Resources"][name]
    assert json.dumps({"Ref": "WebhookApiKey"}) not in json.dumps(sam)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WebhookApi", "webhook_api"),
        ("KMSMasterKeyId", "kms_master_key_id"),
        ("SSESpecification", "sse_specification"),
        ("Default5xxResponse", "default5xx_response"),
    ],
)
def test_names_become_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_source_breaks_only_what_does_not_fit_on_a_line() -> None:
    short, long = Call("Ref", ["a"]), Call("Sub", ["x" * 100], {"value": Name("table.ref")})
    assert source({"short": short, "none": None}) == "{'short': Ref('a'), 'none': None}"
    assert source([short, long]) == (
        "[\n    Ref('a'),\n    Sub(\n        '" + "x" * 100 + "',\n        value=table.ref,\n    ),\n]"
    )


def test_peak_memory_excludes_the_benchmark_itself(tmp_path: Path) -> None:
    """This process, with pytest in it, is larger than the small command."""
    small, large = (
        run(Case("", python("-I", "-S", "-c", f"bytearray({mib} << 20)"), tmp_path, 1)).peak_kib for mib in (0, 60)
    )
    assert small < 16 * 1024
    assert 60 * 1024 < large - small + 1024 < 64 * 1024


@pytest.mark.slow
def test_tree_memory_adds_up_all_processes(tmp_path: Path) -> None:
    keep = "kept = bytearray(30 << 20)"
    child = f"import time; {keep}; time.sleep(0.5)"
    parent = f"import subprocess, sys; {keep}; subprocess.run([sys.executable, '-I', '-S', '-c', '{child}'])"
    taken = run(Case("", python("-I", "-S", "-c", parent), tmp_path, 1), tree=True)
    assert taken.processes == 2
    assert taken.tree_kib > 60 * 1024 > taken.peak_kib


def test_a_failing_command_stops_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        run(Case("it", python("-c", "raise SystemExit('no such thing')"), tmp_path, 1))


def test_slope_is_the_cost_of_one_more() -> None:
    assert slope({1: 0.31, 3: 0.33, 10: 0.4, 50: 0.8}) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((1.0, 2.0), "met"), ((1.0, 2.1), "missed, met by median only"), ((3.0, 2.1), "missed")],
)
def test_a_target_is_met_only_by_every_reading(found: tuple[float, float], verdict: str) -> None:
    assert Target("", 2.0, "x", dict(zip(("median", "least"), found, strict=True))).verdict == verdict


def test_cumulative_import_time_includes_imported_packages() -> None:
    listing = """\
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     other
import time:      2000 |       3000 |   one.part
import time:      4000 |       7000 | one
import time:       500 |        500 | one.late
"""
    one, other = imports._packages(listing)
    assert (one.name, one.cumulative_ms, one.own_ms, one.modules) == ("one", 7.5, 6.5, 3)
    assert (other.name, other.cumulative_ms, other.own_ms, other.modules) == ("other", 1.0, 1.0, 1)


@pytest.mark.parametrize("count", cases.COUNTS)
def test_the_written_projects_are_valid(count: int, tmp_path: Path) -> None:
    folder = cases.write_project(tmp_path / "project", count) / "environments"
    assert len(files.load_named(folder=folder)) == count


def test_the_committed_confirmation_covers_54_rates_and_misses_no_target() -> None:
    lines = (ROOT / confirmation.RESULTS / "confirmation_rates.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert len({one["name"] for one in found}) >= 54
    targets = [target for one in found for target in one["targets"].values()]
    assert "missed" not in {target["verdict"] for target in targets}
    late = [one["targets"]["notification_wait_probability"] for one in found]
    assert all(target["predicted"] >= target["interval"][0] for target in late)
    text = (ROOT / confirmation.RESULTS / "confirmation_rates.md").read_text()
    assert all(one["name"] in text for one in found)


@pytest.mark.slow
def test_the_results_are_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "results.svg"
    drawing.draw([drawing.Panel("Time", [("size", 0.1, "0.1 s")], {"size": 0.08})], ["one run"], picture)
    assert all(text in picture.read_text() for text in ("Time", "size", "0.1 s", "one run"))
