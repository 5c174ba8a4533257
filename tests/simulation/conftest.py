"""The committed templates and environments of the test project, and a single function."""

import copy
import json
import math

import pytest

from generator import _runtime
from generator.simulation import draws
from generator.simulation.functions import LambdaFunction
from generator.simulation.gateway import Gateway
from generator.simulation.limits import Pool
from tests.conftest import FIXTURES, environment_of

FOREVER_S = 1e12


@pytest.fixture(autouse=True, scope="package")
def in_this_process():
    """Simulate without other processes unless a test asks for them: each imports everything again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_runtime, "usable_processors", lambda: 1)
        yield


@pytest.fixture(scope="session")
def committed():
    """Return a committed template, a new copy for each call."""
    texts = {path.stem: path.read_text() for path in (FIXTURES / "templates_out").glob("*.json")}
    return lambda name="prod": json.loads(texts[name])


@pytest.fixture(scope="session")
def environment():
    """Return an environment of the test project with overrides."""
    return lambda name="prod", *overrides: environment_of(name, *overrides)


@pytest.fixture
def template(committed):
    """Return a copy of the prod template that the test may change."""
    return copy.deepcopy(committed())


def durations(distribution, mean_s, seed):
    """Draw from a distribution with this mean. The 95th percentile of the lognormal is 2.4 times the mean."""
    random = draws.random_stream(seed, 0, "durations")
    return {
        "exponential": lambda: draws.exponential(random, mean_s),
        "lognormal": lambda: draws.lognormal(random, mean_s, 2.4 * mean_s),
        "constant": lambda: draws.constant(mean_s),
    }[distribution]()


@pytest.fixture
def warm_function():
    """Build a function that only its reservation limits, without cold starts, request rate and timeout."""

    def build(reserved, distribution="exponential", mean_s=0.1, seed=1):
        drawn = durations(distribution, mean_s, seed)
        return LambdaFunction(
            "function", Pool(reserved), drawn, cold_start_s=0.0, timeout_s=FOREVER_S, idle_timeout_s=FOREVER_S
        )

    return build


@pytest.fixture
def gateway():
    """Build a gateway in front of a function, which gets webhooks at the given times."""

    def build(function, times_s=(), limits=(), outputs=(), *, poisson_per_s=None, **senders):
        random = draws.random_stream(1, 0, "senders")
        front = Gateway(function, limits, outputs, random, poisson_per_s=poisson_per_s, **senders)
        front.feed(iter([list(times_s)] if times_s else []))
        return front

    return build


def run(until_s, *stages):
    """Run stages in order, a block of webhooks after the other. A gateway stops after each block."""
    reached_s = -math.inf
    while reached_s < until_s:
        reached_s = _advance(stages[0], until_s)
        for stage in stages[1:]:
            while _advance(stage, reached_s) < reached_s:
                pass


def _advance(stage, until_s):
    """Run a stage and return how far it got."""
    reached_s = stage.run(until_s)
    return until_s if reached_s is None else reached_s
