"""The commands that `make bench` measures, and the folders they need."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.measuring import Case, python, tool
from benchmarks.peers.troposphere_script import troposphere_script

ROOT = Path(__file__).parents[1]
PROD = ROOT / "templates_out/prod.json"

INTERPRETER = "python -c pass"
BARE_SCRIPT = "bare troposphere script"
HELP = "generator --help"
LINT = "cfn-lint prod.json"
CHECK = "generator check prod"
QUOTA = "generator check prod.json --only quota"
VALIDATE = "cloudformation-validate prod.json"
ROUNDS = 15
COUNTS = (1, 3, 10, 50)
LEAST_RATE, MOST_RATE = 100, 50_000
MANY_FILES = 5
TEMPLATES_OF_A_FOLDER = 1000
FOLDER = f"generator check FOLDER --only quota, {TEMPLATES_OF_A_FOLDER:,} templates"


def template_of(environments: int) -> str:
    """Return the name of the case that generates this many environments."""
    return f"generator template, {environments} environment{'s' if environments > 1 else ''}"


def cases(folder: Path) -> list[Case]:
    """Return every case of `make bench`, in the order of the table. Writes the files they need to the folder."""
    return [*_quick(folder), *_templates(folder), *_slow(folder), *_many_files(folder)]


def baselines(folder: Path) -> list[Case]:
    """Return the two cases that everything else is compared with.

    The bare script is imported rather than run by its path, because Python keeps the compiled code of modules only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare_stack.py").write_text(troposphere_script(prod_template()), encoding="utf-8")
    return [
        Case(INTERPRETER, python("-c", "pass"), folder, ROUNDS),
        Case(BARE_SCRIPT, python("-c", "import bare_stack"), folder, ROUNDS),
    ]


def prod_template() -> dict[str, Any]:
    """Return the committed template, the only statement of the stack that all cases share."""
    template: dict[str, Any] = json.loads(PROD.read_bytes())
    return template


def _quick(folder: Path) -> list[Case]:
    variant = folder / "variant"
    rate = "traffic.webhooks_per_hour=20000"
    write = tool("generator", "template", "prod", "--set", rate, "--output", variant)
    subprocess.run(write, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return [
        *baselines(folder / "bare"),
        Case(HELP, tool("generator", "--help"), ROOT, ROUNDS),
        Case("generator size prod", tool("generator", "size", "prod"), ROOT, ROUNDS),
        Case("generator diff, two rates", tool("generator", "diff", PROD, variant / "prod.json"), ROOT, 7, code=1),
    ]


def _templates(folder: Path) -> list[Case]:
    """Each case writes all environments of a project from scratch: templates and pages."""
    return [
        Case(
            template_of(count),
            tool("generator", "template"),
            (project := write_project(folder / f"project-{count}", count)),
            ROUNDS if count < 50 else 7,
            prepare=lambda output=project / "templates_out": shutil.rmtree(output, ignore_errors=True),
        )
        for count in COUNTS
    ]


def _slow(folder: Path) -> list[Case]:
    simulate = tool("generator", "simulate", "prod", "--replications", 2, "--hours", 0.1)
    return [
        Case(QUOTA, tool("generator", "check", PROD, "--only", "quota"), ROOT, ROUNDS),
        *_validator(),
        Case(LINT, tool("cfn-lint", PROD), ROOT, 7),
        Case(CHECK, tool("generator", "check", "prod"), ROOT, 7),
        Case("generator simulate prod, 2 x 6 minutes", simulate, ROOT, 5),
    ]


def _validator() -> list[Case]:
    """Return the case of AWS's own validator, if it is installed: pip install cloudformation-validate."""
    if importlib.util.find_spec("cloudformation_validate") is None:
        return []
    script = f"import cloudformation_validate as v; v.CompositeEngine().validate_template({str(PROD)!r})"
    return [Case(VALIDATE, python("-c", script), ROOT, 7)]


def _many_files(folder: Path) -> list[Case]:
    """The cost of more files, and of checking them as one account."""
    copies = [folder / f"copy-{number}.json" for number in range(MANY_FILES)]
    for copy in copies:
        shutil.copy(PROD, copy)
    many = folder / "many"
    many.mkdir()
    for number in range(TEMPLATES_OF_A_FOLDER):
        (many / f"template-{number}.json").hardlink_to(copies[0])
    quota = tool("generator", "check", many, "--only", "quota", "--account-limit", 1_000_000)
    return [
        Case(FOLDER, quota, ROOT, 2),
        Case(f"cfn-lint, {MANY_FILES} files", tool("cfn-lint", *copies), ROOT, 2),
        Case(f"generator check, {MANY_FILES} files", tool("generator", "check", *copies), ROOT, 2),
    ]


def write_project(folder: Path, environments: int) -> Path:
    """Write a project with the tests' environments, prod first, then copies of prod with other rates."""
    (folder / "environments").mkdir(parents=True)
    own = [ROOT / f"tests/fixtures/environments/{name}.toml" for name in ("prod", "dev", "staging")][:environments]
    for file in own:
        shutil.copy(file, folder / "environments")
    prod = own[0].read_text(encoding="utf-8")
    for number in range(len(own), environments):
        rate = LEAST_RATE + (MOST_RATE - LEAST_RATE) * number // environments
        text = re.sub(r"(?m)^name = .*", f"name = {json.dumps(f'env-{number}')}", prod)
        text = re.sub(r"(?m)^webhooks_per_hour = .*", f"webhooks_per_hour = {rate}", text)
        (folder / f"environments/env-{number}.toml").write_text(text, encoding="utf-8")
    return folder
