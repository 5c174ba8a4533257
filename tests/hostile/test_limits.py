"""Time limits end foreign code, and nothing that was not checked gets a good verdict."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from generator import _runtime
from generator.account import connection, preflight
from generator.account.connection import Unavailable
from generator.account.deployment import failed, passed, skipped, warned
from generator.checks import linting
from generator.checks.request import LintJob
from generator.cli.options import EnvironmentName

Run = Callable[..., Result]


def test_a_time_limit_ends_code_that_catches_all_exceptions() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                time.sleep(1)

    with pytest.raises(_runtime.OutOfTime), _runtime.time_limit(0.01):
        stubborn()


def test_a_time_limit_holds_after_one_inside_it() -> None:
    def twice() -> None:
        with _runtime.time_limit(5):
            pass
        time.sleep(5)

    with pytest.raises(_runtime.OutOfTime), _runtime.time_limit(0.05):
        twice()


def test_a_time_limit_that_ends_a_destructor_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def __del__(self) -> None:
            while not printed:
                time.sleep(0.01)

    def destroy() -> None:
        Slow()
        time.sleep(5)

    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    with pytest.raises(_runtime.OutOfTime), _runtime.time_limit(0.01):
        destroy()
    assert printed == []


def test_a_time_limit_without_a_signal_handler_leaves_the_hook_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("main interpreter only")

    hook = sys.unraisablehook
    monkeypatch.setattr(signal, "signal", refuse)
    with pytest.raises(ValueError, match="main interpreter only"), _runtime.time_limit(1):
        pass
    assert sys.unraisablehook is hook


@pytest.mark.slow
def test_a_file_that_keeps_cfn_lint_busy_is_a_finding(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of cfn-lint doubles with each level of lists."""
    monkeypatch.setattr(linting, "LIMIT_S", 0.5)
    nested = '{"Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"X": %s}}}}'
    Path("nested.json").write_text(nested % ("[" * 90 + "]" * 90))
    result = generator("check", "nested.json")
    assert result.exit_code == 1
    assert "error E0002: cfn-lint did not finish within 0.5 s, so only the quota is checked" in result.stdout


def test_the_limit_of_cfn_lint_ends_before_its_findings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting, "run_template_by_file_path", lambda *_: iter(["a", "b"]))
    runner: Any = SimpleNamespace(rules=None)
    for _ in linting._matches(runner, LintJob(Path("a.json"))):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_preflight_does_not_pass_when_every_check_is_skipped() -> None:
    unanswered = {id_: skipped("no permission", "") for id_ in preflight.CHECKS}
    assert not preflight.passes({**unanswered, "runtime": passed("in time"), "sms-region": passed("supported")})
    assert preflight.passes({**unanswered, "key": passed("there")})


@pytest.mark.parametrize("result", [failed, warned, skipped])
def test_a_check_that_does_not_pass_needs_a_remedy(result: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="remedy"):
        result("the account is full")


def test_endless_pages_count_as_a_missing_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> Iterator[None]:
        while True:
            yield None

    pages = SimpleNamespace(build_full_result=lambda: sum(1 for _ in endless()))
    paginator = SimpleNamespace(paginate=lambda **_: pages)
    client = SimpleNamespace(can_paginate=lambda _: True, get_paginator=lambda _: paginator)
    monkeypatch.setattr(connection, "PAGES_S", 0.05)
    account: Any = object.__new__(connection.LiveAccount)
    monkeypatch.setattr(connection.LiveAccount, "_client", lambda *_: client)
    with pytest.raises(Unavailable, match="did not end within"):
        account.request("lambda", "ListFunctions", all_pages=True)


def test_completion_offers_no_name_that_a_shell_would_run(project: Path) -> None:
    for name in ("$(touch x)", "`touch x`", "prod;touch x", "p\nq", "-p", "\udcff"):
        Path(f"environments/{name}.toml").write_text("")
    offered = EnvironmentName().shell_complete(None, None, "")  # type: ignore[arg-type]
    assert [one.value for one in offered] == ["dev", "prod", "staging"]
