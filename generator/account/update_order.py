"""Decide whether the reservations of a live stack can change in any order without ever exceeding the account.

CloudFormation updates independent functions in any order and adds before it removes; a rollback does the reverse. The
order is not guaranteed, and a template cannot impose one, because the right order depends on the live reservations.
Source: AWS CloudFormation User Guide, "DependsOn attribute" and "Update behaviors of stack resources".
"""

from __future__ import annotations

from collections.abc import Mapping

Reservations = Mapping[str, int | None]
"""Reserved concurrency by function. None means no reservation, as does a missing function.

A replaced function counts as two, one removed and one added, because AWS creates the new one first.
"""


def total(reservations: Reservations) -> int:
    """Return the sum of the reservations."""
    return sum(reserved or 0 for reserved in reservations.values())


def highest_total(old: Reservations, new: Reservations) -> int:
    """Return the highest sum of reservations at any moment of an update, in the worst order."""
    return sum(max(old.get(name) or 0, new.get(name) or 0) for name in old.keys() | new.keys())


def is_safe_in_any_order(old: Reservations, new: Reservations, reservable: int) -> bool:
    """Return whether AWS accepts every change of the update in any order.

    AWS accepts a raise only within `reservable`, and always accepts a decrease. The test is exact, because the worst
    order raises everything before it lowers anything. If the old reservations fit, a rollback is safe too; if they do
    not, an update that raises nothing is safe, but its rollback is not.
    """
    return highest_total(old, new) <= max(reservable, total(old))


def lowered_first(old: Reservations, new: Reservations) -> dict[str, int | None]:
    """Return the functions to lower by hand before a deployment that is not safe in any order, with their new figures.

    None means no reservation: the function is removed or loses its reservation. After these changes, if the new
    reservations fit, the deployment only raises, which is safe in any order. A rollback is not safe: it restores the
    old template's figures, not the lowered ones, so it may need up to `highest_total` halfway.
    """
    return {name: new.get(name) for name, reserved in old.items() if (new.get(name) or 0) < (reserved or 0)}
