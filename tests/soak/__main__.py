"""Run many seeds on all processors: `python -m tests.soak --seeds 100000`."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter

import click

from tests.soak.run import play, report, violations

CHUNK = 200


def _run(start: int, count: int) -> tuple[int, list[int], Counter[str]]:
    """Return the number of seeds that ran, those that violate an invariant, and the count of each event."""
    bad, happened = [], Counter[str]()
    for seed in range(start, start + count):
        world = play(seed)
        happened["SMS"] += len(world.history.sms)
        happened["invocations"] += len(world.history.invocations)
        happened["faults"] += sum(len(one.fates) for one in world.history.invocations)
        if violations(world):
            bad.append(seed)
    return count, bad, happened


def _chunk(start_and_count: tuple[int, int]) -> tuple[int, list[int], Counter[str]]:
    return _run(*start_and_count)


@click.command()
@click.option("--seeds", default=100_000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--processes", default=os.cpu_count(), show_default=True, help="How many processes run them.")
def main(seeds: int, first: int, processes: int) -> None:
    """Simulate the shipped handlers with every seed, and stop at the first that violates an invariant."""
    chunks = [(start, min(CHUNK, first + seeds - start)) for start in range(first, first + seeds, CHUNK)]
    done, happened, started = 0, Counter[str](), time.monotonic()
    with multiprocessing.Pool(processes) as pool:
        for count, bad, counts in pool.imap_unordered(_chunk, chunks):
            done += count
            happened += counts
            print(f"\r{done:,} of {seeds:,} seeds", end="", file=sys.stderr, flush=True)
            if bad:
                print(f"\n{report(bad[0])}")
                raise SystemExit(1)
    facts = ", ".join(f"{number:,} {name}" for name, number in happened.items())
    print(f"\n{seeds:,} seeds in {time.monotonic() - started:.0f} s without a violation: {facts}")


if __name__ == "__main__":
    main()
