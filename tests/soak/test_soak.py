"""The shipped handlers keep every invariant under every fault, and a violation comes with its shortest history."""

from __future__ import annotations

import pytest

from tests.conftest import SCALE
from tests.soak.run import play, report, violations
from tests.soak.test_invariants_bite import BROKEN

SEEDS = 200 * SCALE


@pytest.mark.slow
def test_no_seed_violates_an_invariant() -> None:
    happened = {"SMS": 0, "killed": 0, "error": 0, "throttled": 0}
    for seed in range(SEEDS):
        world = play(seed)
        if violations(world):
            pytest.fail(report(seed))
        happened["SMS"] += len(world.history.sms)
        for invocation in world.history.invocations:
            for word in ("killed", "throttled"):
                happened[word] += any(word in fate for fate in invocation.fates)
            happened["error"] += invocation.outcome == "error"
    assert min(happened.values()) > SEEDS / 10, happened


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["token", "hmac"])
def test_no_seed_violates_an_invariant_with_a_source(scheme: str) -> None:
    """Every price comes from the source, whose secret is rotated and whose senders repeat what was not answered."""
    answers: set[int] = set()
    for seed in range(SEEDS // 8):
        world = play(seed, scheme=scheme)
        assert violations(world) == [], seed
        answers |= {answer for price in world.history.prices.values() for answer in price.answers}
    assert answers >= {200, 202, 503}


def test_a_seed_decides_everything_and_so_do_its_decisions() -> None:
    for seed in range(20):
        world = play(seed)
        assert str(play(seed).history) == str(world.history)
        assert str(play(-1, world.choices.taken).history) == str(world.history)


def test_a_violation_is_reported_with_its_seed_and_the_shortest_history() -> None:
    changes = BROKEN["lost"]["an alert at its threshold does not fire"]
    seed = next(seed for seed in range(1_000) if violations(play(seed, changes=changes)))
    text = report(seed, changes)
    assert text.startswith(f"seed {seed} violates lost: ")
    assert text.count("is armed as") == 1
    assert text.count("answer 202") == 1
