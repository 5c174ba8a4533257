"""Generate a CloudFormation template whose reserved concurrency is derived from the expected webhook rate.

The interface for other programs, in the order of use:

load, load_all    Return an Environment from a file or a dict, or all environments of a folder.
size              Return its Sizing: each function's reserved concurrency, with model and reason.
account_of        Return the AccountQuota that it states: `reservable`, and `holds` for a number of reservations.
judge, refusal    Return a Verdict on the Plans (environment and sizing) that share an account; explain a bad one.
size_synchronous  Size one function of any stack by how it is invoked, without an environment; also size_asynchronous,
                  size_stream, size_sqs and size_schedule.
compose, render   Return this project's own stack as a troposphere Template; the reproducible text of any Template.

Wrong input raises a GeneratorError, whose `faults` list everything that is wrong: InvalidEnvironment, or UnsizableLoad
if no setting that AWS allows carries the load.
"""

TYPE_CHECKING = False
"""As in `typing`, without its import."""

if TYPE_CHECKING:
    from generator.capacity.functions import FunctionSizing as FunctionSizing
    from generator.capacity.functions import size_asynchronous as size_asynchronous
    from generator.capacity.functions import size_schedule as size_schedule
    from generator.capacity.functions import size_sqs as size_sqs
    from generator.capacity.functions import size_stream as size_stream
    from generator.capacity.functions import size_synchronous as size_synchronous
    from generator.capacity.quota import AccountQuota as AccountQuota
    from generator.capacity.quota import Plan as Plan
    from generator.capacity.quota import Verdict as Verdict
    from generator.capacity.quota import account_of as account_of
    from generator.capacity.quota import judge as judge
    from generator.capacity.refusal import refusal as refusal
    from generator.capacity.sizing import Sizing as Sizing
    from generator.capacity.sizing import size as size
    from generator.capacity.usage_plan import UsagePlan as UsagePlan
    from generator.config.files import load as load
    from generator.config.files import load_all as load_all
    from generator.config.schema import Environment as Environment
    from generator.errors import Fault as Fault
    from generator.errors import GeneratorError as GeneratorError
    from generator.errors import InvalidEnvironment as InvalidEnvironment
    from generator.errors import UnsizableLoad as UnsizableLoad
    from generator.stack.compose import compose as compose
    from generator.template.writing import render as render

__version__ = "0.1.0"

_MODULES = {
    "generator.capacity.functions": (
        "FunctionSizing",
        "size_asynchronous",
        "size_schedule",
        "size_sqs",
        "size_stream",
        "size_synchronous",
    ),
    "generator.capacity.quota": ("AccountQuota", "Plan", "Verdict", "account_of", "judge"),
    "generator.capacity.refusal": ("refusal",),
    "generator.capacity.sizing": ("Sizing", "size"),
    "generator.capacity.usage_plan": ("UsagePlan",),
    "generator.config.files": ("load", "load_all"),
    "generator.config.schema": ("Environment",),
    "generator.errors": ("Fault", "GeneratorError", "InvalidEnvironment", "UnsizableLoad"),
    "generator.stack.compose": ("compose",),
    "generator.template.writing": ("render",),
}
"""The public names of each module."""

__all__ = sorted(name for names in _MODULES.values() for name in names)

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name on first use, so that `import generator` and --help stay quick."""
        from importlib import import_module

        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return [*globals(), *__all__]
