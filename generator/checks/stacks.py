"""Read the stacks of templates, Terraform plans, folders and CDK assemblies, each with its account and Region."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.checks.findings import Finding, not_counted
from generator.checks.folders import HARMLESS, MANIFEST, STACK, STAGE, Folder, is_assembly, is_template, project_of
from generator.checks.lint_settings import LintSettings, lint_settings, of_project
from generator.checks.quota.variants import ACCOUNT, REGION, Values, Variant, variants
from generator.errors import Fault, MalformedTemplate, OversizedTemplate, UnreadableTemplate
from generator.template import plan_files, reading
from generator.template.intrinsics import Json, as_mapping, literal_text
from generator.template.nesting import NotRead

if TYPE_CHECKING:
    from generator.template.terraform import PlanPart

ANY = ""
"""The account or Region of a stack that may go to every account or Region."""

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
"""What CDK writes for an account and a Region that it does not know."""

SERVERLESS = ("serverless.yml", "serverless.yaml", "serverless.json")


class Stack(NamedTuple):
    """One stack, or everything of one plan that goes to the same account and Region."""

    name: str
    path: Path
    """The file that a finding names."""
    variants: Sequence[Variant]
    """The template under each set of parameters that is given, with nested stacks put into it."""
    account: str = ANY
    region: str = ANY
    settings: LintSettings = LintSettings()
    """The settings of the project and of the template for its deployment."""
    reserved_now: int = 0
    """Its present reservations, as far as the file states them. Those of the account include them."""
    has_settings: bool = False
    """Whether it is a CloudFormation template, whose parameters .cfnlintrc can state."""
    is_plan: bool = False
    """Whether it is the own resources of a Terraform plan, and not a CloudFormation stack that the plan deploys."""
    reserved_during_apply: int = 0
    """Reservations that may exist in addition while a plan is applied."""

    @property
    def regions(self) -> frozenset[str]:
        """The Regions that are named for it; empty for any."""
        return frozenset(region for variant in self.variants for region in variant.space.pins.get(REGION, ()))

    def in_regions(self, regions: Collection[str]) -> Stack:
        """Return the stack for other Regions; for any if there are none."""
        return self._replace(region=ANY, variants=[variant.pinned({REGION: regions}) for variant in self.variants])

    def may_go_to(self, account: str, region: str) -> bool:
        """Return whether the stack may be deployed to an account and a Region, each of which may be ANY."""
        if self.account not in (ANY, account) or self.region not in (ANY, region):
            return False
        return region == ANY or region in (self.regions or (region,))


class Source(NamedTuple):
    """The stacks of a file or folder, and everything else that was found in it."""

    stacks: tuple[Stack, ...] = ()
    gaps: tuple[Finding, ...] = ()
    """Everything that is not counted and belongs to no stack, such as a file that cannot be parsed."""
    templates: tuple[Path, ...] = ()
    """The files that cfn-lint can check."""
    assemblies: tuple[Path, ...] = ()
    """The folders that CDK wrote."""
    is_folder: bool = False

    def with_settings(self, **settings: Any) -> Source:
        """Return the source with these settings of its stacks in place of their own."""
        stacks = (stack._replace(settings=stack.settings._replace(**settings)) for stack in self.stacks)
        return self._replace(stacks=tuple(stacks))


def read_file(path: Path, region: str = ANY) -> Source:
    """Return the stack of a template, or the stacks of a Terraform plan. `region` is for a template that names none.

    A template with a syntax error is unread, as for cfn-lint. Raises UnreadableTemplate for any other file.
    """
    if plan := _read_plan(path):
        return plan
    folder = Folder(project_of(path))
    if fault := fault_of_tool_input(path):
        raise UnreadableTemplate([fault])
    text = reading.text_of(path)
    try:
        document = reading.parsed(str(path), text)
    except MalformedTemplate as error:
        return unread(path, error)
    if not isinstance(as_mapping(document).get("Resources"), Mapping):
        raise UnreadableTemplate([not_a_template(path)])
    stack = _stack_of_template(folder, path, document, _project_settings(region))
    return Source((stack,), templates=(path,))


def read_folder(path: Path, region: str = ANY) -> Source:
    """Return the stacks of a CDK assembly, or of all templates, plans and assemblies below a folder.

    A template that another one nests is part of that one. Templates outside of assemblies go to the Region unless they
    name others. Raises UnreadableTemplate if there is no template.
    """
    walk = _Walk(Folder(path), _project_settings(region))
    walk.run()
    if not (walk.plain or walk.assembled or walk.planned or walk.gaps):
        remedy = "name the folder that has the templates, such as cdk.out or .aws-sam/build"
        raise UnreadableTemplate([Fault(str(path), "no CloudFormation template in this folder", remedy)])
    nested = walk.folder.nested
    # A template that nests the one it is nested in is still a stack of its own.
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
        is_folder=True,
    )


def unread(path: Path, error: UnreadableTemplate) -> Source:
    """Return the source for a file that cannot be read: the reasons for it."""
    return Source(gaps=tuple(not_counted(path, f"{fault.what}; {fault.remedy}") for fault in error.faults))


def _project_settings(region: str) -> dict[str, Any]:
    """Return the project's settings of cfn-lint, with the Region if there is one."""
    return {**of_project(), "regions": [region]} if region else of_project()


def _stack_of_template(folder: Folder, path: Path, document: Json, project: Mapping[str, Any]) -> Stack:
    """Return the stack of a template that no assembly names."""
    settings = lint_settings(document, project)
    found = variants(document, settings.parameters, settings.regions, folder.reader(path))
    region = settings.regions[0] if len(settings.regions) == 1 else ANY
    return Stack(path.name, path, found, region=region, settings=settings, has_settings=True)


def _read_plan(path: Path) -> Source | None:
    """Return the stacks of a Terraform plan; None if the file is no plan. Raises UnreadableTemplate."""
    text = plan_files.text_at(path)
    if text is None:
        return None
    from generator.template import terraform

    plan = terraform.plan(str(path), text)
    gaps = [(gap.address, f"{gap.address}: {gap.reason}" if gap.address else gap.reason) for gap in plan.gaps]
    return Source(
        tuple(_of_plan(path, part, is_only=len(plan.parts) == 1) for part in plan.parts),
        tuple(not_counted(path, reason, address) for address, reason in gaps),
    )


def _of_plan(path: Path, part: PlanPart, is_only: bool) -> Stack:
    """Return a part of a plan. Its name is that of the file, with the account and Region or the stack of several."""
    end = part.stack or f"{part.account} {part.region or 'any Region'}".strip()
    return Stack(
        path.name if is_only else f"{path.name} {end}",
        path,
        variants(part.document, [part.parameters] if part.stack else [], [part.region] if part.region else []),
        part.account,
        part.region,
        reserved_now=part.reserved_now,
        is_plan=not part.stack,
        reserved_during_apply=part.reserved_during_apply,
    )


def unreadable(paths: Iterable[Path]) -> list[Fault]:
    """Return a fault for each file that cannot be read as text, or is larger than any template."""
    faults: list[Fault] = []
    for path in paths:
        if fault := fault_of_tool_input(path):
            faults.append(fault)
            continue
        try:
            reading.parsed(str(path), reading.bounded_text(path))
        except OversizedTemplate as error:
            faults += error.faults
        except UnreadableTemplate:
            pass  # A syntax error, which cfn-lint reports.
        except FileNotFoundError:
            faults.append(Fault(str(path), "no such file", "correct the path"))
        except IsADirectoryError:
            faults.append(Fault(str(path), "a folder and not a file", "name the templates in it"))
        except UnicodeDecodeError as error:
            faults.append(Fault(str(path), f"not a text in UTF-8 ({error.reason})", "save it as UTF-8"))
        except OSError as error:
            faults.append(Fault(str(path), f"cannot be read ({error.strerror})", "correct its permissions"))
    return faults


def fault_of_tool_input(path: Path) -> Fault | None:
    """Return a fault if another tool makes templates from the file, with the command that makes them."""
    if path.name in SERVERLESS:
        what = "a service of the Serverless Framework, not a template"
        return Fault(str(path), what, "run `serverless package`, then check .serverless/")
    if path.name == "cdk.json":
        return Fault(str(path), "the settings of a CDK app, not a template", "run `cdk synth`, then check cdk.out")
    if path.name == MANIFEST and is_assembly(Folder(path.parent), path.parent):
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
        for place, folders, names in os.walk(self.folder.path, onerror=self._note_error):
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

    def _note_error(self, error: OSError) -> None:
        self._note(Path(str(error.filename)), f"a folder that cannot be read ({error.strerror})")

    def _leads_out(self, folder: Path) -> bool:
        """Return whether a folder is a link to one that the walk does not reach."""
        place = os.path.relpath(os.path.realpath(folder), os.path.realpath(self.folder.path))
        # A name that starts with "." is also "..": outside of the folder.
        return folder.is_symlink() and any(part.startswith(".") or part in SKIPPED for part in Path(place).parts)

    def _take(self, file: Path) -> None:
        """Add a file that is a template, and note one that may be a template but cannot be read."""
        if file.name in SERVERLESS and (fault := fault_of_tool_input(file)):
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
                self.plain[real_path] = _stack_of_template(self.folder, file, document, self.project)
        except (NotRead, OSError) as error:
            is_suspect = RESOURCES.search(text) or (
                "Resources" in text and ("AWS" in text or "template" in file.name.lower())
            )
            if not text or is_suspect or is_manifest or plan_files.looks_like_plan(text):
                self._note(file, str(error))

    def _take_plan(self, file: Path) -> None:
        self.folder.text(file)  # Raises NotRead for a file outside the folder.
        try:
            plan = _read_plan(file) or Source()
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
