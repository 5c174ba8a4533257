"""Read the concurrency limit and the reservations of live accounts, to use in place of stated figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from generator._format import joined
from generator.account import connection, live_stack
from generator.account.connection import Unavailable
from generator.account.live_stack import ConcurrencyInUse
from generator.aws import STACK_NAME
from generator.capacity.quota import AccountQuota
from generator.checks.quota.messages import pool_name
from generator.checks.stacks import Stack
from generator.errors import Fault, UnreachableAccount


class LiveFigures:
    """Reads limit and reservations of the account that the credentials belong to.

    `region` is the one of stacks that may go to any Region. `stack_names` are the stacks that are replaced; without
    them, those of the assembly are.
    """

    def __init__(self, profile: str | None = None, region: str | None = None, stack_names: Sequence[str] = ()) -> None:
        self.region = region
        self._profile, self._stack_names = profile, stack_names
        self._account = cache(lambda region: connection.connect(region, profile))
        self._notes: dict[str, tuple[int, str]] = {}
        """By account and Region, the number of stacks and what was read for them, or why it was not."""

    def __call__(self, stated: AccountQuota, stacks: Sequence[Stack]) -> AccountQuota:
        """Return the live figures for the stacks that go to a pool, or the stated ones if AWS does not give any.

        Raises UnreachableAccount if there are no credentials, AWS rejects them, or nothing answers.
        """
        account = self._account(stated.region or self.region or _default_region(self._profile))
        where = f"account {account.id} in {account.region}"
        if stated.name not in ("", account.id):
            note = f"the credentials are those of {where}; the stated numbers are used"
            self._note(pool_name(stated), stacks, note)
            return stated
        own_names = [stack.name for stack in stacks if stack.name != stack.path.name]
        names = list(self._stack_names or filter(_is_stack_name, own_names))
        try:
            in_use = live_stack.concurrency_in_use(account, filter(_is_stack_name, names))
        except Unavailable as unavailable:
            needed = joined(live_stack.CONCURRENCY_ACTIONS)
            self._note(where, stacks, f"{unavailable.reason}; the stated numbers are used; --live needs {needed}")
            return stated
        planned = sum(stack.reserved_now for stack in stacks)
        credit = self._credit(in_use, names, planned)
        self._note(where, stacks, f"limit {in_use.limit:,}, {in_use.reserved:,} reserved, {credit}")
        return stated._replace(
            name=account.id,
            region=account.region,
            concurrency_limit=in_use.limit,
            reserved_elsewhere=max(0, in_use.reserved - in_use.by_stacks - planned),
        )

    def _credit(self, in_use: ConcurrencyInUse, names: Sequence[str], planned: int) -> str:
        """Return the stacks' part of the reservations, as text."""
        missing = [name for name in names if name in in_use.missing or not _is_stack_name(name)]
        present = [name for name in names if name not in missing]
        if present:
            credit = f"{in_use.by_stacks:,} of it by {joined(present)}"
        elif planned:
            credit = f"{planned:,} of it by the state of the plan"
        else:
            credit = "all of it elsewhere" if names else "all of it elsewhere, without --stack NAME"
        if missing and self._stack_names:
            credit += f"; nothing is credited for --stack {joined(missing)}, because there is no such stack"
        return credit

    @property
    def notes(self) -> list[str]:
        """A note for each account and Region: the figures that were read for its stacks, or the reason for none."""
        return [f"{where}: {note}" for where, (_, note) in self._notes.items()]

    def _note(self, where: str, stacks: Sequence[Stack], note: str) -> None:
        if len(stacks) >= self._notes.get(where, (0, ""))[0]:
            self._notes[where] = len(stacks), note


def _is_stack_name(name: str) -> bool:
    return re.fullmatch(STACK_NAME, name) is not None


def _default_region(profile: str | None) -> str:
    """Return the Region of the profile or the environment."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        region = boto3.session.Session(profile_name=profile).region_name
    except BotoCoreError as error:
        raise UnreachableAccount([Fault("AWS account", str(error), "correct --profile")]) from error
    if not region:
        raise UnreachableAccount([Fault("AWS account", "no Region is configured", "name it with --region")])
    return str(region)
