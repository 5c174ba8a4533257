"""Generates a CloudFormation template whose reserved concurrency is derived from the expected webhook rate.

For other programs, in the order of use:

load, load_all    An Environment from a file, a dict or a folder.
size              Its Sizing: each function's reserved concurrency, with model and reason.
account_of        The account that it states: `reservable`, and whether it `holds` so many reservations.
judge, refusal    A Verdict on the Plans (environment and sizing) that share an account; why it is a bad one.
compose, render   This project's own stack as a troposphere Template; the text of any Template, the same every time.

All of them raise a GeneratorError for wrong input, whose `faults` are everything that is wrong.
"""

TYPE_CHECKING = False
"""As in `typing`, which need not be imported for it."""

if TYPE_CHECKING:
    from generator.api import load, load_all
    from generator.environment import Environment
    from generator.errors import Fault, GeneratorError
    from generator.quota import AccountQuota, Plan, Verdict, account_of, judge, refusal
    from generator.sizing import FunctionSizing, Sizing, size
    from generator.stack.compose import compose
    from generator.writer import render

__version__ = "0.1.0"

__all__ = [
    "AccountQuota",
    "Environment",
    "Fault",
    "FunctionSizing",
    "GeneratorError",
    "Plan",
    "Sizing",
    "Verdict",
    "account_of",
    "compose",
    "judge",
    "load",
    "load_all",
    "refusal",
    "render",
    "size",
]

_HOMES = {
    "generator.api": ("load", "load_all"),
    "generator.environment": ("Environment",),
    "generator.errors": ("Fault", "GeneratorError"),
    "generator.quota": ("AccountQuota", "Plan", "Verdict", "account_of", "judge", "refusal"),
    "generator.sizing": ("FunctionSizing", "Sizing", "size"),
    "generator.stack.compose": ("compose",),
    "generator.writer": ("render",),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        """Imports what is asked for only then, so that `import generator` and --help cost nothing."""
        from importlib import import_module

        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
