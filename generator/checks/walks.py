"""Read the stacks of everything below a folder: of CDK assemblies, plain templates and Terraform plans."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.checks.findings import Finding, not_counted
from generator.checks.folders import HARMLESS, MANIFEST, STACK, STAGE, Folder, is_assembly, is_template
from generator.checks.lint_settings import lint_settings
from generator.checks.quota.variants import ACCOUNT, Values, variants
from generator.checks.stacks import (
    ANY,
    SERVERLESS,
    Source,
    Stack,
    project_settings,
    read_plan,
    source_of_template,
    stack_of_template,
    unread,
)
from generator.errors import Fault, UnreadableTemplate
from generator.template import plan_files, reading
from generator.template.intrinsics import as_mapping, literal_text
from generator.template.nesting import NotRead

SKIPPED = ("node_modules", "__pycache__")
"""Folders in which nobody keeps templates, besides those whose names begin with a dot."""

MAX_FILES = 20_000
"""Files of one folder to look at."""

MAX_ARTIFACTS = 5_000
"""Stacks and stages of one assembly, with its stages."""

RESOURCES = re.compile(r"""(?:^|[{,])[ \t]*(["']?)Resources\1[ \t]*:""", re.MULTILINE)
"""The key under which a template has its resources, in JSON or YAML that may be broken."""

_ENVIRONMENT = re.compile(r"aws://([^/]*)/([^/]*)")

_UNKNOWN = ("unknown-account", "unknown-region")


def read_folder(path: Path, region: str = ANY) -> Source:
    """Return the stacks of a CDK assembly, or of all templates, plans and assemblies below a folder.

    A template that another one nests is part of that one. Templates outside of assemblies go to the Region unless they
    name others. Raises UnreadableTemplate if there is no template.
    """
    walk = _Walk(Folder(path), project_settings(region))
    walk.run()
    if not (walk.plain or walk.assembled or walk.planned or walk.gaps):
        remedy = "name the folder that has the templates, such as cdk.out or .aws-sam/build"
        raise UnreadableTemplate([Fault(str(path), "no CloudFormation template in this folder", remedy)])
    nested = walk.folder.nested
    inside = {
        real_path
        for root, files in nested.items()
        for real_path in files
        if real_path != root and root not in nested.get(real_path, {})
    }
    roots = [stack for real_path, stack in walk.plain.items() if real_path not in inside]
    templates = {
        **{real_path: file for files in nested.values() for real_path, file in files.items()},
        **{os.path.realpath(stack.path): stack.path for stack in (*walk.plain.values(), *walk.assembled)},
    }
    return Source(
        (*walk.assembled, *roots, *walk.planned),
        tuple(walk.gaps),
        tuple(sorted(templates.values())),
        tuple(walk.assemblies),
    )


class _Walk:
    """A walk through a folder and what it has found so far. `project` has the settings of cfn-lint."""

    def __init__(self, folder: Folder, project: Mapping[str, Any]) -> None:
        self.folder, self.project = folder, project
        self.plain: dict[str, Stack] = {}
        """By real path, templates outside of assemblies."""
        self.assembled: list[Stack] = []
        self.planned: list[Stack] = []
        self.gaps: list[Finding] = []
        self.assemblies: list[Path] = []

    def run(self) -> None:
        """Read the assemblies and all files that may be templates."""
        remaining = MAX_FILES
        for place, folders, names in os.walk(self.folder.path, onerror=self._note_folder):
            folder = Path(place)
            if is_assembly(self.folder, folder):
                folders.clear()
                self._take_assembly(folder)
                continue
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
            for linked in (folder / name for name in folders if self._leads_out(folder / name)):
                self._note(linked, "a link to a folder that is not read")
            for name in sorted(names):
                remaining -= 1
                if remaining < 0:
                    self._note(self.folder.path, f"more than {MAX_FILES:,} files; check a smaller folder")
                    return
                if name.endswith(reading.SUFFIXES):
                    self._take(folder / name)

    def _note(self, file: Path, reason: str, path: str = "") -> None:
        self.gaps.append(not_counted(file, reason, path))

    def _note_folder(self, error: OSError) -> None:
        self._note(Path(str(error.filename)), f"a folder that cannot be read ({error.strerror})")

    def _leads_out(self, folder: Path) -> bool:
        """Return whether a folder is a link to one that the walk does not reach."""
        place = os.path.relpath(os.path.realpath(folder), os.path.realpath(self.folder.path))
        return folder.is_symlink() and any(part.startswith(".") or part in SKIPPED for part in Path(place).parts)

    def _take(self, file: Path) -> None:
        """Add a file that is a template, and note one that may be a template but cannot be read."""
        if file.name in SERVERLESS and (fault := source_of_template(file)):
            self._note(file, f"{fault.what}; {fault.remedy}")
            return
        text, is_manifest = "", file.name == MANIFEST
        try:
            real_path = self.folder.real_path(file)
            text = reading.bounded_text(Path(real_path), errors="replace").replace("\0", "")  # UTF-16 shows as NULs.
            if plan_files.looks_like_plan(text):
                self._take_plan(file)
                return
            if real_path in self.plain or not (is_manifest or "Resources" in text or "\\" in text):
                return
            document = self.folder.document(file)
            if is_manifest and not isinstance(document, Mapping):
                raise NotRead(f"{file} is not the manifest of a CDK assembly")
            if is_template(document):
                self.plain[real_path] = stack_of_template(self.folder, file, document, self.project)
        except (NotRead, OSError) as error:
            is_suspect = RESOURCES.search(text) or (
                "Resources" in text and ("AWS" in text or "template" in file.name.lower())
            )
            if not text or is_suspect or is_manifest or plan_files.looks_like_plan(text):
                self._note(file, str(error))

    def _take_plan(self, file: Path) -> None:
        self.folder.text(file)
        try:
            plan = read_plan(file) or Source()
        except UnreadableTemplate as error:
            plan = unread(file, error)
        self.planned += plan.stacks
        self.gaps += plan.gaps

    def _take_assembly(self, path: Path) -> None:
        """Read every stack of an assembly and of its stages. Source: AWS CDK, cloud-assembly-schema."""
        self.assemblies.append(path)
        stages, seen, remaining = [path], {os.path.realpath(path)}, MAX_ARTIFACTS
        while stages:
            manifest = stages.pop(0) / MANIFEST
            known = self._inside(manifest)
            try:
                document = as_mapping(self.folder.document(manifest))
            except NotRead as error:
                self._note(known, str(error))
                continue
            if document.get("missing"):
                self._note(known, "the app looked up values that are missing; run cdk synth with credentials")
            if not isinstance(document.get("artifacts"), Mapping):
                self._note(known, f"{manifest} lists no artifacts")
            for name, artifact in as_mapping(document.get("artifacts")).items():
                remaining -= 1
                if remaining < 0:
                    self._note(known, f"the assembly has more than {MAX_ARTIFACTS:,} artifacts", str(name))
                    return
                stage = self._take_artifact(manifest, str(name), as_mapping(artifact))
                if stage and os.path.realpath(stage) not in seen:
                    seen.add(os.path.realpath(stage))
                    stages.append(stage)

    def _take_artifact(self, manifest: Path, name: str, artifact: Mapping[str, Any]) -> Path | None:
        """Read a stack, or return the folder of a stage."""
        kind, properties = artifact.get("type"), as_mapping(artifact.get("properties"))
        folder, file = properties.get("directoryName"), properties.get("templateFile")
        if kind == STAGE and isinstance(folder, str) and "\0" not in folder:
            return manifest.parent / folder
        if kind == STACK and isinstance(file, str):
            template = manifest.parent / file
            try:
                self.assembled.append(self._stack(template, name, artifact))
            except NotRead as error:
                self._note(self._inside(template), str(error))
        elif kind in (STACK, STAGE) or not str(kind).startswith(HARMLESS):
            self._note(manifest, f"an artifact of type {kind} that cannot be read", name)
        return None

    def _inside(self, file: Path) -> Path:
        """Return a file, or the manifest of its assembly if it is outside the folder."""
        return file if self.folder.has(file) else self.assemblies[-1] / MANIFEST

    def _stack(self, template: Path, name: str, artifact: Mapping[str, Any]) -> Stack:
        """Return the stack of an artifact. Account and Region are ANY if the app leaves them open. Raises NotRead."""
        document = self.folder.document(template)
        if not is_template(document):
            raise NotRead(f"{template} is not a template")
        properties = as_mapping(artifact.get("properties"))
        match = _ENVIRONMENT.fullmatch(str(artifact.get("environment")))
        account, region = (ANY if part in _UNKNOWN else part for part in match.groups()) if match else (ANY, ANY)
        settings = lint_settings(document, self.project)
        given = as_mapping(properties.get("parameters")).items()
        own = {str(key): text for key, value in given if (text := literal_text(value)) is not None}
        # The sets of .cfnlintrc count for the stack if they name one of its parameters.
        declared = as_mapping(as_mapping(document).get("Parameters")).keys()
        sets: list[Values] = [{**values, **own} for values in settings.parameters if not declared.isdisjoint(values)]
        given_sets = sets or ([own] if own else [])
        found = variants(document, given_sets, [region] if region else [], self.folder.reader(template))
        return Stack(
            literal_text(properties.get("stackName")) or name,
            template,
            [variant.pinned({ACCOUNT: [account] if account else []}) for variant in found],
            account,
            region,
            settings,
            has_settings=True,
        )
