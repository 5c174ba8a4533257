"""Numbers, lists and tables look the same in everything the tool prints."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import _format


@pytest.mark.parametrize(
    ("value", "text"),
    [(105, "105"), (0.5, "0.5"), (1000.0, "1,000"), (1e-7, "0.0000001"), (Decimal("0.20"), "0.2"), (6e6, "6,000,000")],
)
def test_a_setting_is_printed_as_written(value: float | Decimal, text: str) -> None:
    assert _format.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7.2917, "7.29"), (1388.9, "1,390"), (0.00055555, "0.000556"), (100.0, "100"), (999.96, "1,000")],
)
def test_a_measured_figure_has_three_significant_digits(value: float, text: str) -> None:
    assert _format.significant(value) == text


@given(st.floats(1e-9, 1e15))
def test_no_figure_is_in_scientific_notation_and_each_is_within_half_a_per_cent(value: float) -> None:
    text = _format.significant(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.005)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0046, "0.46 %"), (0.5, "50 %"), (1, "100 %"), (0, "0 %"), (0.000051, "0.0051 %"), (1e-9, "0.0000001 %")],
)
def test_a_share_has_two_significant_digits(share: float, text: str) -> None:
    assert _format.percent(share) == text


@pytest.mark.parametrize(
    ("per_s", "text"),
    [(69.444, "69.4/s"), (1388.9, "1,390/s"), (0.01, "0.01/s"), (1 / 3600, "1/h"), (0.0099, "35.6/h"), (0, "0/s")],
)
def test_a_rate_is_per_second_or_where_it_is_low_per_hour(per_s: float, text: str) -> None:
    assert _format.rate(per_s) == text


@pytest.mark.parametrize(("amount", "text"), [(Decimal("378.33"), "378.33 USD"), (1234.5, "1,234.50 USD")])
def test_money_is_to_the_cent(amount: float | Decimal, text: str) -> None:
    assert _format.usd(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 ms"), (0.35, "350 ms"), (0.9994, "999 ms"), (1, "1 s"), (1.5, "1.5 s"), (59.96, "60 s")),
        *((90, "1.5 min"), (300, "5 min"), (3600, "1 h"), (86_400, "24 h"), (172_800, "2 days")),
        *((118_800, "33 h"), (1_209_600, "14 days")),
    ],
)
def test_a_duration_is_in_the_unit_that_a_reader_would_choose(seconds: float, text: str) -> None:
    assert _format.duration(seconds) == text


def test_a_noun_follows_its_count() -> None:
    assert _format.counted(1, "function") == "1 function"
    assert _format.counted(0, "function") == "0 functions"
    assert _format.counted(51_200, "byte") == "51,200 bytes"


def test_words_are_joined_as_in_a_sentence() -> None:
    assert _format.joined([]) == ""
    assert _format.joined(["a"]) == "a"
    assert _format.joined(["a", "b"]) == "a and b"
    assert _format.joined(["a", "b", "c"]) == "a, b and c"


def test_a_long_list_names_the_first_few_and_counts_the_rest() -> None:
    names = [f"f{number}" for number in range(1_010)]
    assert _format.listed(names[:8]) == "f0, f1, f2, f3, f4, f5, f6, f7"
    assert _format.listed(names[:9]) == "f0, f1, f2, f3, f4, f5, f6, f7, and 1 more"
    assert _format.listed(names) == "f0, f1, f2, f3, f4, f5, f6, f7, and 1,002 more"
    assert _format.listed([]) == ""


def test_a_long_list_of_figures_sums_up_the_rest() -> None:
    figures = [(name, number) for number, name in enumerate("abcdefghij", 1)]
    assert _format.listed_with_sum(figures[:8]) == "a 1, b 2, c 3, d 4, e 5, f 6, g 7, h 8"
    assert _format.listed_with_sum(figures) == "a 1, b 2, c 3, d 4, e 5, f 6, g 7, h 8, and 2 more with 19"


def test_columns_of_a_text_table_line_up() -> None:
    assert _format.text_table(("Name", "Count"), [("a", "1"), ("longer", "1,000")], right=[1], total=("", "1,001")) == [
        "Name    Count",
        "------  -----",
        "a           1",
        "longer  1,000",
        "------  -----",
        "        1,001",
    ]


def test_a_text_table_needs_neither_header_nor_total() -> None:
    assert _format.text_table((), [("a", "1"), ("long", "")]) == ["a     1", "long"]
    assert _format.text_table(("A", "B"), []) == ["A  B", "-  -"]


def test_a_bar_or_a_line_end_in_a_markdown_cell_starts_no_new_cell_or_row() -> None:
    rows = [("1|2", "3\n4"), ("escaped\\|already", "5\r\n6")]
    assert _format.markdown_table(("A", "B"), rows, right=[1]) == [
        "| A | B |",
        "| --- | ---: |",
        "| 1\\|2 | 3 4 |",
        "| escaped\\|already | 5 6 |",
    ]


def test_code_survives_backticks_bars_and_line_ends() -> None:
    assert _format.code("a") == "`a`"
    assert _format.code("a`b") == "`` a`b ``"
    assert _format.code("a|b") == "`a\\|b`"
    assert _format.code("a\nb") == "`a⏎b`"
    assert _format.code("") == "(empty)"


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b2J", "\\u009b2J"),
        ("a\r\nb", "a\\r\\nb"),
        ("\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("a\u200bb\u2060\ufeff\ufe0f", "a\\u200bb\\u2060\\ufeff\\ufe0f"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\u0085d"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\U000e0041", "\\udb40\\udc41"),
    ],
)
def test_invisible_characters_become_visible_and_still_mean_the_same_in_json(foreign: str, shown: str) -> None:
    assert _format.visible(foreign) == shown
    assert _format.visible(json.dumps(foreign, ensure_ascii=False)) == json.dumps(foreign)


def test_letters_of_any_script_stay_as_they_are() -> None:
    text = "Größe 数 🚀 → ü"
    assert _format.visible(text) == _format.printable(text) == text


@pytest.mark.parametrize("line", ["::error::no", "  ::error::no", "\u200b::error::no", "##[error]no", "ok ##[group]no"])
def test_output_commands_no_workflow(line: str) -> None:
    """As the runner reads a line: https://github.com/actions/runner, ActionCommand.cs."""
    for printed in _format.printable(f"first\n{line}").split("\n"):
        assert not printed.lstrip(" \t").startswith("::")
        assert "##[" not in printed


def test_output_keeps_lines_tabs_and_type_names() -> None:
    text = "AWS::Lambda::Function\n\ta: b\n- `::`\n"
    assert _format.printable(text) == text


@pytest.mark.parametrize(
    ("foreign", "markdown"),
    [
        ("[a](http://b)", "\\[a\\](http\\://b)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("a\n## b", "a ## b"),
        ("@admin closes #1", "@<!-- -->admin closes #<!-- -->1"),
        ("$\\text{x}$", "<span>$</span>\\\\text{x}<span>$</span>"),
        ("&#124;", "\\&#<!-- -->124;"),
        ("www.b.com", "www\\.b.com"),
    ],
)
def test_prose_has_no_markup_link_mention_or_formula(foreign: str, markdown: str) -> None:
    assert _format.prose(foreign) == markdown


def test_a_backslash_before_a_bar_does_not_end_the_cell() -> None:
    """GitHub reads an escaped backslash first, so that the bar behind it would end the cell."""
    assert _format.code("a\\|<b>") == "<code>a&#92;&#124;&#60;b&#62;</code>"
