"""Read the stacks of templates, Terraform plans, folders and CDK assemblies, each with its account and Region."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.checks import assemblies
from generator.checks.assemblies import Artifact
from generator.checks.folders import Folder, Unread, is_template, project_of
from generator.checks.lint_settings import LintSettings, lint_settings, of_project
from generator.checks.quota.variants import ACCOUNT, REGION, Values, Variant, variants
from generator.errors import Fault, MalformedTemplate, UnreadableTemplate
from generator.template import plan_files, reading
from generator.template.intrinsics import Json, as_mapping
from generator.template.nesting import NotRead

if TYPE_CHECKING:
    from generator.template.terraform import PlanPart

ANY = ""
"""The account or Region of a stack that may go to every account or Region."""

SKIPPED = ("node_modules", "__pycache__")
"""Folders in which nobody keeps templates, besides those whose names begin with a dot."""

MAX_FILES = 20_000
"""Files of one folder to look at."""

RESOURCES = re.compile(r"""(?:^|[{,])[ \t]*(["']?)Resources\1[ \t]*:""", re.MULTILINE)
"""The key under which a template has its resources, in JSON or YAML that may be broken."""

SERVERLESS = ("serverless.yml", "serverless.yaml", "serverless.json")


class Stack(NamedTuple):
    """One stack, or everything of one plan that goes to the same account and Region."""

    name: str
    path: Path
    """The file that a finding names."""
    variants: tuple[Variant, ...]
    """The template under each set of parameters that is given, with nested stacks put into it."""
    account: str = ANY
    region: str = ANY
    settings: LintSettings = LintSettings()
    """The settings of the project and of the template for its deployment."""
    reserved_now: int = 0
    """Its present reservations, as far as the file states them. Those of the account include them."""
    has_settings: bool = False
    """Whether .cfnlintrc can state its parameters."""
    is_plan: bool = False
    """Whether the template stands for a part of a Terraform plan."""
    reserved_during_apply: int = 0
    """Reservations that may exist in addition while a plan is applied."""

    @property
    def regions(self) -> frozenset[str]:
        """The Regions that are named for it; empty for any."""
        return frozenset(region for variant in self.variants for region in variant.space.pins.get(REGION, ()))

    def in_regions(self, regions: Collection[str]) -> Stack:
        """Return the stack for other Regions; for any if there are none."""
        variants = tuple(variant.pinned({REGION: regions}) for variant in self.variants)
        return self._replace(region=ANY, variants=variants)

    def may_go_to(self, account: str, region: str) -> bool:
        """Return whether the stack may be deployed to an account and a Region, each of which may be ANY."""
        if self.account not in (ANY, account) or self.region not in (ANY, region):
            return False
        return region == ANY or region in (self.regions or (region,))


class Source(NamedTuple):
    """The stacks of a file or folder, and everything else that was found in it."""

    stacks: tuple[Stack, ...] = ()
    unread: tuple[Unread, ...] = ()
    """Everything that belongs to no stack, such as a file that cannot be parsed."""
    templates: tuple[Path, ...] = ()
    """The files that cfn-lint can check."""
    assemblies: tuple[Path, ...] = ()
    """The folders that CDK wrote."""
    is_file: bool = False
    """Whether this is a single template."""


def read_file(path: Path, region: str = ANY) -> Source:
    """Return the stack of a template, in a Region unless the template names others, or the stacks of a Terraform plan.

    A template with a syntax error is unread, as for cfn-lint. Raises UnreadableTemplate for any other file.
    """
    if plan := _read_plan(path):
        return plan
    folder = Folder(project_of(path))
    if fault := source_of_template(path):
        raise UnreadableTemplate([fault])
    text = reading.text_of(path)
    try:
        document = reading.parsed(str(path), text)
    except MalformedTemplate as error:
        return unread(path, error)
    if not isinstance(as_mapping(document).get("Resources"), Mapping):
        raise UnreadableTemplate([not_a_template(path)])
    return Source((_of_template(folder, path, document, _settings(region)),), templates=(path,), is_file=True)


def read_folder(path: Path, region: str = ANY) -> Source:
    """Return the stacks of a CDK assembly, or of all templates, plans and assemblies below a folder.

    A template that another one nests is part of that one. Templates outside of assemblies go to the Region unless they
    name others. Raises UnreadableTemplate if there is no template.
    """
    walk = _Walk(Folder(path), _settings(region))
    for file in walk.files(path):
        walk.take(file)
    if not (walk.plain or walk.assembled or walk.planned or walk.unread):
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
        tuple(walk.unread),
        tuple(sorted(templates.values())),
        tuple(walk.assemblies),
    )


def unread(path: Path, error: UnreadableTemplate) -> Source:
    """Return the source for a file that cannot be read: the reasons for it."""
    return Source(
        unread=tuple(Unread(path, "", f"{fault.what}; {fault.remedy}") for fault in error.faults), is_file=True
    )


def _settings(region: str) -> dict[str, Any]:
    return {**of_project(), "regions": [region]} if region else of_project()


class _Walk:
    """A walk through a folder and what it has found so far. `project` has the settings of cfn-lint."""

    def __init__(self, folder: Folder, project: Mapping[str, Any]) -> None:
        self.folder, self.project = folder, project
        self.plain: dict[str, Stack] = {}
        """By real path, templates outside of assemblies."""
        self.assembled: list[Stack] = []
        self.unread: list[Unread] = []
        self.assemblies: list[Path] = []
        self.planned: list[Stack] = []

    def files(self, path: Path) -> Iterator[Path]:
        """Yield the files below a folder that may be templates; read the assemblies on the way."""
        remaining = MAX_FILES
        for place, folders, names in os.walk(path, onerror=self._note):
            folder = Path(place)
            if assemblies.is_assembly(self.folder, folder):
                folders.clear()
                self._take_assembly(folder)
                continue
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
            self.unread += [
                Unread(folder / name, "", "a link to a folder that is not read")
                for name in folders
                if self._leads_out(folder / name)
            ]
            for name in sorted(names):
                remaining -= 1
                if remaining < 0:
                    self.unread.append(Unread(path, "", f"more than {MAX_FILES:,} files; check a smaller folder"))
                    return
                if name.endswith(reading.SUFFIXES):
                    yield folder / name

    def _note(self, error: OSError) -> None:
        self.unread.append(Unread(Path(str(error.filename)), "", f"a folder that cannot be read ({error.strerror})"))

    def _leads_out(self, folder: Path) -> bool:
        """Return whether a folder is a link to one that the walk does not reach."""
        place = os.path.relpath(os.path.realpath(folder), os.path.realpath(self.folder.path))
        return folder.is_symlink() and any(part.startswith(".") or part in SKIPPED for part in Path(place).parts)

    def take(self, file: Path) -> None:
        """Add a file that is a template, and note one that may be a template but cannot be read."""
        if file.name in SERVERLESS and (fault := source_of_template(file)):
            self.unread.append(Unread(file, "", f"{fault.what}; {fault.remedy}"))
            return
        text = ""
        try:
            real_path = self.folder.real_path(file)
            text = reading.bounded_text(Path(real_path), errors="replace").replace("\0", "")  # UTF-16 shows as NULs.
            if plan_files.looks_like_plan(text):
                self._take_plan(file)
                return
            is_manifest = file.name == assemblies.MANIFEST
            if real_path in self.plain or not (is_manifest or "Resources" in text or "\\" in text):
                return
            document = self.folder.document(file)
            if is_manifest and not isinstance(document, Mapping):
                raise NotRead(f"{file} is not the manifest of a CDK assembly")
            if is_template(document):
                self.plain[real_path] = _of_template(self.folder, file, document, self.project)
        except (NotRead, OSError) as error:
            is_suspect = RESOURCES.search(text) or (
                "Resources" in text and ("AWS" in text or "template" in file.name.lower())
            )
            if not text or is_suspect or file.name == assemblies.MANIFEST or plan_files.looks_like_plan(text):
                self.unread.append(Unread(file, "", str(error)))

    def _take_plan(self, file: Path) -> None:
        self.folder.text(file)
        try:
            plan = _read_plan(file) or Source()
        except UnreadableTemplate as error:
            plan = unread(file, error)
        self.planned += plan.stacks
        self.unread += plan.unread

    def _take_assembly(self, path: Path) -> None:
        self.assemblies.append(path)
        for artifact in assemblies.artifacts(self.folder, path):
            if not isinstance(artifact, Artifact):
                self.unread.append(artifact._replace(file=self._inside(artifact.file, path)))
                continue
            try:
                self.assembled.append(_of_artifact(self.folder, artifact, self.project))
            except NotRead as error:
                self.unread.append(Unread(self._inside(artifact.template, path), "", str(error)))

    def _inside(self, file: Path, assembly: Path) -> Path:
        """Return a file, or the manifest that names it if it is outside the folder."""
        return file if self.folder.has(file) else assembly / assemblies.MANIFEST


def _of_artifact(folder: Folder, artifact: Artifact, project: Mapping[str, Any]) -> Stack:
    document = folder.document(artifact.template)
    if not is_template(document):
        raise NotRead(f"{artifact.template} is not a template")
    settings = lint_settings(document, project)
    given = _with_own(settings.parameters, artifact.parameters, as_mapping(as_mapping(document).get("Parameters")))
    regions = [artifact.region] if artifact.region else []
    own_variants = variants(document, given, regions, folder.reader(artifact.template))
    return Stack(
        artifact.name,
        artifact.template,
        tuple(variant.pinned({ACCOUNT: [artifact.account] if artifact.account else []}) for variant in own_variants),
        artifact.account,
        artifact.region,
        settings._replace(regions=(), parameters=()),
        has_settings=True,
    )


def _with_own(sets: Iterable[Values], own: Values, declared: Mapping[str, Any]) -> Sequence[Values]:
    """Return the sets of parameters that name one of the declared, with the stack's own values above them."""
    named: list[Values] = [{**values, **own} for values in sets if not declared.keys().isdisjoint(values)]
    return named or ([own] if own else [])


def _of_template(folder: Folder, path: Path, document: Json, project: Mapping[str, Any]) -> Stack:
    settings = lint_settings(document, project)
    own_variants = variants(document, settings.parameters, settings.regions, folder.reader(path))
    region = settings.regions[0] if len(settings.regions) == 1 else ANY
    return Stack(path.name, path, tuple(own_variants), region=region, settings=settings, has_settings=True)


def _read_plan(path: Path) -> Source | None:
    """Return the stacks of a plan; None if the file is no plan. Raises UnreadableTemplate."""
    text = plan_files.text_at(path)
    if text is None:
        return None
    from generator.template import terraform

    plan = terraform.plan(str(path), text)
    names = _plan_names(path, plan.parts)
    stacks = tuple(_of_plan(path, name, part) for name, part in zip(names, plan.parts, strict=True))
    gaps = [(gap.address, f"{gap.address}: {gap.reason}" if gap.address else gap.reason) for gap in plan.gaps]
    return Source(stacks, tuple(Unread(path, address, what) for address, what in gaps))


def _of_plan(path: Path, name: str, part: PlanPart) -> Stack:
    given = [part.parameters] if part.stack else []
    regions = [part.region] if part.region else []
    return Stack(
        name,
        path,
        tuple(variants(part.document, given, regions)),
        part.account,
        part.region,
        reserved_now=part.reserved_now,
        is_plan=not part.stack,
        reserved_during_apply=part.reserved_during_apply,
    )


def _plan_names(path: Path, parts: Sequence[PlanPart]) -> list[str]:
    """Return a name for each part: that of the file, with the account and Region or the stack of several."""
    if len(parts) == 1:
        return [path.name]
    ends = [part.stack or f"{part.account} {part.region or 'any Region'}".strip() for part in parts]
    return [f"{path.name} {end}" for end in ends]


def source_of_template(path: Path) -> Fault | None:
    """Return a fault if another tool makes templates from the file, with the command that makes them."""
    if path.name in SERVERLESS:
        what = "a service of the Serverless Framework, not a template"
        return Fault(str(path), what, "run `serverless package`, then check .serverless/")
    if path.name == "cdk.json":
        return Fault(str(path), "the settings of a CDK app, not a template", "run `cdk synth`, then check cdk.out")
    if path.name == assemblies.MANIFEST and assemblies.is_assembly(Folder(path.parent), path.parent):
        what = "the manifest of a CDK assembly, not a template"
        return Fault(str(path), what, f"check its folder: generator check {path.parent}")
    if reading.is_file(path) and _begins_like_zip(path):
        import shlex

        what = "a binary plan of Terraform or OpenTofu"
        remedy = f"run `terraform show -json {shlex.quote(path.name)} > plan.json`, then check plan.json"
        return Fault(str(path), what, remedy)
    return None


def _begins_like_zip(path: Path) -> bool:
    """Return whether a file is a ZIP archive, as a saved plan is. Source: Terraform, internal/plans/planfile."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def not_a_template(path: Path) -> Fault:
    """Return the fault for a file, or for a copy of the standard input, that is not a template."""
    remedy = "give a template in JSON or YAML, or leave this file out"
    if path.name == "-":
        remedy = "pipe a template, or the JSON of a Terraform plan, into the command"
    return Fault(str(path), "not a CloudFormation template: it has no Resources", remedy)
