"""Format numbers, lists, tables and foreign text, the same way in everything that the tool prints.

A count needs no function: write `f"{number:,}"` (1,000), or `counted(number, "byte")` (51,200 bytes).

Foreign text comes from a template, an environment file, a file name or a service. `visible` puts it on one
line of a terminal, a picture or a SARIF message, `code` and `prose` into Markdown, and `printable` checks all output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

MOST_LISTED = 8
"""Items of a list to name; the rest are only counted."""

UNITS = ((2 * 86_400, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min"), (1, 1, "s"), (0, 0.001, "ms"))
"""Units of a duration, longest first: the fewest seconds for which to use it, its length in seconds, and its name."""

LINE_END = r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"
"""A pattern of every line end of any Markdown reader. Each would end a table row."""

SHAPELESS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0").union(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Characters that nobody sees although `str.isprintable` accepts them. Source: Unicode, DerivedCoreProperties.txt,
Default_Ignorable_Code_Point."""

WORKFLOW_COMMAND = re.compile(r"^[ \t]*:(?=:)|#(?=#\w*\[)", re.MULTILINE)
"""The beginning of a command to the program that runs a workflow: `::error::` at the start of a line, with or
without indentation, and `##[error]` anywhere. Source: https://github.com/actions/runner, ActionCommand.cs."""

ACTIVE_MARKDOWN = r"(?i:[\\`*_<>|\[\]&~]|:(?=//)|(?<=www)\.)"
"""Characters that begin code, emphasis, HTML, a cell, a link or an entity unless a backslash precedes them."""


def number(value: float | Decimal) -> str:
    """Return a figure exactly as written, never in scientific notation: 0.5, 1,000, 0.0000133334."""
    written = f"{value:,}"
    if isinstance(value, int | float) and "e" not in written:
        return written.removesuffix(".0")
    from decimal import Decimal

    return f"{Decimal(str(value)).normalize():,f}"


def significant(value: float, digits: int = 3) -> str:
    """Return a figure rounded to significant digits, never in scientific notation: 0.000556, 13.9, 1,390."""
    return f"{float(f'{value:.{digits}g}'):,.12f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Return a share with two significant digits: 0.46 %, 35 %."""
    return f"{significant(share * 100, 2)} %"


def rate(per_s: float) -> str:
    """Return a rate with three significant digits: 69.4/s, or 1/h where it is below 0.01/s."""
    return f"{significant(per_s)}/s" if per_s >= 0.01 or per_s == 0 else f"{significant(per_s * 3600)}/h"


def usd(amount: float | Decimal) -> str:
    """Return an amount of money to the cent: 378.33 USD."""
    return f"{amount:,.2f} USD"


def duration(seconds: float) -> str:
    """Return a duration with three significant digits in a fitting unit: 350 ms, 1.5 s, 5 min, 24 h, 14 days."""
    length_s, unit = next((length_s, unit) for least_s, length_s, unit in UNITS if seconds >= least_s)
    return f"{significant(seconds / length_s)} {unit}"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: 1 function, 2 functions, 1,000 bytes."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


def joined(words: Sequence[str]) -> str:
    """Return words as an English list: "a, b and c"."""
    *others, last = words or ("",)
    return f"{', '.join(others)} and {last}" if others else last


def shortened(words: Sequence[str], rest: str, most: int = MOST_LISTED) -> list[str]:
    """Return the first `most` words, followed by `rest` if there are more."""
    return [*words[:most], rest] if len(words) > most else [*words]


def listed(words: Sequence[str], most: int = MOST_LISTED) -> str:
    """Return the first `most` words and the number of the others: "a, b, and 7 more"."""
    return ", ".join(shortened(words, f"and {len(words) - most:,} more", most))


def listed_with_sum(figures: Sequence[tuple[str, int]]) -> str:
    """Return the first names with their figures, and the sum of the others: "a 20, b 10, and 7 more with 35"."""
    others = sum(figure for _, figure in figures[MOST_LISTED:])
    rest = f"and {len(figures) - MOST_LISTED:,} more with {others:,}"
    return ", ".join(shortened([f"{name} {figure:,}" for name, figure in figures], rest))


def as_json(report: object) -> str:
    """Return a report as JSON text for programs that read the output."""
    import json

    return json.dumps(report, indent=1)


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), total: Sequence[str] = ()
) -> list[str]:
    """Return a table for the terminal, with each column as wide as its longest cell. Cells may be foreign text.

    The columns in `right` are aligned right. Rules separate the header, which may be empty, and the total.
    """
    body = [[*map(visible, row)] for row in rows]
    right_columns = frozenset(right)
    widths = [max(map(len, column)) for column in zip(*filter(None, (header, *body, total)), strict=True)]
    rule = "  ".join("-" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if column in right_columns else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    head = [line(header), rule] if header else []
    foot = [rule, line(total)] if total else []
    return [*head, *map(line, body), *foot]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Return a Markdown table whose cells are Markdown. The columns in `right` are aligned right."""
    right_columns = frozenset(right)
    rule = ["---:" if column in right_columns else "---" for column in range(len(header))]
    return [f"| {' | '.join(map(_cell, cells))} |" for cells in (header, rule, *rows)]


def markdown_details(summary: str, lines: Iterable[str]) -> list[str]:
    """Return Markdown that a reader of the page opens with a click on the summary, which is plain text."""
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>"]


def visible(text: str, kept: str = "") -> str:
    """Return foreign text on one line, with JSON's escape for each character that is not visible, such as \\u001b.

    Line ends, terminal controls, characters that reverse the direction of text and halves of surrogate pairs are not
    visible. Characters in `kept` stay. In a JSON text, the result means the same as before.
    """
    others = text.translate(dict.fromkeys(map(ord, kept))) if kept else text
    if others.isprintable() and SHAPELESS.isdisjoint(others):
        return text
    import json

    return "".join(
        char if char in kept or (char.isprintable() and char not in SHAPELESS) else json.dumps(char)[1:-1]
        for char in text
    )


def printable(text: str) -> str:
    """Return output that neither controls a terminal nor commands a workflow. Lines and tabs stay."""
    return WORKFLOW_COMMAND.sub(_disarmed, visible(text, "\n\t"))


def _disarmed(command: re.Match[str]) -> str:
    return f"{command[0][:-1]}\\u{ord(command[0][-1]):04x}"


def code(text: str) -> str:
    """Return literal text as Markdown code that survives a table and backticks of its own."""
    if not text:
        return "(empty)"
    content = visible(text if text.isprintable() else re.sub(LINE_END, "⏎", text))
    if "\\|" in content:  # No backslash can escape the bar of a cell after another backslash.
        entities = "".join(char if char.isalnum() else f"&#{ord(char)};" for char in content)
        return f"<code>{entities.replace('&#64;', '&#64;<!-- -->')}</code>"
    longest = max((len(ticks) for ticks in re.findall("`+", content)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    content = content.replace("|", "\\|")
    return f"{fence}{space}{content}{space}{fence}"


def prose(text: str) -> str:
    """Return literal text as one line of Markdown without any markup, link, mention or formula."""
    content = re.sub(ACTIVE_MARKDOWN, r"\\\g<0>", visible(re.sub(LINE_END, " ", text).strip()))
    # Mentions, references to issues and formulas are found in the rendered text, where no backslash is left.
    return re.sub(r"([@#])(?=\w)", r"\1<!-- -->", content).replace("$", "<span>$</span>")


def _cell(markdown: str) -> str:
    """Escape bars and line ends, which would end the cell or the row. Bars that are escaped already stay."""
    if "|" not in markdown and markdown.isprintable():
        return markdown
    return re.sub(LINE_END, " ", re.sub(r"(?<!\\)\|", r"\\|", markdown))
