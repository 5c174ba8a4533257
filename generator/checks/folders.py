"""Read the templates below one folder, among them those of nested stacks. The folder's content is not trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.intrinsics import SAM, Json, as_mapping
from generator.template.model import Section
from generator.template.nesting import Child, ChildReader, NotRead

APPLICATION = f"{SAM}Application"

MANIFEST = "manifest.json"

STACK, STAGE = "aws:cloudformation:stack", "cdk:cloud-assembly"

HARMLESS = ("cdk:", "none")
"""Prefixes of the types of a CDK assembly's artifacts that create no stack: asset manifests, the construct tree."""

TEMPLATE, ASSETS = ".template.json", ".assets.json"
"""Ends of the names of a CDK stack's template and of the list of its assets."""

Assets = Mapping[str, str]
"""By the key of an object in S3, such as HASH.json, the file that CDK uploads to it."""


class Folder:
    """A folder and everything below it, read at most once. A path that leads out of it is not read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = os.path.realpath(path)
        self._documents: dict[str, Json] = {}
        self.nested: dict[str, dict[str, Path]] = {}
        """By the real path of a template, the templates nested in it so far, by their real paths."""

    def document(self, path: Path) -> Json:
        """Return the value of a JSON or YAML file. Raises NotRead."""
        real_path = self.real_path(path)
        if real_path not in self._documents:
            try:
                self._documents[real_path] = reading.parsed(str(path), self.text(path))
            except UnreadableTemplate as error:
                fault = error.faults[0]
                self._documents[real_path] = NotRead(f"{path} is {fault.what}; {fault.remedy}")
            except NotRead as error:
                self._documents[real_path] = error
        content = self._documents[real_path]
        if isinstance(content, NotRead):
            raise content
        return content

    def text(self, path: Path) -> str:
        """Return the text of a file. Raises NotRead."""
        try:
            return reading.bounded_text(Path(self.real_path(path)))
        except UnicodeDecodeError as error:
            raise NotRead(f"{path} is not a text in UTF-8 ({error.reason}); save it as UTF-8") from None
        except OSError as error:
            raise NotRead(f"{path} cannot be read ({error.strerror})") from None

    def real_path(self, path: Path) -> str:
        """Return the real path of a regular file below the folder. Raises NotRead for any other path."""
        try:
            place = os.path.realpath(path)
            mode = os.stat(place).st_mode
        except (OSError, ValueError):
            raise NotRead(f"there is no file {path}; correct the path, or add the file") from None
        if not self.has(place):
            raise NotRead(f"{path} is outside {self.path}; check a folder that holds both")
        if not stat.S_ISREG(mode):
            raise NotRead(f"{path} is not a regular file")
        return place

    def has(self, path: str | Path) -> bool:
        """Return whether a path, with all links followed, is below the folder."""
        try:
            return os.path.commonpath([os.path.realpath(path), self._root]) == self._root
        except ValueError:  # A null byte is in no path.
            return False

    def reader(self, path: Path) -> ChildReader:
        """Return a reader of the nested stacks of the template at a path."""
        return self._reader(path, self._assets(path), (os.path.realpath(path),))

    def _reader(self, path: Path, assets: Assets, chain: tuple[str, ...]) -> ChildReader:
        def child(resource: Section) -> Child:
            file = path.parent / _location(resource, assets)
            real_path = self.real_path(file)
            if real_path in chain:
                raise NotRead(f"{file} is nested in itself; correct the path")
            document = self.document(file)
            if not is_template(document):
                raise NotRead(f"{file} is not a template")
            self.nested.setdefault(chain[0], {})[real_path] = file
            return Child(document, self._reader(file, {**assets, **self._assets(file)}, (*chain, real_path)))

        return child

    def _assets(self, path: Path) -> Assets:
        """Return the file assets of a CDK stack; empty for other templates.

        Source: AWS CDK, cloud-assembly-schema, AssetManifest.
        """
        if not path.name.endswith(TEMPLATE):
            return {}
        try:
            listed = as_mapping(self.document(path.with_name(path.name.removesuffix(TEMPLATE) + ASSETS)))
        except NotRead:
            return {}
        assets = {}
        for asset in map(as_mapping, as_mapping(listed.get("files")).values()):
            file = as_mapping(asset.get("source")).get("path")
            for destination in as_mapping(asset.get("destinations")).values():
                key = as_mapping(destination).get("objectKey")
                if isinstance(key, str) and isinstance(file, str) and key:
                    assets[key] = file
        return assets


def project_of(path: Path) -> Path:
    """Return the folder to which a file's nested stacks are limited: the current one if the file is below it."""
    here = Path.cwd()
    return here if here in Path(os.path.abspath(path)).parents else path.parent


def is_template(document: Json) -> bool:
    """Return whether a document looks like a template: it has Resources with a Type or a transform, or a header."""
    sections = as_mapping(document)
    resources = sections.get("Resources")
    if not isinstance(resources, Mapping):
        return False
    has_key = "AWSTemplateFormatVersion" in sections or "Transform" in sections
    keys = (key for name, resource in resources.items() for key in (name, *as_mapping(resource)))
    return has_key or any(key == "Type" or str(key).startswith("Fn::") for key in keys)


def is_assembly(folder: Folder, path: Path) -> bool:
    """Return whether a folder has the manifest of a CDK assembly with a stack or a stage."""
    try:
        artifacts = as_mapping(folder.document(path / MANIFEST)).get("artifacts")
    except NotRead:
        return False
    kinds = [str(as_mapping(artifact).get("type")) for artifact in as_mapping(artifacts).values()]
    return any(kind == STAGE or not kind.startswith(HARMLESS) for kind in kinds)


def _location(resource: Section, assets: Assets) -> str:
    """Return the path of a nested stack's template, relative to its parent's. Raises NotRead.

    Source: AWS CDK, "aws:asset:path", the Metadata by which tools find the local file of an asset.
    """
    asset = as_mapping(resource.get("Metadata")).get("aws:asset:path")
    if isinstance(asset, str):
        return asset
    key = "Location" if resource.get("Type") == APPLICATION else "TemplateURL"
    url = as_mapping(resource.get("Properties")).get(key)
    written = json.dumps(url, default=str)
    for name, file in assets.items():
        if f"/{name}" in written:
            return file
    if isinstance(url, str) and url and "://" not in url:
        return url
    raise NotRead(f"its {key} is not the name of a file" + (f" but {url}" if isinstance(url, str) else ""))
