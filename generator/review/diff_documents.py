"""Policy documents wherever they are in a resource's properties: as structures, under a Fn::If, or as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from generator.review.diff_intrinsics import is_intrinsic, plain, template_text
from generator.review.diff_model import Json
from generator.review.diff_policies import NO_VALUE, Grant, branches, grants, is_document, under

DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy")
"""Properties that are a policy and nothing else."""


def documents(value: Json) -> Iterator[Grant]:
    """The grants of every document within a value."""
    if chosen := branches(value):
        for condition, one in chosen:
            yield from (under(condition, grant) for grant in documents(one))
    elif (document := _document(value)) is not None:
        yield from grants(document)
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from documents(inner)


def opaque_documents(value: Json) -> Iterator[Json]:
    """Policies that cannot be read, such as a parameter's: another one may say anything."""
    if isinstance(value, Mapping | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            if key in DOCUMENTS:
                yield from (one for one in _choices(inner) if _is_opaque(one))
            else:
                yield from opaque_documents(inner)


def _choices(value: Json) -> list[Json]:
    return [found for _, one in branches(value) for found in _choices(one)] or [value]


def _is_opaque(value: Json) -> bool:
    is_written = isinstance(value, str) or (isinstance(value, Mapping) and is_intrinsic(value) and value != NO_VALUE)
    return is_written and _document(value) is None and not branches(value)


def _document(value: Json) -> Mapping[str, Json] | None:
    """The document that a value is, also where it is written as text; AWS::Logs::ResourcePolicy takes only that."""
    if isinstance(value, Mapping) and is_document(value):
        return value
    if not isinstance(value, str) and not (isinstance(value, Mapping) and is_intrinsic(value)):
        return None
    content = template_text(value) or ""
    if not content.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return _substituted(found) if isinstance(found, dict) and is_document(found) else None


def _substituted(value: Json) -> Json:
    """The texts within a text refer to resources as Fn::Sub does."""
    if isinstance(value, dict):
        return {key: _substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(item) for item in value]
    return plain({"Fn::Sub": value}) if isinstance(value, str) else value
