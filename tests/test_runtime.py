"""Parallel work returns the same results and errors as sequential work; garbage is collected rarely."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from generator import _runtime
from generator._runtime import COLLECTION_THRESHOLD, few_collections
from generator.cli.template import MIN_PER_PROCESS

MULTICORE = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and a second processor"
)


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run in a process without the test runner's threads."""
    text = textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)


@MULTICORE
def test_background_work_runs_in_another_process_and_returns_its_result() -> None:
    done = run("""
        import os
        from generator._runtime import in_background
        with in_background(lambda: (os.getpid(), "x" * 1_000_000)) as result:
            child, text = result()
        print(child != os.getpid(), len(text))
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("True 1000000\n", "", 0)


@MULTICORE
def test_a_result_of_none_does_not_repeat_the_work() -> None:
    done = run("""
        import os
        from generator._runtime import in_background
        def work():
            os.write(1, b"once ")
            return None
        with in_background(work) as result:
            print(result())
    """)
    assert (done.stdout, done.returncode) == ("once None\n", 0)


@MULTICORE
@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "sys.exit(4)", "raise OSError"])
def test_work_that_fails_in_the_background_runs_again_here(end: str) -> None:
    done = run(f"""
        import os, sys
        from generator._runtime import in_background
        here = os.getpid()
        def work():
            if os.getpid() != here:
                {end}
            return "done here"
        with in_background(work) as result:
            print(result())
    """)
    assert (done.stdout, done.stderr, done.returncode) == ("done here\n", "", 0)


@MULTICORE
def test_an_error_in_the_background_is_raised_by_the_caller() -> None:
    done = run("""
        from generator.errors import Fault, UnusableLinter
        from generator._runtime import in_background, parallel_map
        def work(number):
            if number == 3:
                raise UnusableLinter([Fault("here", "what", "do")])
            return number
        try:
            parallel_map(work, [0, 1, 2, 3, 4])
        except UnusableLinter as error:
            print(error.faults)
    """)
    assert "Fault(where='here'" in done.stdout, done
    assert (done.stderr, done.returncode) == ("", 0)


@MULTICORE
def test_unused_background_work_is_ended_and_leaves_no_process() -> None:
    done = run("""
        import os, time
        from generator._runtime import in_background
        started = time.monotonic()
        try:
            with in_background(lambda: time.sleep(30)):
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


@MULTICORE
def test_buffered_output_is_written_once() -> None:
    done = run("""
        import atexit
        from generator._runtime import in_background
        atexit.register(print, "end")
        print("begin")
        with in_background(int) as result:
            print(result())
    """)
    assert done.stdout == "begin\n0\nend\n"


@MULTICORE
def test_parallel_map_uses_every_processor_and_keeps_the_order() -> None:
    done = run("""
        import os
        from generator._runtime import parallel_map, processors
        pairs = parallel_map(lambda number: (number, os.getpid()), range(20))
        print([number for number, _ in pairs] == list(range(20)), len({pid for _, pid in pairs}) == processors())
    """)
    assert (done.stdout, done.stderr) == ("True True\n", "")


@MULTICORE
def test_only_processors_that_this_process_may_use_count() -> None:
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        assert _runtime.usable_processors() == 1
    finally:
        os.sched_setaffinity(0, usable)


def test_with_another_thread_all_work_runs_in_this_process() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert _runtime.processors() == 1
        with _runtime.in_background(os.getpid) as result:
            assert result() == os.getpid()
        assert set(_runtime.parallel_map(lambda _: os.getpid(), range(5))) == {os.getpid()}
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
@MULTICORE
def test_parallel_map_equals_map_for_every_number_of_items_and_processors() -> None:
    done = run("""
        from generator import _runtime
        for count in range(1, 6):
            _runtime.processors = lambda: count
            for items in map(range, range(13)):
                for least in (1, 2, 5, 20):
                    assert _runtime.parallel_map(str, items, least) == list(map(str, items)), (count, items)
        print("equal")
    """)
    assert (done.stdout, done.stderr) == ("equal\n", "")


@pytest.mark.slow
@MULTICORE
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


def test_few_collections_restores_the_threshold_even_after_an_error() -> None:
    @few_collections()
    def work() -> None:
        assert gc.get_threshold()[0] == COLLECTION_THRESHOLD
        raise ZeroDivisionError

    usual = gc.get_threshold()
    with pytest.raises(ZeroDivisionError):
        work()
    assert gc.get_threshold() == usual


@pytest.mark.slow
def test_few_collections_still_collects_garbage() -> None:
    class Node:
        left = 0

        def __init__(self) -> None:
            self.itself = self
            Node.left += 1

        def __del__(self) -> None:
            Node.left -= 1

    with few_collections():
        for _ in range(2 * COLLECTION_THRESHOLD):
            Node()
        assert Node.left < COLLECTION_THRESHOLD


def test_the_command_line_skips_the_final_collection() -> None:
    """Frozen objects are not collected; exit handlers run before the interpreter's final collection."""
    code = (
        "import atexit, gc, sys\nfrom generator.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "sys.argv = ['generator', '--version']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
