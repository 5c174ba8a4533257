"""The JSON Schema accepts what the commands accept, as far as a setting can be judged by itself."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from generator.config import fields, files
from generator.config.json_schema import json_schema
from generator.config.schema import Environment
from generator.errors import InvalidEnvironment
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT

Run = Callable[..., Result]

SCHEMA: Any = json_schema()
MINIMUM = {"name": "dev", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}


def is_valid(table: Any) -> bool:
    return not list(Draft4Validator(SCHEMA).iter_errors(table))


def test_the_command_prints_the_schema(generator: Run) -> None:
    Draft4Validator.check_schema(SCHEMA)
    assert json.loads(generator("schema").stdout) == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_valid(name: str) -> None:
    for folder in (FIXTURES / "environments", ROOT / "generator/skeleton/environments"):
        assert is_valid(tomllib.loads((folder / f"{name}.toml").read_text()))


@pytest.mark.parametrize(
    ("change", "is_accepted"),
    [
        ({}, True),
        ({"region": "nowhere"}, False),
        ({"nonsense": 1}, False),
        ({"traffic": {"webhooks_per_hour": 99}}, False),
        ({"traffic": {"webhooks_per_hour": 100, "peak_factor": "5"}}, False),
        ({"traffic": {}}, False),
        ({"account": {"on_shortfall": "fit"}}, True),
        ({"account": {"on_shortfall": "fits"}}, False),
        ({"tags": {"team": "prices"}}, True),
        ({"tags": {"aws:team": "prices"}}, False),
        ({"functions": {"check_alerts": {"memory_mb": 1.5}}}, False),
        ({"operations": {"deletion_protection": True, "email": ""}}, True),
    ],
)
def test_the_schema_accepts_what_the_commands_accept(change: dict[str, Any], is_accepted: bool) -> None:
    table = {**MINIMUM, **change}
    assert is_valid(table) == is_accepted
    if is_accepted:
        files.load(table)
    else:
        with pytest.raises(InvalidEnvironment):
            files.load(table)


def test_every_setting_is_described_and_every_default_is_valid() -> None:
    for key in fields.keys(Environment):
        found = SCHEMA
        for name in key.split("."):
            found = found["properties"][name]
        assert found["description"] if "items" not in found else found["items"], key
        if "default" in found:
            assert not list(Draft4Validator(found).iter_errors(found["default"])), key
