"""The stages that every command shares: environment -> sizing -> quota verdict -> template text."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from generator._format import joined
from generator.aws import MAX_TEMPLATE_BODY_BYTES, MAX_UPLOADED_TEMPLATE_BYTES
from generator.capacity import quota
from generator.capacity.quota import Plan, Verdict
from generator.capacity.sizing import size
from generator.config import files, project
from generator.config.schema import Environment
from generator.errors import UnreadableTemplate, UnsizableLoad, each


class JudgedPlan(NamedTuple):
    """A requested environment with its sizing and the verdict on the account that it shares."""

    plan: Plan
    verdict: Verdict
    in_other_regions: tuple[Environment, ...] = ()
    """The environments of the same account in other Regions, which have quotas of their own."""

    @property
    def environment(self) -> Environment:
        """The environment."""
        return self.plan.environment

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.environment.name

    @property
    def neighbours(self) -> list[str]:
        """The names of the other environments in the account."""
        names = (plan.environment.name for plan in self.verdict.plans)
        return [name for name in names if name != self.name]

    @property
    def reserved_by_neighbours(self) -> int:
        """The sum of their reservations."""
        return self.verdict.total - self.plan.sizing.total_reserved


def prepare(names: Sequence[str] = (), overrides: Sequence[str] = ()) -> list[JudgedPlan]:
    """Read, size and judge the named environments, or all.

    The quota verdict covers every environment of an account, so the other environments of the accounts involved are
    read too, without the overrides. Raises InvalidEnvironment or UnsizableLoad with every fault.
    """
    requested, others = _with_others(names, overrides)
    involved = [*requested, *_neighbours(requested, others)]
    plans = each(lambda environment: Plan(environment, size(environment)), involved, UnsizableLoad)
    everywhere: dict[str, list[Environment]] = {}
    for environment in (*requested, *others):
        everywhere.setdefault(environment.account.name, []).append(environment)
    judged = {
        plan.environment.name: JudgedPlan(plan, verdict, _in_other_regions(plan.environment, everywhere))
        for verdict in quota.judge(plans)
        for plan in verdict.plans
    }
    return [judged[environment.name] for environment in requested]


def separate_quotas(judged: Iterable[JudgedPlan]) -> list[str]:
    """Return a sentence for each account with environments in several Regions: Lambda has a quota for each Region.

    Source: AWS Lambda Developer Guide, "Lambda quotas": "per Region".
    """
    accounts: dict[str, set[tuple[str, str]]] = {}
    for plan in judged:
        for environment in (plan.environment, *plan.in_other_regions) if plan.in_other_regions else ():
            accounts.setdefault(plan.verdict.account.name, set()).add((environment.name, environment.region))
    listed = ((account, [f"{name} in {region}" for name, region in sorted(accounts[account])]) for account in accounts)
    return [
        f"account {account}: {joined(places)} have separate quotas, one for each Region" for account, places in listed
    ]


def with_neighbours(name: str, overrides: Sequence[str] = ()) -> tuple[Environment, list[Environment]]:
    """Return the named environment and the other environments of its account.

    Raises InvalidEnvironment with every fault.
    """
    (requested,), others = _with_others([name], overrides)
    return requested, _neighbours([requested], others)


def refusals(judged: Iterable[JudgedPlan]) -> list[str]:
    """Return one refusal text for each account that the plans do not fit."""
    verdicts = {id(plan.verdict): plan.verdict for plan in judged if not plan.verdict.fits}
    if not verdicts:
        return []
    from generator.capacity.refusal import refusal  # only needed if something does not fit

    return [refusal(verdict) for verdict in verdicts.values()]


def render(plan: Plan) -> str:
    """Return the text of the environment's template."""
    from generator.stack.compose import compose
    from generator.template import writing

    return writing.render(compose(plan.environment, plan.sizing), byte_limit(plan.environment))


def byte_limit(environment: Environment) -> int:
    """Return the size in bytes up to which CloudFormation accepts the environment's template."""
    return MAX_UPLOADED_TEMPLATE_BYTES if environment.deployment.upload_bucket else MAX_TEMPLATE_BODY_BYTES


def excess(environment: Environment, size_bytes: int) -> str:
    """Return the reason why CloudFormation rejects a template of that size, with the remedy; empty if it does not."""
    limit = byte_limit(environment)
    if size_bytes <= limit:
        return ""
    over = f"{size_bytes:,} bytes are {size_bytes - limit:,} more than the {limit:,} that CloudFormation accepts"
    if environment.deployment.upload_bucket:
        return f"{over}; shorten the template"
    return (
        f'{over} without an upload; write upload_bucket = "YOUR-BUCKET" under [deployment] in '
        f"{project.environments() / environment.name}.toml, which raises the limit to {MAX_UPLOADED_TEMPLATE_BYTES:,}"
    )


def committed(name: str) -> Path:
    """Return the path of an environment's template. Raises UnreadableTemplate if it leads out of the project."""
    path = project.templates() / f"{name}.json"
    if fault := project.foreign(path):
        raise UnreadableTemplate([fault])
    return path


def orphans(folder: Path, names: Collection[str]) -> list[Path]:
    """Return the templates in the folder that none of the named environments generates."""
    try:
        stems = sorted(name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:  # A missing or unreadable folder is reported by the code that reads or writes the templates.
        return []
    return [folder / f"{name}.json" for name in stems if name not in names and not name.startswith(".")]


def _with_others(names: Sequence[str], overrides: Sequence[str]) -> tuple[list[Environment], list[Environment]]:
    requested = files.load_named(names, overrides)
    requested_names = [environment.name for environment in requested]
    others = [other for other in files.known() if other not in requested_names]
    return requested, files.load_named(others) if others else []


def _neighbours(requested: Sequence[Environment], others: Sequence[Environment]) -> list[Environment]:
    accounts = {_account(environment) for environment in requested}
    return [other for other in others if _account(other) in accounts]


def _in_other_regions(
    environment: Environment, everywhere: Mapping[str, Sequence[Environment]]
) -> tuple[Environment, ...]:
    same = everywhere[environment.account.name]
    return tuple(other for other in same if other.region != environment.region)


def _account(environment: Environment) -> tuple[str, str]:
    return environment.account.name, environment.region
