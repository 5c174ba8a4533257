"""Read a CDK cloud assembly, such as cdk.out: its stacks and stages, with the account and Region of each stack.

Source: AWS CDK, cloud-assembly-schema, AssemblyManifest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from generator.checks.folders import Folder, Unread
from generator.template.intrinsics import as_mapping, literal_text
from generator.template.nesting import NotRead

MANIFEST = "manifest.json"

STACK, STAGE = "aws:cloudformation:stack", "cdk:cloud-assembly"

HARMLESS = ("cdk:", "none")
"""Prefixes of the types of artifacts that create no stack: asset manifests, the construct tree, reports."""

MAX_ARTIFACTS = 5_000
"""Stacks and stages of one assembly, with its stages."""

_ENVIRONMENT = re.compile(r"aws://([^/]*)/([^/]*)")

_UNKNOWN = ("unknown-account", "unknown-region")


class Artifact(NamedTuple):
    """A stack of an assembly. Account and Region are empty if the app leaves them open."""

    name: str
    template: Path
    account: str
    region: str
    parameters: Mapping[str, str]


def is_assembly(folder: Folder, path: Path) -> bool:
    """Return whether a folder has the manifest of an assembly with a stack or a stage."""
    try:
        artifacts = as_mapping(folder.document(path / MANIFEST)).get("artifacts")
    except NotRead:
        return False
    kinds = [str(as_mapping(artifact).get("type")) for artifact in as_mapping(artifacts).values()]
    return any(kind == STAGE or not kind.startswith(HARMLESS) for kind in kinds)


def artifacts(folder: Folder, path: Path) -> Iterator[Artifact | Unread]:
    """Yield every stack of an assembly and of its stages, and whatever cannot be read."""
    stages, seen, remaining = [path], {os.path.realpath(path)}, MAX_ARTIFACTS
    while stages:
        manifest = stages.pop(0) / MANIFEST
        try:
            document = as_mapping(folder.document(manifest))
        except NotRead as error:
            yield Unread(manifest, "", str(error))
            continue
        if document.get("missing"):
            yield Unread(manifest, "", "the app looked up values that are missing; run cdk synth with credentials")
        if not isinstance(document.get("artifacts"), Mapping):
            yield Unread(manifest, "", f"{manifest} lists no artifacts")
        for name, artifact in as_mapping(document.get("artifacts")).items():
            remaining -= 1
            if remaining < 0:
                yield Unread(manifest, str(name), f"the assembly has more than {MAX_ARTIFACTS:,} artifacts")
                return
            result = _artifact(manifest, str(name), as_mapping(artifact))
            if isinstance(result, Path):
                if os.path.realpath(result) not in seen:
                    seen.add(os.path.realpath(result))
                    stages.append(result)
            elif result:
                yield result


def _artifact(manifest: Path, name: str, artifact: Mapping[str, Any]) -> Artifact | Unread | Path | None:
    """Return a stack, the folder of a stage, what cannot be read, or None for an artifact that creates no stack."""
    kind, properties = artifact.get("type"), as_mapping(artifact.get("properties"))
    if kind == STAGE and isinstance(name_ := properties.get("directoryName"), str) and "\0" not in name_:
        return manifest.parent / name_
    if kind == STACK and isinstance(properties.get("templateFile"), str):
        match = _ENVIRONMENT.fullmatch(str(artifact.get("environment")))
        account, region = ("" if part in _UNKNOWN else part for part in match.groups()) if match else ("", "")
        stack = literal_text(properties.get("stackName")) or name
        parameters = as_mapping(properties.get("parameters"))
        texts = {str(key): text for key, value in parameters.items() if (text := literal_text(value)) is not None}
        return Artifact(stack, manifest.parent / properties["templateFile"], account, region, texts)
    if kind in (STACK, STAGE) or not str(kind).startswith(HARMLESS):
        return Unread(manifest, name, f"an artifact of type {kind} that cannot be read")
    return None
