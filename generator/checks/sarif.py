"""Write findings as SARIF 2.1.0, the format that code hosts use to annotate pull requests.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0; numbers in brackets are its sections.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from generator import __version__
from generator._format import visible
from generator.checks.findings import Finding, Rule, limited

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

LEVELS = {"error": "error", "warning": "warning", "informational": "note"}
"""SARIF levels by severity [3.27.10]; any other severity is a warning."""

ROOT = "%SRCROOT%"
"""The base of relative addresses: the folder of the check, which is the repository's root for a host."""


def as_sarif(findings: Iterable[Finding], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Return a log with one run. A log without findings clears earlier annotations."""
    findings = list(findings)
    ids = sorted({finding.rule for finding in findings})
    described = [
        {"id": rule.id, "shortDescription": {"text": _plain(rule.title)}, **({"helpUri": rule.url} if rule.url else {})}
        for rule in map(rules.__getitem__, ids)
    ]
    driver = {"name": "generator check", "semanticVersion": __version__, "rules": described}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, ids.index(finding.rule)) for finding in findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _address(Path(finding.file)),
            "region": {"startLine": max(1, finding.line)},
        }
    }
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": visible(finding.path)}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": LEVELS.get(finding.severity, "warning"),
        "message": {"text": _plain(limited(finding.message))},
        "locations": [location],
    }


def _plain(text: str) -> str:
    """Return text without embedded links, which would open with a click [3.11.6]. Lines stay."""
    return re.sub(r"\[(?=[^\]]*\]\()", r"\\[", visible(text, "\n"))


def _address(path: Path) -> dict[str, str]:
    """Return a relative address, which is right in any clone; a file outside has only its full address."""
    full, here = Path(os.path.abspath(path)), Path.cwd()
    if full.is_relative_to(here):
        return {"uri": quote(os.fsencode(full.relative_to(here))), "uriBaseId": ROOT}
    return {"uri": full.as_uri()}
