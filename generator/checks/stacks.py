"""The stacks of templates and Terraform plans, each with its account and Region. `walks` reads those of folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.checks.findings import Finding, not_counted
from generator.checks.folders import MANIFEST, Folder, is_assembly, project_of
from generator.checks.lint_settings import LintSettings, lint_settings, of_project
from generator.checks.quota.variants import REGION, Variant, variants
from generator.errors import Fault, MalformedTemplate, OversizedTemplate, UnreadableTemplate
from generator.template import plan_files, reading
from generator.template.intrinsics import Json, as_mapping

if TYPE_CHECKING:
    from generator.template.terraform import PlanPart

ANY = ""
"""The account or Region of a stack that may go to every account or Region."""

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
    is_file: bool = False
    """Whether this is a single template."""


def read_file(path: Path, region: str = ANY) -> Source:
    """Return the stack of a template, in a Region unless the template names others, or the stacks of a Terraform plan.

    A template with a syntax error is unread, as for cfn-lint. Raises UnreadableTemplate for any other file.
    """
    if plan := read_plan(path):
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
    stack = stack_of_template(folder, path, document, project_settings(region))
    return Source((stack,), templates=(path,), is_file=True)


def unread(path: Path, error: UnreadableTemplate) -> Source:
    """Return the source for a file that cannot be read: the reasons for it."""
    return Source(
        gaps=tuple(not_counted(path, f"{fault.what}; {fault.remedy}") for fault in error.faults), is_file=True
    )


def project_settings(region: str) -> dict[str, Any]:
    """Return the project's settings of cfn-lint, with the Region if there is one."""
    return {**of_project(), "regions": [region]} if region else of_project()


def stack_of_template(folder: Folder, path: Path, document: Json, project: Mapping[str, Any]) -> Stack:
    """Return the stack of a template that no assembly names."""
    settings = lint_settings(document, project)
    found = variants(document, settings.parameters, settings.regions, folder.reader(path))
    region = settings.regions[0] if len(settings.regions) == 1 else ANY
    return Stack(path.name, path, found, region=region, settings=settings, has_settings=True)


def read_plan(path: Path) -> Source | None:
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
        if fault := source_of_template(path):
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


def source_of_template(path: Path) -> Fault | None:
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
