"""Tags of the stack: accepted and refused tags, and the deploy command on the page."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator.config.files import read
from generator.errors import InvalidEnvironment

Run = Callable[..., Result]
TABLE = {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}


def test_tags_are_read_in_the_order_of_their_names() -> None:
    tags = {"team": "prices", "cost center": "a=1", "empty": ""}
    assert read({**TABLE, "tags": tags}, "prod").tags == (("cost center", "a=1"), ("empty", ""), ("team", "prices"))
    assert read(TABLE, "prod").tags == ()


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"aws:team": "x"}, '"aws:team" = "x" is not tags of'),
        ({"a=b": "x"}, '"a=b" = "x" is not'),
        ({"team": 1}, '"team" = 1 is not'),
        ({"team": "a$b"}, '"team" = "a$b" is not'),
        ({"team": "x" * 257}, "is not tags of"),
        ({f"tag{i}": "x" for i in range(51)}, "51 entries are more than 50; remove some"),
        ("team", '"team" is not a table; write a table with tags of'),
    ],
)
def test_a_tag_that_aws_refuses_is_a_fault(tags: object, what: str) -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        read({**TABLE, "tags": tags}, "prod")
    assert str(refused.value).startswith("prod: tags: ")
    assert what in str(refused.value)


def test_tags_are_in_the_deploy_command_and_not_in_the_template(generator: Run) -> None:
    before = Path("templates_out/prod.json").read_text()
    path = Path("environments/prod.toml")
    path.write_text(path.read_text() + '\n[tags]\nteam = "crypto prices"\nstage = "prod"\n')
    assert generator("template", "prod").exit_code == 0
    assert Path("templates_out/prod.json").read_text() == before
    page = Path("templates_out/prod.md").read_text()
    (command,) = [text for text in page.replace("\\\n", "").splitlines() if "cloudformation deploy" in text]
    words = shlex.split(command)
    assert words[words.index("--tags") + 1 :] == ["stage=prod", "team=crypto prices"]
