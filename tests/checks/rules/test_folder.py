"""What holds for every rule in the folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import cfnlint.rules
import pytest
from cfnlint.helpers import load_plugins

from generator.checks.rules import folder

FILES = sorted(path for path in folder().glob("*.py") if not path.name.startswith("_"))
RULES = load_plugins(str(folder()))


def test_the_folder_is_the_rules_package() -> None:
    assert folder().is_absolute()
    assert folder().name == "rules"
    assert (folder() / "all_rules.py").is_file()


def test_ids_are_unique_and_well_formed() -> None:
    ids = [rule.id for rule in RULES]
    expected = ["E9801", "E9802", "W9803", "W9804", "W9805", "E9806", "E9807", "W9808"]
    assert sorted(ids, key=lambda rule_id: rule_id[1:]) == expected
    assert len({rule_id[1:] for rule_id in ids}) == len(ids)
    assert all(re.fullmatch(r"[EW]98\d\d", rule_id) for rule_id in ids)


def test_ids_are_not_cfn_lints_own() -> None:
    builtin = {rule.id for rule in load_plugins(str(Path(cfnlint.rules.__file__).parent))}
    assert len(builtin) > 100
    assert not {rule.id for rule in RULES} & builtin


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_what_it_is(rule: Any) -> None:
    assert rule.shortdesc
    assert "\n" not in rule.shortdesc
    assert len(rule.shortdesc) <= 72
    assert rule.description
    assert rule.source_url.startswith("https://docs.aws.amazon.com/")
    assert rule.tags


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_setting_has_its_default(rule: Any) -> None:
    assert rule.config == {name: setting["default"] for name, setting in rule.config_definition.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_stand_alone(path: Path) -> None:
    """cfn-lint runs a rule file by its path: a relative import fails, and another file's rule would load twice."""
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 for node in imports)
    assert not [node.module for node in imports if str(node.module).startswith("generator.checks.rules")]
    first = next(node.lineno for node in imports if str(node.module).startswith("generator."))
    assert "sys.path.append(str(Path(__file__).resolve().parents[3]))" in "".join(path.read_text().splitlines()[:first])
