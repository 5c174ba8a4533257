"""A handler's source as the lines that the template ships."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from importlib import resources


@cache
def shipped_lines(handler: str) -> tuple[str, ...]:
    """The handler's lines without docstrings, comment lines and blank lines, and with one space an indent.

    What runs is unchanged, a changed line stays one changed line, and the template stays below CloudFormation's
    51,200 bytes. A handler must not have strings that span lines; the tests compare the syntax trees.
    """
    source = resources.files("generator.handlers").joinpath(f"{handler}.py").read_text(encoding="utf-8")
    dropped = _docstring_lines(source) | _comment_lines(source)
    lines = enumerate(source.splitlines(), start=1)
    return tuple(_reindented(line) for number, line in lines if line.strip() and number not in dropped)


def _docstring_lines(source: str) -> set[int]:
    """A docstring that is all there is of a body stays: without it the body would be empty."""
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last), _, *_]:
                    dropped |= set(range(first, (last or first) + 1))
    return dropped


def _comment_lines(source: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
    }


def _reindented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * ((len(line) - len(text)) // 2) + text.rstrip()
