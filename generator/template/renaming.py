"""Replace names in a template's values: of parameters, resources, conditions and mappings."""

from __future__ import annotations

import re

from generator.template.dependencies import MAPPING_TYPES, VARIABLE
from generator.template.intrinsics import Json, as_mapping, reference, template_text


class Renaming:
    """Replaces each name by itself. Subclasses override the methods for the names that they replace."""

    def reference(self, name: str) -> Json:
        """Return the expression that replaces a Ref to a name, or an Fn::GetAtt of Name.Attribute."""
        return reference(name)

    def condition(self, name: str) -> str:
        """Return the new name of a condition."""
        return name

    def lookup(self, arguments: list[Json]) -> list[Json]:
        """Return the new arguments of an Fn::FindInMap."""
        return [self.value(argument) for argument in arguments]

    def value(self, value: Json) -> Json:
        """Return a value with every name in it replaced."""
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if not isinstance(value, MAPPING_TYPES):
            return value
        match value:
            case {"Ref": str(name)} if len(value) == 1:
                return self.reference(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]} if len(value) == 1:
                return self.reference(f"{name}.{attribute}")
            case {"Fn::GetAtt": str(target)} if len(value) == 1:
                return self.reference(target)
            case {"Fn::GetAtt": [str(name), attribute]} if len(value) == 1:
                return {"Fn::GetAtt": [self._id(name), self.value(attribute)]}
            case {"Fn::Sub": content} if len(value) == 1:
                return self._substitution(content)
            case {"Fn::If": [str(name), *sides]} if len(value) == 1:
                return {"Fn::If": [self.condition(name), *map(self.value, sides)]}
            case {"Fn::FindInMap": list(arguments)} if len(value) == 1:
                return {"Fn::FindInMap": self.lookup(arguments)}
        is_entry = len(value) == 1 or "Type" in value or "Value" in value
        return {key: self._entry(key, inner) if is_entry else self.value(inner) for key, inner in value.items()}

    def _entry(self, key: str, value: Json) -> Json:
        """Return the new value of a key of a resource, an output or a condition. Two keys have bare names."""
        if key == "Condition" and isinstance(value, str):
            return self.condition(value)
        if key == "DependsOn":
            return [self._id(name) for name in value] if isinstance(value, list) else self._id(value)
        return self.value(value)

    def _id(self, name: Json) -> Json:
        return as_mapping(self.reference(name)).get("Ref", name) if isinstance(name, str) else self.value(name)

    def _substitution(self, content: Json) -> Json:
        """Return an Fn::Sub with every name replaced. Replacements that are no text become variables of the Fn::Sub."""
        text, given = content if isinstance(content, list) and len(content) == 2 else (content, {})
        if not isinstance(text, str):
            return {"Fn::Sub": self.value(content)}
        variables = {name: self.value(inner) for name, inner in as_mapping(given).items()}
        if (whole := VARIABLE.fullmatch(text)) and whole[1] not in variables:
            return self.reference(whole[1])

        def replacement(match: re.Match[str]) -> str:
            if match[1] in variables:
                return match[0]
            replaced = self.reference(match[1])
            if (inline := template_text(replaced)) is None:
                variables[match[1]] = replaced
            return match[0] if inline is None else inline

        renamed = VARIABLE.sub(replacement, text)
        return {"Fn::Sub": [renamed, variables] if variables else renamed}
