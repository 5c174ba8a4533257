"""Finds functions that a reservation of 0 switches off."""

from __future__ import annotations

from cfnlint.template import Template

from generator.checks.reservations.deployments import sources
from generator.checks.reservations.functions import functions, reservations
from generator.checks.reservations.solver import Solver
from generator.checks.reservations.values import Option


def switched_off(template: Template) -> list[Option]:
    """Every place that gives a function a reservation of 0 in a possible deployment."""
    return [
        option
        for source in sources(template)
        for function in functions(source)
        for option in reservations(source, function)
        if option.number == 0 and Solver(source, (fact for fact, _ in option.guard)).possible(option.guard)
    ]
