"""Find policy documents anywhere in a resource's properties: as structures, inside an Fn::If, or as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from generator.diff.iam.grants import Grant, alternatives, grants, is_document, under
from generator.template.dependencies import walk
from generator.template.intrinsics import Json, as_mapping, canonical, is_intrinsic, template_text

DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy")
"""Properties whose whole value is a policy document."""


def documents(value: Json) -> Iterator[Grant]:
    """Return the grants of every policy document in a value."""
    for conditions, content in alternatives(value):
        if (document := _document(content)) is not None:
            yield from (under(conditions, grant) for grant in grants(document))
        elif isinstance(content, dict | list):
            for inner in content.values() if isinstance(content, dict) else content:
                if isinstance(inner, dict | list) or _mentions_statements(inner):
                    yield from (under(conditions, grant) for grant in documents(inner))


def opaque_documents(value: Json) -> Iterator[Json]:
    """Return the policies that cannot be read, such as a parameter, whose value may be any policy."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if key in DOCUMENTS:
                yield from (policy for _, policy in alternatives(inner) if _is_opaque(policy))
            else:
                yield from opaque_documents(inner)


def _is_opaque(value: Json) -> bool:
    is_written = isinstance(value, str) or (isinstance(value, dict) and is_intrinsic(value))
    return is_written and _document(value) is None


def _document(value: Json) -> Mapping[str, Json] | None:
    """Return a value as a policy document, also if it is text, which AWS::Logs::ResourcePolicy requires."""
    if is_document(value):
        return as_mapping(value)
    is_text = isinstance(value, str) or (isinstance(value, dict) and is_intrinsic(value))
    if not is_text or not _mentions_statements(value):
        return None
    content = template_text(value) or ""
    if not content.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return _substituted(document) if is_document(document) else None


def _mentions_statements(value: Json) -> bool:
    """Return whether a text may be a policy document. Parsing the others would cost time."""
    return any(isinstance(inner, str) and '"Statement"' in inner for inner in walk(value))


def _substituted(value: Json) -> Json:
    """Return a value whose texts are Fn::Subs, because they stood inside one."""
    if isinstance(value, dict):
        return {key: _substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(item) for item in value]
    return canonical({"Fn::Sub": value}) if isinstance(value, str) else value
