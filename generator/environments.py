"""Finds and reads environment files, applies overrides, and checks what no single setting can tell alone."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generator import settings
from generator.environment import Environment, Function
from generator.errors import Fault, InvalidEnvironment

FOLDER = Path("environments")

START = "go to the folder of your project, or start one: generator init DIR"
"""What to do where there is no environment at all."""

API_GATEWAY_TIMEOUT_MS = 29_000
"""API Gateway gives up on an integration. Source: API Gateway Developer Guide, quotas for REST APIs."""

LEASE_S = 45
"""How long SendNotification's claim on an alert holds: longer than its timeout, shorter than Lambda's first retry."""

RESUMING_RESERVE_S = 15
"""CheckAlerts and CleanupHistory stop so long before their timeout and go on later."""

MIN_RESUMING_TIMEOUT_S = 2 * RESUMING_RESERVE_S
"""Below this they would not get far."""

MAX_LOGNORMAL_P95_OVER_MEAN = math.exp(1.6448536269514722**2 / 2)
"""The 95th percentile of a lognormal is mean x exp(1.645 s - s^2 / 2), largest at s = 1.645: 3.87 times the mean."""


def load(names: Sequence[str] = (), overrides: Sequence[str] = (), folder: Path = FOLDER) -> list[Environment]:
    """Reads the named environments, or all in the folder, with the overrides applied to each.

    Raises InvalidEnvironment with every fault of every file.
    """
    environments: list[Environment] = []
    faults: list[Fault] = []
    for name in dict.fromkeys(names) or _all_names(folder):
        try:
            environments.append(_load_one(name, overrides, folder))
        except InvalidEnvironment as error:
            faults += error.faults
    if faults:
        raise InvalidEnvironment(dict.fromkeys(faults))
    return environments


def read(table: Mapping[str, Any], origin: str, overridden: Iterable[str] = ()) -> Environment:
    """Turns a parsed table into an environment; `origin` and the overridden keys say where to point faults.

    Raises InvalidEnvironment with every fault.
    """
    overridden = tuple(overridden)

    def where(key: str) -> str:
        """A setting is overridden with its table, and a table with any setting in it."""
        cause = next((one for one in overridden if f"{one}.".startswith(f"{key}.") or key.startswith(f"{one}.")), None)
        return f"--set {cause}" if cause else f"{origin}: {key}"

    environment, faults = settings.read(Environment, table, where)
    if environment is None:
        raise InvalidEnvironment(faults)
    if faults := [Fault(where(key), what, remedy) for key, what, remedy in _contradictions(environment)]:
        raise InvalidEnvironment(faults)
    if not environment.account.name:
        account = dataclasses.replace(environment.account, name=environment.name)
        environment = dataclasses.replace(environment, account=account)
    return environment


def known(folder: Path = FOLDER) -> list[str]:
    """The names of the environments in the folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def _all_names(folder: Path) -> list[str]:
    names = known(folder)
    if not names:
        raise InvalidEnvironment([Fault(f"{folder}/", "no environment file here", START)])
    return names


def _load_one(name: str, overrides: Sequence[str], folder: Path) -> Environment:
    path = folder / f"{name}.toml"
    table = parse(path)
    changes, faults = _parse_overrides(overrides)
    for key, value in changes.items():
        faults += _set(table, key, value)
    try:
        environment = read(table, str(path), changes)
    except InvalidEnvironment as error:
        raise InvalidEnvironment([*faults, *error.faults]) from None
    if faults:
        raise InvalidEnvironment(faults)
    if environment.name != name:
        fault = Fault(
            f"{path}: name",
            f'"{environment.name}" is not the name of the file',
            f'write name = "{name}" or rename the file to {environment.name}.toml',
        )
        raise InvalidEnvironment([fault])
    return environment


def parse(path: Path) -> dict[str, Any]:
    """The tables of an environment file, not yet checked. Raises InvalidEnvironment if it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        others = known(path.parent)
        import difflib

        close = difflib.get_close_matches(path.stem, others, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"the environments are {', '.join(others)}"
        fault = Fault(str(path), "no such environment file", remedy if others else START)
    except (OSError, UnicodeDecodeError) as error:
        fault = Fault(str(path), f"cannot be read ({error})", "correct the file or its permissions")
    except tomllib.TOMLDecodeError as error:
        fault = Fault(str(path), f"not TOML ({error})", "correct the syntax there")
    raise InvalidEnvironment([fault])


def parse_override(override: str) -> tuple[str, object]:
    """Splits KEY=VALUE; the value is read as TOML, and as plain text where it is not TOML.

    Raises InvalidEnvironment if there is no key or no equals sign.
    """
    key, equals, value = override.partition("=")
    if not equals or not all(key.strip().split(".")):
        fault = Fault(f"--set {override}", "not KEY=VALUE", "write for example --set traffic.webhooks_per_hour=20000")
        raise InvalidEnvironment([fault])
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    return key.strip(), parsed["value"] if parsed.keys() == {"value"} else value


def _parse_overrides(overrides: Sequence[str]) -> tuple[dict[str, object], list[Fault]]:
    changes: dict[str, object] = {}
    faults: list[Fault] = []
    for override in overrides:
        try:
            key, value = parse_override(override)
            changes[key] = value
        except InvalidEnvironment as error:
            faults += error.faults
    return changes, faults


def _set(table: dict[str, Any], key: str, value: object) -> list[Fault]:
    *sections, last = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            return [Fault(f"--set {key}", f"{section} is not a table", "correct the key")]
    table[last] = value
    return []


def _contradictions(environment: Environment) -> Iterator[tuple[str, str, str]]:
    for field in dataclasses.fields(environment.functions):
        function = getattr(environment.functions, field.name)
        for key, what, remedy in _function_contradictions(function):
            yield f"functions.{field.name}.{key}", what, remedy
    functions = environment.functions
    if functions.process_webhook.mean_duration_ms >= API_GATEWAY_TIMEOUT_MS:
        key = "functions.process_webhook.mean_duration_ms"
        yield key, f"API Gateway gives up after {API_GATEWAY_TIMEOUT_MS} ms", "lower it"
    for name in ("check_alerts", "cleanup_history"):
        if (timeout_s := getattr(functions, name).timeout_s) < MIN_RESUMING_TIMEOUT_S:
            why = f"the function stops {RESUMING_RESERVE_S} s before its timeout to go on later"
            what = f"{timeout_s} leaves no time to work: {why}"
            yield f"functions.{name}.timeout_s", what, f"set it to at least {MIN_RESUMING_TIMEOUT_S}"
    if functions.send_notification.timeout_s >= LEASE_S:
        key = "functions.send_notification.timeout_s"
        yield (
            key,
            f"a claim on an alert holds {LEASE_S} s and must outlive the function",
            f"set it below {LEASE_S}",
        )


def _function_contradictions(function: Function) -> Iterator[tuple[str, str, str]]:
    mean, p95 = function.mean_duration_ms, function.p95_duration_ms
    if mean >= function.timeout_s * 1000:
        yield (
            "mean_duration_ms",
            f"{mean:g} is not below the timeout of {function.timeout_s} s",
            "raise timeout_s",
        )
    if function.distribution != "lognormal":
        return
    if p95 <= mean:
        yield (
            "p95_duration_ms",
            f"{p95:g} does not exceed the mean of {mean:g}",
            "raise it or choose a distribution",
        )
    elif p95 > mean * MAX_LOGNORMAL_P95_OVER_MEAN:
        most = math.floor(mean * MAX_LOGNORMAL_P95_OVER_MEAN)
        yield (
            "p95_duration_ms",
            f"no lognormal with a mean of {mean:g} has a 95th percentile of {p95:g}",
            (f"lower it to at most {most} or raise mean_duration_ms"),
        )
