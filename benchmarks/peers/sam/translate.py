"""Translates template.yaml as CloudFormation would: python translate.py > prod.json"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

FOLDER = Path(__file__).parent
HANDLERS = FOLDER.parents[2] / "generator/handlers"


class NoManagedPolicies:
    """The template names no managed policy, so none has to be asked for."""

    def load(self) -> dict[str, str]:
        return {}


def main() -> None:
    """Prints the translated template."""
    template = yaml_parse((FOLDER / "template.yaml").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["InlineCode"] = (HANDLERS / resource["Properties"]["InlineCode"]).read_text()
    print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=1))


if __name__ == "__main__":
    main()
