"""Updates of a live stack: a safe update passes in every order, and so does the suggested remedy."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest

from generator.account.update_order import Reservations, highest_total, is_safe_in_any_order, lowered_first

SEED = 20_261_124
CASES = 1_500
NAMES = "abcd"


def refused(old: Reservations, changes: Iterable[tuple[str, int | None]], reservable: int) -> bool:
    """Apply the changes one by one as AWS does, which refuses a raise beyond the reservable concurrency."""
    live = dict(old)
    for name, reserved in changes:
        is_raised = (reserved or 0) > (live.get(name) or 0)
        live[name] = reserved
        if is_raised and sum(value or 0 for value in live.values()) > reservable:
            return True
    return False


def changes(old: Reservations, new: Reservations) -> list[tuple[str, int | None]]:
    """Return the changes of an update: functions added, changed and removed."""
    names = sorted(old.keys() | new.keys())
    return [(name, new.get(name)) for name in names if old.get(name) != new.get(name)]


def passes_in_every_order(old: Reservations, new: Reservations, reservable: int) -> bool:
    return not any(refused(old, order, reservable) for order in itertools.permutations(changes(old, new)))


def random_plan(rng: random.Random) -> dict[str, int | None]:
    """Return a plan in which some functions are missing, some reserve nothing, and some reserve 0."""
    return {name: rng.choice([None, rng.randint(0, 12)]) for name in NAMES if rng.random() < 0.8}


def cases(fit: bool) -> Iterable[tuple[dict[str, int | None], dict[str, int | None], int]]:
    """Yield old and new reservations with a reservable concurrency that the old ones fit, or do not fit."""
    rng, found = random.Random(SEED), 0
    while found < CASES:
        old, new, reservable = random_plan(rng), random_plan(rng), rng.randint(0, 40 if fit else 20)
        if (sum(value or 0 for value in old.values()) <= reservable) == fit:
            found += 1
            yield old, new, reservable


@pytest.mark.parametrize("fit", [True, False], ids=["the old fit", "the old do not fit"])
def test_safe_updates_are_those_that_pass_in_every_order(fit: bool) -> None:
    verdicts = {True: 0, False: 0}
    for old, new, reservable in cases(fit):
        safe = is_safe_in_any_order(old, new, reservable)
        assert safe == passes_in_every_order(old, new, reservable), (old, new, reservable)
        verdicts[safe] += 1
    assert min(verdicts.values()) > CASES / 50


def test_rollback_is_safe_if_the_old_reservations_fit() -> None:
    safe = [case for case in cases(fit=True) if is_safe_in_any_order(*case)]
    assert all(passes_in_every_order(new, old, reservable) for old, new, reservable in safe)
    stuck = is_safe_in_any_order({"a": 9}, {"a": None}, 5), passes_in_every_order({"a": None}, {"a": 9}, 5)
    assert stuck == (True, False)


def test_lowering_first_makes_every_update_that_fits_safe() -> None:
    needed = 0
    for old, new, reservable in cases(fit=True):
        if sum(value or 0 for value in new.values()) > reservable or is_safe_in_any_order(old, new, reservable):
            continue
        needed += 1
        between = {**old, **lowered_first(old, new)}
        assert passes_in_every_order(old, between, reservable)
        assert passes_in_every_order(between, new, reservable)
    assert needed > 50


def test_a_replaced_function_counts_twice() -> None:
    assert highest_total({"a": 20, "b": 5}, {"a": 20, "b": 5}) == 25
    assert highest_total({"a before": 20, "b": 5}, {"a after": 20, "b": 5}) == 45


@pytest.mark.parametrize(
    ("old", "new", "lowered"),
    [
        ({"a": 20, "b": 5}, {"a": 5, "b": 20}, {"a": 5}),
        ({"a": 20, "gone": 5}, {"a": 25}, {"gone": None}),
        ({"a": 20}, {"a": None, "b": 20}, {"a": None}),
        ({"a": None, "b": 0}, {"a": 1, "b": 1}, {}),
        ({"a": 20, "same": 5}, {"a": 5, "same": 5, "b": 15}, {"a": 5}),
        ({"a": None, "b": 0, "gone": None}, {"a": 0, "b": None}, {}),
    ],
)
def test_functions_to_lower_first(old: Reservations, new: Reservations, lowered: Reservations) -> None:
    assert lowered_first(old, new) == lowered
