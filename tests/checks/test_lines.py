"""A finding names the line on which its value begins, in every notation of a template."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from generator.checks import lines
from generator.checks.lines import written_place

RESERVED = ("Resources", "Fn", "Properties", "ReservedConcurrentExecutions")

BLOCK = """Outputs: {Fn: {Value: 1}}
Resources:
  Other:
    Properties: {ReservedConcurrentExecutions: 1}
  "Fn":
    Type: AWS::Lambda::Function
    Properties:
      ReservedConcurrentExecutions: !If
        - A
        - 900
        - 1
"""

LOOPS = """Resources:
  Fn::ForEach::Outer:
    - Team
    - [A, B]
    - Fn::ForEach::Inner:
        - Name
        - [Load, Send]
        - ${Name}${Team}:
            Type: AWS::Lambda::Function
            Properties:
              ReservedConcurrentExecutions: 500
  Load:
    Type: AWS::Lambda::Function
"""


@pytest.mark.parametrize(
    ("text", "location", "line"),
    [
        (BLOCK, RESERVED, 8),
        (BLOCK, (*RESERVED, "Fn::If", 1), 8),
        (BLOCK, ("Resources", "Fn", "Condition"), 5),
        (BLOCK, ("Resources", "None"), 2),
        (BLOCK, (), 1),
        (LOOPS, ("Resources", "LoadA", *RESERVED[2:]), 11),
        (LOOPS, ("Resources", "Load", "Type"), 13),
        (LOOPS, ("Resources", "Fn::ForEach::Outer"), 2),
        ("Transform: [A, B]\nResources: {}", ("Transform",), 1),
        ("Resources: {}\nTransform: [A, B]", ("Transform",), 2),
        ('{"Resources": {"Fn": {\n"Note": "\\ud83d\\ude00",\n"Properties": {}}}}', RESERVED, 3),
        ('{\t"Resources":{"Fn":{"Properties":\n{"ReservedConcurrentExecutions":9}}}}', RESERVED, 2),
        ('{"Note": "\u2028\u2029\u0085",\n"Resources": {"Fn": {}}}', ("Resources", "Fn"), 2),
        ('{"Note": "\x7f\uffff",\n"Resources": {"Fn": {}}}', ("Resources", "Fn"), 2),
        ("Resources:\n  yes: 1\n  0x10: 1\n  null: {}\n  .inf: 1", ("Resources", "true"), 2),
        ("Resources:\n  yes: 1\n  0x10: 1\n  null: {}\n  .inf: 1", ("Resources", "16"), 3),
        ("Resources:\n  yes: 1\n  0x10: 1\n  null: {}\n  .inf: 1", ("Resources", "null"), 4),
        ("Resources:\n  yes: 1\n  0x10: 1\n  null: {}\n  .inf: 1", ("Resources", "Infinity"), 5),
        ("Resources: [", RESERVED, 1),
        ("Resources: [Fn]", RESERVED, 1),
        ("", RESERVED, 1),
    ],
)
def test_the_line_is_that_of_the_last_key_that_is_found(
    text: str, location: tuple[str | int, ...], line: int, tmp_path: Path
) -> None:
    path = tmp_path / "template"
    path.write_text(text)
    assert written_place(path, location)[0] == line


@pytest.mark.parametrize(
    ("location", "written"),
    [
        (("Resources", "Load", "Type"), ("Resources", "Load", "Type")),
        (("Resources", "Load", "None", "Fn::If", 1), ("Resources", "Load", "None", "Fn::If", 1)),
        (
            ("Resources", "LoadA", *RESERVED[2:], "Fn::If", 1),
            (
                *("Resources", "Fn::ForEach::Outer", 2, "Fn::ForEach::Inner", 2, "${Name}${Team}"),
                *(*RESERVED[2:], "Fn::If", 1),
            ),
        ),
    ],
)
def test_what_a_loop_makes_is_written_in_the_loop(
    location: tuple[str | int, ...], written: tuple[str | int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "template"
    path.write_text(LOOPS)
    assert written_place(path, location)[1] == written


def test_of_several_loops_that_may_make_a_name_the_one_with_the_longest_text_counts(tmp_path: Path) -> None:
    path = tmp_path / "template"
    path.write_text(
        "Resources:\n"
        "  Fn::ForEach::A: [X, [a], {'${X}': {Type: AWS::SNS::Topic}}]\n"
        "  Fn::ForEach::B: [X, [a], {'N&{X}': {Type: AWS::Lambda::Function}}]\n"
    )
    assert written_place(path, ("Resources", "Na")) == (3, ("Resources", "Fn::ForEach::B", 2, "N&{X}"))
    assert written_place(path, ("Resources", "aN")) == (2, ("Resources", "Fn::ForEach::A", 2, "${X}"))


def test_a_loop_with_many_variables_in_its_key_is_matched_at_once(tmp_path: Path) -> None:
    path = tmp_path / "template"
    key = "a" + "${Y}a" * 40
    path.write_text(f"Resources:\n  Fn::ForEach::A:\n    - Y\n    - [a]\n    - {key}!: {{}}\n      {key}b: {{}}\n")
    assert written_place(path, ("Resources", "a" * 200))[0] == 1
    assert written_place(path, ("Resources", "a" * 200 + "b"))[0] == 6
    assert written_place(path, ("Resources", "a" * 40 + "b"))[0] == 1


def test_the_entries_of_a_section_are_read_once_for_all_its_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "template"
    path.write_text(BLOCK)
    entries = Mock(wraps=lines._entries)
    monkeypatch.setattr(lines, "_entries", entries)
    for _ in range(3):
        written_place(path, RESERVED)
    assert entries.call_count == len(RESERVED)
