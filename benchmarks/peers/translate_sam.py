"""Translate a SAM template as CloudFormation would: python translate_sam.py TEMPLATE"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy, so the translator has none to look up."""

    def load(self) -> dict[str, str]:
        return {}


template = yaml_parse(Path(sys.argv[1]).read_text())
print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=1))
