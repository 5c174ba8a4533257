"""Run commands: parallel work, temporary folders, signals, fewer garbage collections, installation of extras."""

from __future__ import annotations

import atexit
import fcntl
import gc
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Item = TypeVar("Item")
Result = TypeVar("Result")

DISTRIBUTION = "price-alert-stack"

COLLECTION_THRESHOLD = 200_000
"""New objects before a garbage collection. The default of 700 costs a tenth of composing and a sixth of linting."""

RESOLVED_WITH = {"local": ("boto3",)}
"""Packages to install together with an extra, because pip keeps only the packages that it is given compatible."""


NEW_S = 10
"""Age in seconds up to which an empty temporary file may belong to a run that has not marked it yet."""


@contextmanager
def in_background(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Start the work in another process and yield a function that waits for its result.

    Leaving the context ends work that nobody waited for. Work that fails in the other process runs again in this one
    when its result is requested, and raises there. With fewer than two `processors`, it runs only then.
    """
    if processors() < 2:
        yield work
        return
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if not child:
        _send(work, writer, parent)
    os.close(writer)
    with open(reader, "rb") as pipe:
        try:
            yield lambda: _received(pipe.read(), work)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def parallel_map(work: Callable[[Item], Result], items: Sequence[Item], min_per_process: int = 1) -> list[Result]:
    """Return the result for each item, in order, with at least `min_per_process` items in each process.

    Raises what the work raises.
    """
    count = max(1, min(processors(), len(items) // min_per_process))
    shares: list[Callable[[], list[Result]]] = [partial(list, map(work, items[first::count])) for first in range(count)]
    with ExitStack() as processes:
        others = [processes.enter_context(in_background(share)) for share in shares[1:]]
        done = [result() for result in [*shares[:1], *others]]
    return [done[number % count][number // count] for number in range(len(items))]


def run_all(work: Callable[[int], Result], count: int, workers: int) -> Generator[tuple[int, Result], None, None]:
    """Yield the number and the result of work(0), work(1), ... as they finish, in at most `workers` processes.

    Meant for long work that can be pickled. The processes are new interpreters, which is safe on every system and
    beside threads. Closing the generator ends them. Ctrl-C reaches only this process; the others exit if it is killed.
    """
    workers = min(workers, count)
    if workers == 1:
        yield from ((number, work(number)) for number in range(count))
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Keep the new interpreters from importing modules of the current folder.
    # Source: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH
    before = os.environ.get("PYTHONSAFEPATH", "")
    os.environ["PYTHONSAFEPATH"] = "1"
    spawn = multiprocessing.get_context("spawn")
    theirs, ours = spawn.Pipe(duplex=False)
    executor = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_exit_with_parent, initargs=(theirs,))
    try:
        with uninterrupted():
            numbers = {executor.submit(work, number): number for number in range(count)}
        for done in as_completed(numbers):
            yield numbers[done], done.result()
    except BaseException:
        ours.close()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        theirs.close()
        ours.close()
        os.environ["PYTHONSAFEPATH"] = before


@contextmanager
def exit_on_termination() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into a normal exit, so that nothing stays: no process, no temporary file.

    Leaves ignored signals ignored, for `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP)
    handled = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGHUP inside the context. Processes started inside never receive them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder and remove it at the end. Remove the folders of runs that were killed first."""
    import tempfile

    parent = Path(parent or tempfile.gettempdir())
    remove_abandoned(parent, prefix)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            mark_in_use(descriptor)
            yield Path(folder)
        finally:
            os.close(descriptor)


def mark_in_use(descriptor: int) -> None:
    """Lock an open temporary file or folder. The lock ends with this process, however it ends."""
    with suppress(OSError):  # Not every file system has locks.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove this user's temporary files and folders with the prefix that no running process has marked as in use."""
    with suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and _is_abandoned(folder / name):
                import shutil

                shutil.rmtree(folder / name, ignore_errors=True)
                with suppress(OSError):
                    (folder / name).unlink()


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        is_empty = not os.listdir(descriptor) if is_folder else status.st_size == 0
        if status.st_uid != os.getuid() or not (is_folder or stat.S_ISREG(status.st_mode)):
            return False
        if is_empty and time.time() - status.st_mtime < NEW_S:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def usable_processors() -> int:
    """Return the number of processors that this process may use, or all of them on systems other than Linux."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processors() -> int:
    """Return the number of processes that can work at once; 1 if it is not safe to fork this process.

    Forking is not safe on systems other than Linux, whose libraries may run threads of their own, or beside another
    thread. Source: https://docs.python.org/3/library/os.html#os.fork
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return usable_processors()


class OutOfTime(BaseException):
    """Work took longer than `time_limit` allows. No library catches this as an error of its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the context once it takes longer. Outside the main thread there is no limit.

    The limit of a surrounding context stays in force.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_signal: int, _frame: object) -> None:
        raise OutOfTime

    def report(lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not OutOfTime:
            hook(lost)

    hook = sys.unraisablehook
    before = signal.signal(signal.SIGALRM, expire)
    started, outer_s, outer_interval_s = time.monotonic(), 0.0, 0.0
    try:
        sys.unraisablehook = report
        # Again each second, because a destructor may lose an exception.
        outer_s, outer_interval_s = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook
        if outer_s:
            signal.setitimer(signal.ITIMER_REAL, max(outer_s - (time.monotonic() - started), 0.001), outer_interval_s)


@contextmanager
def few_collections() -> Iterator[None]:
    """Collect garbage rarely inside the context: commands end soon and keep most of what they create."""
    usual = gc.get_threshold()
    gc.set_threshold(COLLECTION_THRESHOLD, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def skip_final_collection() -> None:
    """Skip the garbage collection at interpreter exit, a tenth of the time of `generator template`.

    Frozen objects are not collected. Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    atexit.register(gc.freeze)


def install_command(extra: str) -> str:
    """Return the command that installs an optional extra for the running Python."""
    import shlex

    return shlex.join([sys.executable, "-m", "pip", "install", _requirement(extra), *RESOLVED_WITH.get(extra, ())])


def _requirement(extra: str) -> str:
    from importlib import metadata

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # The code runs from a folder in which nothing is installed.
        lines = []
    requirements = (line.partition("; ") for line in lines)
    matching = (requirement for requirement, _, marker in requirements if marker == f'extra == "{extra}"')
    return next(matching, f"{DISTRIBUTION}[{extra}]")


def _exit_with_parent(pipe: Connection) -> None:
    """In a worker: exit as soon as the other end of the pipe is closed or the parent process is gone."""

    def wait() -> None:
        pipe.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    """Exit with the code that shells report for a command ended by this signal."""
    sys.exit(128 + number)


def _end_with(parent: int) -> None:
    """In a child on Linux: end as soon as the parent does. Source: prctl(2), PR_SET_PDEATHSIG."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _send(work: Callable[[], object], writer: int, parent: int) -> NoReturn:
    """In the child: send the result and exit without exit handlers; send nothing if the work fails."""
    import pickle

    try:
        _end_with(parent)
        with open(writer, "wb") as pipe:
            pickle.dump((work(),), pipe)
    finally:
        os._exit(0)


def _received(sent: bytes, work: Callable[[], Result]) -> Result:
    import pickle

    try:
        (result,) = pickle.loads(sent)  # noqa: S301 - from this program's own copy, through a pipe of its own
    except (EOFError, pickle.UnpicklingError):  # The work failed or was ended: nothing or only a part arrived.
        return work()
    return result  # type: ignore[no-any-return]
