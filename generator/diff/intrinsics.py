"""One form for values that CloudFormation treats alike: Sub, Join, Ref and GetAtt that say the same become one, numbers
and booleans become the text that CloudFormation makes of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from generator.diff.model import Json
from generator.template.references import VARIABLE

ESCAPED = re.compile(r"\$\{!([^}]*)\}")


def is_intrinsic(value: Json) -> bool:
    """Whether the value is a function that CloudFormation resolves, and so one value and not a structure."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    name = str(next(iter(value)))
    return name == "Ref" or name.startswith("Fn::")


def mapping(value: Json) -> Mapping[str, Json]:
    """The value where it is a mapping, and otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def plain(value: Json) -> Json:
    """Equal for values that mean the same; nothing else is promised about its form."""
    match value:
        case {"Fn::GetAtt": target, **rest} if not rest:
            return _attribute(target)
        case {"Fn::Sub": content, **rest} if not rest:
            return _substitution(content)
        case {"Fn::Join": [str(delimiter), list(parts)], **rest} if not rest:
            return _joined(delimiter, parts)
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list():
            return [plain(item) for item in value]
        case bool():
            return str(value).lower()
        case int() | float():
            return _number(value)
    return value


def text(value: Json) -> str:
    """A value as one line: ${Name} where it refers, as Fn::Sub writes it; JSON where that cannot be."""
    simple = plain(value)
    if isinstance(simple, str):
        return simple.replace("${", "${!")  # Not what Ref and Sub refer to: IAM takes it as it is written.
    found = template_text(simple)
    return json.dumps(simple, sort_keys=True) if found is None else found


def template_text(value: Json) -> str | None:
    """A value as the content of a Fn::Sub; None if it cannot be said so."""
    match plain(value):
        case {"Ref": str(name), **rest} if not rest:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(content), **rest} if not rest:
            return content
        case str(content):
            return content.replace("${", "${!")
    return None


def _attribute(target: Json) -> Json:
    name, attribute = target.split(".", 1) if isinstance(target, str) and "." in target else (target, None)
    if isinstance(target, list) and len(target) == 2:
        name, attribute = target
    if attribute == "TopicArn":  # Only AWS::SNS::Topic has it, and its Ref is the same ARN.
        return {"Ref": name}
    return {"Fn::GetAtt": [name, attribute]} if attribute is not None else {"Fn::GetAtt": plain(target)}


def _substitution(content: Json) -> Json:
    if isinstance(content, str):
        return _from_text(content)
    if isinstance(content, list) and len(content) == 2 and isinstance(content[0], str) and isinstance(content[1], dict):
        values = {name: template_text(value) for name, value in content[1].items()}
        if None not in values.values():
            return _from_text(VARIABLE.sub(lambda found: str(values.get(found[1], found[0])), content[0]))
    return {"Fn::Sub": [plain(item) for item in content] if isinstance(content, list) else content}


def _joined(delimiter: str, parts: list[Json]) -> Json:
    texts = [template_text(part) for part in parts]
    known = [text for text in texts if text is not None]
    if len(known) == len(texts):
        return _from_text(delimiter.replace("${", "${!").join(known))
    return {"Fn::Join": [delimiter, [plain(part) for part in parts]]}


def _from_text(text: str) -> Json:
    """The simplest value that a Fn::Sub of this text stands for."""
    if not VARIABLE.search(text):
        return ESCAPED.sub(r"${\1}", text)
    if whole := VARIABLE.fullmatch(text):
        name, dot, attribute = whole[1].partition(".")
        return _attribute([name, attribute]) if dot else {"Ref": name}
    return {"Fn::Sub": VARIABLE.sub(lambda found: f"${{{found[1].removesuffix('.TopicArn')}}}", text)}


def _number(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
