"""The stages that every command shares: environment -> sizing -> quota -> stack -> text of the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.capacity import quota
from generator.capacity.quota import Plan, Verdict
from generator.capacity.sizing import size
from generator.config import files
from generator.config.schema import Environment
from generator.errors import Fault, UnsizableLoad

OUTPUT = Path("templates_out")


@dataclass(frozen=True, slots=True)
class JudgedPlan:
    """One environment that was asked for, sized, with the verdict of the account that it shares."""

    plan: Plan
    verdict: Verdict

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.plan.environment.name


def prepare(names: Sequence[str] = (), overrides: Sequence[str] = ()) -> list[JudgedPlan]:
    """Reads, sizes and judges the named environments, or all.

    An account is judged with every environment in it, so the others are read too, without the overrides.
    Raises InvalidEnvironment or UnsizableLoad with every fault.
    """
    chosen, neighbours = _with_neighbours(names, overrides)
    verdicts = quota.judge(_size([*chosen, *neighbours]))
    judged = {plan.environment.name: JudgedPlan(plan, verdict) for verdict in verdicts for plan in verdict.plans}
    return [judged[environment.name] for environment in chosen]


def with_neighbours(name: str, overrides: Sequence[str] = ()) -> tuple[Environment, list[Environment]]:
    """The named environment, and the others that share its account.

    Raises InvalidEnvironment with every fault.
    """
    (chosen,), neighbours = _with_neighbours([name], overrides)
    return chosen, neighbours


def refusals(judged: Iterable[JudgedPlan]) -> list[str]:
    """What to tell of each account that does not fit, once."""
    verdicts = {id(one.verdict): one.verdict for one in judged if not one.verdict.fits}
    return [quota.refusal(verdict) for verdict in verdicts.values()]


def render(plan: Plan) -> str:
    """Return the text of the environment's template."""
    from generator.stack.compose import compose
    from generator.template import writing

    return writing.render(compose(plan.environment, plan.sizing))


def _with_neighbours(names: Sequence[str], overrides: Sequence[str]) -> tuple[list[Environment], list[Environment]]:
    chosen = files.load(names, overrides)
    wanted = [environment.name for environment in chosen]
    others = [other for other in files.known() if other not in wanted]
    shared = {_account(environment) for environment in chosen}
    neighbours = [other for other in files.load(others) if _account(other) in shared] if others else []
    return chosen, neighbours


def _account(environment: Environment) -> tuple[str, str]:
    return environment.account.name, environment.region


def _size(chosen: Iterable[Environment]) -> list[Plan]:
    plans: list[Plan] = []
    faults: list[Fault] = []
    for environment in chosen:
        try:
            plans.append(Plan(environment, size(environment)))
        except UnsizableLoad as error:
            faults += error.faults
    if faults:
        raise UnsizableLoad(faults)
    return plans
