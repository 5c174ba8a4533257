"""Find and read environment files, apply overrides, and validate the result."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from generator.config import fields
from generator.config.fields import Complaint, CrossCheck
from generator.config.project import environments, foreign
from generator.config.schema import MOVED, Environment
from generator.config.validation import CROSS_CHECKS
from generator.errors import Fault, InvalidEnvironment, each

MAX_BYTES, MAX_LINE, MAX_DOTS = 100_000, 1_000, 100
"""Size of an environment file, and characters and dots of a line: far more than is needed. A key of many parts takes
time and memory that grow with the square of their number."""

PROJECT_REMEDY = "go to the folder of your project, or start one: generator init DIR"


def load(source: str | os.PathLike[str] | Mapping[str, object]) -> Environment:
    """Return the environment in a TOML file, or in a dict with the same content: name, region, traffic and so on.

    Settings that are left out have their defaults; `environments/README.md` of the project lists every setting with
    its unit and range. Raises InvalidEnvironment, a GeneratorError, with every fault; a fault in a dict is at
    "environment: KEY".
    """
    if isinstance(source, Mapping):
        return read(source, "environment")
    path = Path(source)
    return read(parse(path), str(path))


def load_all(folder: str | os.PathLike[str] | None = None) -> list[Environment]:
    """Return every environment in a folder, by default that of the project, sorted by name.

    Raises InvalidEnvironment with every fault of every file.
    """
    return load_named(folder=Path(folder) if folder else None)


def load_named(
    names: Sequence[str] = (), overrides: Sequence[str] = (), folder: Path | None = None
) -> list[Environment]:
    """Return the named environments, or all in the folder, with the overrides (KEY=VALUE) applied to each.

    Raises InvalidEnvironment with every fault of every file.
    """
    where = folder or environments()
    chosen = dict.fromkeys(names) or _all_names(where)
    return each(lambda name: _load_one(name, overrides, where), chosen, InvalidEnvironment)


def read(
    table: Mapping[str, object], origin: str, overridden: Iterable[str] = (), checks: Iterable[CrossCheck] = ()
) -> Environment:
    """Return the environment in a parsed table; `origin` and the overridden keys locate its faults.

    Raises InvalidEnvironment with every fault, including those of the additional `checks`.
    """
    overridden = tuple(overridden)

    def where(key: str) -> str:
        """Return the place of a key. An override affects its setting, and the tables and settings around and below."""
        causes = (over for over in overridden if f"{over}.".startswith(f"{key}.") or key.startswith(f"{over}."))
        cause = next(causes, None)
        return f"--set {cause}" if cause else f"{origin}: {key}"

    environment, faults = fields.read(Environment, table, where, [*CROSS_CHECKS, *checks], MOVED)
    if environment is None:
        raise InvalidEnvironment(faults)
    if not environment.account.name:
        environment = environment._replace(account=environment.account._replace(name=environment.name))
    return environment


def known(folder: Path | None = None) -> list[str]:
    """Return the names of the environments in the folder, by default that of the project, sorted.

    There are none if the folder does not exist.

    Raises InvalidEnvironment if the folder cannot be read.
    """
    folder = folder or environments()
    try:
        return sorted(name.removesuffix(".toml") for name in os.listdir(folder) if name.endswith(".toml"))
    except FileNotFoundError:
        return []
    except OSError as error:
        fault = Fault(f"{folder}/", f"cannot be read ({error.strerror})", "correct the folder or its permissions")
        raise InvalidEnvironment([fault]) from None


def parse(path: Path) -> dict[str, object]:
    """Return the unvalidated tables of an environment file.

    Raises InvalidEnvironment if the file is missing, unreadable or not TOML.
    """
    try:
        with path.open("rb") as file:
            return tables(file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        if path.is_symlink():
            fault = Fault(str(path), "a link to a file that does not exist", "correct the link or remove it")
        else:
            fault = Fault(str(path), "no such environment file", _choice(path.stem, path.parent))
    except OSError as error:
        fault = Fault(str(path), f"cannot be read ({error.strerror})", "correct the file or its permissions")
    except UnicodeDecodeError as error:
        fault = Fault(str(path), f"cannot be read ({error})", "save it as UTF-8")
    except (ValueError, RecursionError) as error:  # Also raised for very long numbers and deep nesting.
        fault = Fault(str(path), f"not TOML ({error})", "correct the syntax there")
    raise InvalidEnvironment([fault])


def tables(content: bytes) -> dict[str, object]:
    """Return the tables of a TOML text. Raises ValueError also for a text that could take all memory."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    text = content.decode("utf-8-sig")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise ValueError(f"line {number} has more than {MAX_LINE:,} characters")
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"line {number} has more than {MAX_DOTS} dots")
    return tomllib.loads(text)


def parse_override(override: str) -> tuple[str, object]:
    """Return the key and the value of KEY=VALUE; the value is TOML, or plain text if it is not TOML.

    Raises InvalidEnvironment if the key or the equals sign is missing.
    """
    key, equals, value = override.partition("=")
    if not equals or not all(key.strip().split(".")):
        fault = Fault(f"--set {override}", "not KEY=VALUE", "write for example --set traffic.webhooks_per_hour=20000")
        raise InvalidEnvironment([fault])
    try:
        parsed = tables(f"value = {value}".encode())
    except (ValueError, RecursionError):
        parsed = {}
    return key.strip(), parsed["value"] if parsed.keys() == {"value"} else value


def toml_tables(overrides: Iterable[str]) -> list[list[str]]:
    """Return overrides (KEY=VALUE) as an environment file states them: the lines of each table, once."""
    tables: dict[str, list[str]] = {}
    for override in overrides:
        key, _, value = override.partition("=")
        table, _, setting = key.rpartition(".")
        tables.setdefault(table, [f"[{table}]"]).append(f"{setting} = {value}")
    return list(tables.values())


def place_of(path: Path, key: str) -> str:
    """Return the line in which an environment file sets the dotted key, or the table to which to add it."""
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            current = header[1].strip()
        elif current == section and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return f"{path} line {number}"
    return f"{path}, under [{section}]" if section else f"{path}, at the top"


def _all_names(folder: Path) -> list[str]:
    names = known(folder)
    if not names:
        raise InvalidEnvironment([Fault(f"{folder}/", "no environment file here", PROJECT_REMEDY)])
    return names


def _load_one(name: str, overrides: Sequence[str], folder: Path) -> Environment:
    stem = Path(name).name.removesuffix(".toml")
    if stem != name:
        remedy = f"give the name: {stem}" if stem in known(folder) else _choice(stem, folder)
        raise InvalidEnvironment([Fault(name, "a path, not the name of an environment", remedy)])
    path = folder / f"{name}.toml"
    if fault := foreign(path):
        raise InvalidEnvironment([fault])
    table = parse(path)
    changes, faults = _parse_overrides(overrides)
    for key, value in changes.items():
        faults += _set(table, key, value)
    try:
        environment = read(table, str(path), changes, [_named_like_its_file(name, "name" in changes)])
    except InvalidEnvironment as error:
        named = [
            fault_._replace(remedy=fault_.remedy.replace("add name = ...", f'add name = "{name}"'))
            for fault_ in error.faults
        ]
        raise InvalidEnvironment([*faults, *named]) from None
    if faults:
        raise InvalidEnvironment(faults)
    return environment


def _choice(name: str, folder: Path) -> str:
    """Return the remedy for a name that no environment has."""
    import difflib

    names = known(folder)
    close = difflib.get_close_matches(name, names, n=1)
    if not names:
        return PROJECT_REMEDY
    return f"did you mean {close[0]}?" if close else f"the environments are {', '.join(names)}"


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


def _set(table: dict[str, object], key: str, value: object) -> list[Fault]:
    *sections, last = key.split(".")
    for section in sections:
        inner = table.setdefault(section, {})
        if not isinstance(inner, dict):
            return [Fault(f"--set {key}", f"{section} is not a table", "correct the key")]
        table = inner
    table[last] = value
    return []


def _named_like_its_file(file: str, overridden: bool) -> CrossCheck:
    """Return a check that an environment has its file's name, so that no two environments write the same output."""

    def check(name: str) -> Complaint | None:
        if name == file:
            return None
        rename = f'write name = "{file}" or rename the file to {name}.toml'
        return f'"{name}" is not the name of the file', "leave it out" if overridden else rename

    return CrossCheck(("name",), check)
