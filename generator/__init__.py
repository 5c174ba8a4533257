"""Generates a CloudFormation template whose reserved concurrency is derived from the expected webhook rate.

For other programs, in the order of use:

load, load_all    An Environment from a file, a dict or a folder.
size              Its Sizing: each function's reserved concurrency, with model and reason.
account_of        The account that it states: `reservable`, and whether it `holds` so many reservations.
judge, refusal    A Verdict on the Plans (environment and sizing) that share an account; why it is a bad one.
compose, render   This project's own stack as a troposphere Template; the text of any Template, the same every time.

All of them raise a GeneratorError for wrong input, whose `faults` are everything that is wrong: InvalidEnvironment, or
UnsizableLoad where no setting that AWS allows carries the load.
"""

TYPE_CHECKING = False
"""As in `typing`, which need not be imported for it."""

if TYPE_CHECKING:
    from generator.capacity.admission import UsagePlan as UsagePlan
    from generator.capacity.quota import AccountQuota as AccountQuota
    from generator.capacity.quota import Plan as Plan
    from generator.capacity.quota import Verdict as Verdict
    from generator.capacity.quota import account_of as account_of
    from generator.capacity.quota import judge as judge
    from generator.capacity.quota import refusal as refusal
    from generator.capacity.sizing import FunctionSizing as FunctionSizing
    from generator.capacity.sizing import Sizing as Sizing
    from generator.capacity.sizing import size as size
    from generator.config.api import load as load
    from generator.config.api import load_all as load_all
    from generator.config.schema import Environment as Environment
    from generator.errors import Fault as Fault
    from generator.errors import GeneratorError as GeneratorError
    from generator.errors import InvalidEnvironment as InvalidEnvironment
    from generator.errors import UnsizableLoad as UnsizableLoad
    from generator.stack.compose import compose as compose
    from generator.template.writing import render as render

__version__ = "0.1.0"

_HOMES = {
    "generator.capacity.admission": ("UsagePlan",),
    "generator.config.api": ("load", "load_all"),
    "generator.config.schema": ("Environment",),
    "generator.errors": ("Fault", "GeneratorError", "InvalidEnvironment", "UnsizableLoad"),
    "generator.capacity.quota": ("AccountQuota", "Plan", "Verdict", "account_of", "judge", "refusal"),
    "generator.capacity.sizing": ("FunctionSizing", "Sizing", "size"),
    "generator.stack.compose": ("compose",),
    "generator.template.writing": ("render",),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)

if not TYPE_CHECKING:

    def __getattr__(name):
        """Imports what is asked for only then, so that `import generator` and --help cost nothing."""
        from importlib import import_module

        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """Also what is not imported yet."""
        return [*globals(), *__all__]
