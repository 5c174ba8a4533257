"""Random small templates that use every function which the evaluation understands, nested in each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

NO_VALUE = {"Ref": "AWS::NoValue"}
LETTERS = ("a", "b", "c")
SELECTORS = ("Stage", "Tier", "AWS::Region")
COMPOSED = {
    "a${Stage}": {"Stage"},
    "${Tier}": {"Tier"},
    "${Tier}-${Tier}": {"Tier"},
    "${Stage}${Tier}": {"Stage", "Tier"},
    "${Tier}-${Stage}": {"Stage", "Tier"},
}
"""Texts that conditions compare, with the parameters in them."""


Json = Any


class RandomTemplates:
    """One template a seed. Everything is drawn from few letters and digits, so that comparisons often hold.

    A template uses two of the selectors and two of the other parameters: more would only be more deployments.
    """

    def __init__(self, seed: int | str) -> None:
        self.rng = random.Random(seed)
        self.conditions: list[str] = []
        self.selectors = self.rng.sample(SELECTORS, 2)
        self.used = self.rng.sample(["Units", "Digit", "Switch", "Sizes"], 2)

    def template(self) -> dict[str, Json]:
        """Return parameters, mappings, conditions of each other, and functions that depend on all of them."""
        rng = self.rng
        parameters, conditions = self.parameters(), {}
        for index in range(rng.randint(1, 4)):
            conditions[f"C{index}"] = self.condition(2)
            self.conditions.append(f"C{index}")
        if rng.random() < 0.3:
            flags = {"Is${Letter}": {"Fn::Equals": [{"Ref": rng.choice(self.selectors)}, {"Ref": "Letter"}]}}
            conditions["Fn::ForEach::Flags"] = ["Letter", ["a", "b"], flags]
            self.conditions += ["Isa", "Isb"]
        resources = {f"F{index}": self.function(self.figure(3)) for index in range(rng.randint(1, 4))}
        if rng.random() < 0.4:
            resources["Fn::ForEach::Workers"] = self.loop()
        return {
            "Transform": "AWS::LanguageExtensions",
            "Parameters": parameters,
            "Mappings": self.mappings(),
            "Conditions": conditions,
            "Resources": resources,
        }

    def parameters(self) -> dict[str, Json]:
        rng = self.rng
        parameters: dict[str, Json] = {}
        for name in ("Stage", "Tier"):
            parameters[name] = {"Type": "String"}
            if rng.random() < 0.6:
                parameters[name]["AllowedValues"] = rng.sample(LETTERS, rng.randint(1, 3))
            if rng.random() < 0.5:
                parameters[name]["Default"] = rng.choice(parameters[name].get("AllowedValues", LETTERS))
        return parameters | {
            "Units": {"Type": "Number", "Default": rng.choice([3, "7"])},
            "Digit": {"Type": "Number", "AllowedValues": [3, "7"], "Default": 7.0},
            "Switch": {"Type": "String", "AllowedValues": [True, "false"], "Default": rng.choice([True, "false"])},
            "Sizes": {"Type": "CommaDelimitedList", "Default": "3, 9"},
            "Names": {"Type": "CommaDelimitedList", "Default": "a,b"},
            "Open": {"Type": "Number"},
        }

    def mappings(self) -> dict[str, Json]:
        rng = self.rng
        rows = {
            key: {"Units": rng.randint(1, 9), "Flag": rng.choice(["yes", "no", True]), "List": [1, "2"], "Next": "a"}
            for key in rng.sample((*LETTERS, "3"), rng.randint(1, 3))
        }
        table = {
            key: {letter: rng.randint(1, 9) for letter in rng.sample(LETTERS, 2)}
            for key in rng.sample(LETTERS, rng.randint(1, 2))
        }
        return {"Map": rows, "Table": table, "a": {"a": {"Units": 5}}}

    def function(self, figure: Json) -> dict[str, Json]:
        properties = {"ReservedConcurrentExecutions": figure}
        if self.rng.random() < 0.1:
            properties = {"Fn::If": [self.name(), properties, {}]}
        condition = {"Condition": self.name()} if self.rng.random() < 0.3 else {}
        return {"Type": "AWS::Lambda::Function", **condition, "Properties": properties}

    def name(self) -> str:
        return self.rng.choice(self.conditions)

    def loop(self) -> Json:
        letter = {"Ref": "Letter"}
        figure = self.pick(
            lambda: self.figure(2),
            lambda: {"Fn::FindInMap": ["Map", letter, "Units", {"DefaultValue": self.figure(1)}]},
            lambda: {"Fn::FindInMap": ["Table", self.selector(), letter, {"DefaultValue": 2}]},
            lambda: {"Fn::If": [self.name(), self.figure(1), self.figure(1)]},
        )
        collection = self.rng.choice([["a", "b"], ["c"], {"Ref": "Names"}, [], ["a", {"Fn::Sub": "b"}]])
        return ["Letter", collection, {"W${Letter}": self.function(figure)}]

    def pick(self, *choices: Any) -> Json:
        return self.rng.choice(choices)()

    def selector(self) -> Json:
        return {"Ref": self.rng.choice(self.selectors)}

    def parameter(self, *names: str) -> Json:
        """Return a reference to one of these that the template uses, or a literal."""
        used = [name for name in names if name in self.used]
        return {"Ref": self.rng.choice(used)} if used else self.rng.choice(LETTERS)

    def condition(self, depth: int) -> Json:
        kind = self.rng.choice(["equals", *(["and", "or", "not", "named", "equals"] if depth else [])])
        if kind == "named" and self.conditions:
            return {"Condition": self.name()}
        if kind in ("and", "or"):
            return {f"Fn::{kind.title()}": [self.condition(depth - 1) for _ in range(self.rng.randint(2, 3))]}
        if kind == "not":
            return {"Fn::Not": [self.condition(depth - 1)]}
        return {"Fn::Equals": self.operands()}

    def operands(self) -> list[Json]:
        rng = self.rng
        composed = [text for text, names in COMPOSED.items() if names <= {*self.selectors}] or ["a"]
        operands: list[Json] = self.pick(
            lambda: [self.key(1), rng.choice(LETTERS)],
            lambda: [self.key(1), rng.choice(LETTERS)],
            lambda: [self.selector(), self.selector()],
            lambda: [self.lookup("Flag"), rng.choice(["yes", "no", "true", True])],
            lambda: [self.parameter("Units", "Digit"), rng.choice(["3", 7, 3.0])],
            lambda: [self.parameter("Switch"), rng.choice([True, "true", "false"])],
            lambda: [{"Fn::Select": [0, {"Ref": "Sizes"}]} if "Sizes" in self.used else "3", "3"],
            lambda: [{"Fn::Join": ["", ["a", self.parameter("Switch")]]}, "atrue"],
            lambda: [self.selector(), self.lookup("Next")],
            lambda: [{"Fn::Sub": rng.choice(composed)}, rng.choice(["aa", "ab", "a", "b-c", "b-b", "b-c-a"])],
        )
        rng.shuffle(operands)
        return operands

    def key(self, depth: int) -> Json:
        """Return what selects a row of a mapping."""
        rng, selector = self.rng, self.selector()
        simple = [selector] * 3 + [{"Fn::Sub": f"${{{selector['Ref']}}}"}, rng.choice(LETTERS)]
        if not depth or rng.random() < 0.5:
            return rng.choice(simple)
        return self.pick(
            lambda: {"Fn::Select": [rng.choice([0, "1"]), ["a", "b"]]},
            lambda: {"Fn::Join": ["", [rng.choice(["a", ""]), self.parameter("Digit")]]},
            lambda: {"Fn::FindInMap": ["Map", selector, "Next"]},
            lambda: self.parameter("Units", "Digit"),
            lambda: 3,
        )

    def lookup(self, column: str) -> Json:
        arguments = self.pick(
            lambda: ["Map", self.key(1), column],
            lambda: ["Map", self.key(1), column],
            lambda: ["Table", self.key(1), self.key(0)],
        )
        if self.rng.random() < 0.3:
            arguments.append({"DefaultValue": self.rng.choice(["yes", "a", 2])})
        return {"Fn::FindInMap": arguments}

    def figure(self, depth: int) -> Json:
        """Return what a function may reserve; with depth, functions of such figures."""
        rng = self.rng
        if not depth:
            return rng.choice(
                [rng.randint(0, 9), rng.randint(0, 9), str(rng.randint(0, 9)), 4.0, NO_VALUE, self.unit()]
            )
        if rng.random() < 0.35:
            return {"Fn::If": [self.name(), self.figure(depth - 1), self.figure(depth - 1)]}
        return self.function_of_figures(depth - 1)

    def unit(self) -> Json:
        return {"Ref": "Units"} if "Units" in self.used else 6

    def function_of_figures(self, depth: int) -> Json:
        rng = self.rng
        one, other = self.figure(depth), self.figure(depth)
        units = "${Units}" if "Units" in self.used else "6"
        sizes = {"Ref": "Sizes"} if "Sizes" in self.used else ["3", 9]
        return self.pick(
            lambda: one,
            lambda: self.mapped(depth),
            lambda: self.mapped(depth),
            lambda: {"Fn::Select": [rng.choice([0, 1, "1", 2]), [one, other, 5]]},
            lambda: {"Fn::Select": [1, {"Fn::If": [self.name(), [one, other, 6], [8, other]]}]},
            lambda: {"Fn::Select": [rng.choice([0, 1]), sizes]},
            lambda: {"Fn::Select": [1, {"Fn::Split": [",", rng.choice(["2,4", {"Fn::Sub": f"{units},4,{units}"}])]}]},
            lambda: {"Fn::Join": ["", [one, other]]},
            lambda: {"Fn::Sub": rng.choice([units, f"1{units}", "${Stage}"])},
            lambda: {"Fn::Sub": ["${x}${y}", {"x": one, "y": other}]},
            lambda: rng.choice([{"Ref": "Open"}, {"Fn::ImportValue": "figure"}, {"Fn::GetAtt": ["F0", "Arn"]}]),
            lambda: {"Fn::Length": rng.choice([[one, other], sizes])},
        )

    def mapped(self, depth: int) -> Json:
        arguments = self.pick(
            lambda: ["Map", self.mapping_key(depth), "Units"],
            lambda: ["Map", self.mapping_key(depth), self.rng.choice(["Units", "Flag"])],
            lambda: ["Table", self.mapping_key(depth), self.mapping_key(depth)],
            lambda: [self.selector(), "a", "Units"],
        )
        if self.rng.random() < 0.4:
            arguments.append({"DefaultValue": self.figure(depth)})
        return {"Fn::FindInMap": arguments}

    def mapping_key(self, depth: int) -> Json:
        if depth and self.rng.random() < 0.3:
            return {"Fn::If": [self.name(), self.key(0), self.key(1)]}
        return self.key(1)


def domains(template: dict[str, Json]) -> dict[str, list[str]]:
    """Return, for each parameter that may have any value, every value that makes a difference.

    Those are the texts that a template of RandomTemplates mentions, and enough others for each to equal another or not.
    """
    mentioned = list(dict.fromkeys([*LETTERS, "3", *_parts_of_compared_texts(template["Conditions"])]))
    mentioned += {value: None for value in _compared_with_selectors(template) if value not in mentioned}
    if any(isinstance(arguments[0], dict) for arguments in _arguments("Fn::FindInMap", template)):
        mentioned += template["Mappings"]
    return {
        "Stage": [*mentioned, "x"],
        "Tier": [*mentioned, "x", "y"],
        "AWS::Region": [*mentioned, "x", "y", "z"],
        "Units": ["3", "7", "8.5"],  # A Number cannot be a letter.
        "Sizes": ["3, 9", "3,1", "7,8"],
        "Digit": ["7"],
        "Switch": ["true"],
        "Names": ["a,b"],
        "Open": ["1"],
    }


def _parts_of_compared_texts(value: Json) -> Iterator[str]:
    for operands in _arguments("Fn::Equals", value):
        if any(isinstance(one, dict) and one.get("Fn::Sub") in COMPOSED for one in operands):
            for text in operands:
                if isinstance(text, str):
                    yield from (
                        text[start:end] for start in range(len(text) + 1) for end in range(start, len(text) + 1)
                    )


def _arguments(function: str, value: Json) -> Iterator[list[Json]]:
    """Yield the arguments of every use of a function within a value."""
    if isinstance(value, dict):
        if function in value:
            yield value[function]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _arguments(function, inner)


def _compared_with_selectors(template: dict[str, Json]) -> Iterator[str]:
    """Yield what a mapping may make a selector equal to."""
    for operands in _arguments("Fn::Equals", template["Conditions"]):
        if all(isinstance(one, dict) for one in operands):
            for arguments in _arguments("Fn::FindInMap", operands):
                yield from (str(value) for row in template["Mappings"][arguments[0]].values() for value in row.values())
                yield from (str(default["DefaultValue"]) for default in arguments[3:])
