"""Whether a live stack's reservations can be changed without a moment at which they do not fit. Pure arithmetic.

CloudFormation updates functions that do not depend on each other in any order, adds before it removes, and a rollback
goes the other way round. So an order cannot be relied on, and a template cannot impose one: it depends on what is live.
Source: AWS CloudFormation User Guide, "DependsOn attribute" and "Update behaviors of stack resources".
"""

from __future__ import annotations

from collections.abc import Mapping

Reservations = Mapping[str, int | None]
"""By function, what it reserves; None, like a function that is not there, reserves nothing.

A function that is replaced is two: one that is removed and one that is added, for AWS makes the new one first.
"""


def total(reservations: Reservations) -> int:
    """What is reserved together."""
    return sum(reserved or 0 for reserved in reservations.values())


def highest_total(old: Reservations, new: Reservations) -> int:
    """The most that is reserved at any moment of an update, in the worst order."""
    return sum(max(old.get(name) or 0, new.get(name) or 0) for name in old.keys() | new.keys())


def is_safe_in_any_order(old: Reservations, new: Reservations, reservable: int) -> bool:
    """Whether AWS refuses a change in no order: a raise must stay within what is reservable, a fall always may.

    Exact, for the worst order raises everything before it lowers anything. Where the old reservations fit, no rollback
    is refused either; where they do not, an update that raises nothing is safe, and the way back from it is not.
    """
    return highest_total(old, new) <= max(reservable, total(old))


def lowered_first(old: Reservations, new: Reservations) -> dict[str, int | None]:
    """The functions to change before a deployment that is not safe in any order, with what to lower each to.

    None is to reserve nothing: the function is removed, or goes on without reservation. From there, if the new
    reservations fit, the deployment only raises, and that is safe in any order. A rollback is not: it goes back to the
    old template's figures, not to those lowered by hand, so the whole of `highest_total` may be wanted half-way.
    """
    return {name: new.get(name) for name, reserved in old.items() if (new.get(name) or 0) < (reserved or 0)}
