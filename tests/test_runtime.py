"""Work beside: in processes of its own where that is safe, with the same results and the same errors as without."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from generator import _runtime
from generator.cli.template import MIN_PER_PROCESS

SECOND = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="no second processor to work on"
)


def run(script: str) -> subprocess.CompletedProcess[str]:
    """In a process without the threads that the test runner has."""
    text = textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)


@SECOND
def test_work_beside_is_done_in_another_process_and_its_result_comes_back() -> None:
    done = run("""
        import os
        from generator._runtime import beside
        with beside(lambda: (os.getpid(), "x" * 1_000_000)) as result:
            child, text = result()
        print(child != os.getpid(), len(text))
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("True 1000000\n", "", 0)


@SECOND
def test_an_empty_result_is_a_result_and_the_work_is_not_done_again() -> None:
    done = run("""
        import os
        from generator._runtime import beside
        def work():
            os.write(1, b"once ")
            return None
        with beside(work) as result:
            print(result())
    """)
    assert (done.stdout, done.returncode) == ("once None\n", 0)


@SECOND
@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "sys.exit(4)", "raise OSError"])
def test_work_that_breaks_off_beside_is_done_here(end: str) -> None:
    done = run(f"""
        import os, sys
        from generator._runtime import beside
        here = os.getpid()
        def work():
            if os.getpid() != here:
                {end}
            return "done here"
        with beside(work) as result:
            print(result())
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("done here\n", "", 0)


@SECOND
def test_work_that_raises_raises_where_it_is_waited_for() -> None:
    done = run("""
        from generator.errors import Fault, UnusableLinter
        from generator._runtime import beside, spread
        def work(number):
            if number == 3:
                raise UnusableLinter([Fault("here", "what", "do")])
            return number
        try:
            spread(work, [0, 1, 2, 3, 4])
        except UnusableLinter as error:
            print(error.faults)
    """)
    assert "Fault(where='here'" in done.stdout, done
    assert (done.stderr, done.returncode) == ("", 0)


@SECOND
def test_work_that_nobody_waits_for_is_ended_and_leaves_no_process() -> None:
    done = run("""
        import os, time
        from generator._runtime import beside
        started = time.monotonic()
        try:
            with beside(lambda: time.sleep(30)):
                raise KeyError
        except KeyError:
            pass
        print(time.monotonic() - started < 15)
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("none left")
    """)
    assert (done.stdout, done.stderr) == ("True\nnone left\n", "")


@SECOND
def test_what_the_program_has_not_yet_written_is_written_once() -> None:
    done = run("""
        import atexit
        from generator._runtime import beside
        atexit.register(print, "end")
        print("begin")
        with beside(int) as result:
            print(result())
    """)
    assert done.stdout == "begin\n0\nend\n"


@SECOND
def test_shares_are_worked_out_at_once_and_come_back_in_order() -> None:
    done = run("""
        import os
        from generator._runtime import processors, spread
        pairs = spread(lambda number: (number, os.getpid()), range(20))
        print([number for number, _ in pairs] == list(range(20)), len({pid for _, pid in pairs}) == processors())
    """)
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_beside_another_thread_everything_is_done_here() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert _runtime.processors() == 1
        with _runtime.beside(os.getpid) as result:
            assert result() == os.getpid()
        assert set(_runtime.spread(lambda _: os.getpid(), range(5))) == {os.getpid()}
    finally:
        stop.set()
        thread.join()


@SECOND
def test_spread_is_map_for_every_number_of_items_and_processors() -> None:
    done = run("""
        from generator import _runtime
        for count in range(1, 6):
            _runtime.processors = lambda: count
            for items in map(range, range(13)):
                for least in (1, 2, 5, 20):
                    assert _runtime.spread(str, items, least) == list(map(str, items)), (count, items)
        print("equal")
    """)
    assert (done.stdout, done.stderr) == ("equal\n", "")


@SECOND
def test_many_environments_are_written_as_each_would_be_alone(project: Path) -> None:
    names = [f"many-{number}" for number in range(1 + len(os.sched_getaffinity(0)) * MIN_PER_PROCESS)]
    for number, name in enumerate(names, start=1):
        account = f'[account]\nname = "{name}"\nconcurrency_limit = 1000'
        text = f'name = "{name}"\nregion = "us-east-1"\n[traffic]\nwebhooks_per_hour = {1000 * number}\n{account}\n'
        (project / f"environments/{name}.toml").write_text(text)
    template = [sys.executable, "-m", "generator", "template"]
    written = subprocess.run([*template, *names], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in written.stdout.splitlines()] == [f"templates_out/{name}.json" for name in names]
    for name in (names[0], names[1], names[-2], names[-1]):
        alone = subprocess.run([*template, name, "--output", "-"], capture_output=True, text=True, check=True).stdout
        assert (project / f"templates_out/{name}.json").read_text() == alone
        assert (project / f"templates_out/{name}.md").read_text().startswith(f"# {name}\n")
