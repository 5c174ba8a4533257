"""A template as one troposphere script: what a person would write who needs this stack and derives no figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troposphere import AWSObject, AWSProperty, Output, Parameter

from benchmarks.peers.python_source import Call, expression, keywords, resource_class, source

HEAD = '''"""Print the stack: one troposphere object for each resource."""

from troposphere import Equals, GetAtt, If, Join, Output, Parameter, Ref, Sub, Template
from troposphere import {modules}

stack = Template({description!r})
stack.set_version({version!r})
'''


class Troposphere:
    """The spelling in troposphere, which has the names of CloudFormation."""

    def keyword(self, name: str) -> str:
        return name

    def property_class(self, owner: type[AWSObject], declared: type[AWSProperty]) -> str:
        return _qualified(declared)

    def intrinsic(self, function: str, arguments: list[Any]) -> Call:
        return Call(function, arguments)


TOOL = Troposphere()


def troposphere_script(template: Mapping[str, Any]) -> str:
    """Return the source of a script that prints the template as JSON without line breaks.

    The script imports troposphere alone. Policies are plain dicts, as in troposphere's own examples.
    """
    resources = [_resource(name, one) for name, one in template["Resources"].items()]
    calls = [
        *(_add("parameter", _object(Parameter, name, one)) for name, one in template["Parameters"].items()),
        *(_add("condition", name, expression(TOOL, one)) for name, one in template.get("Conditions", {}).items()),
        *(_add("resource", resource) for resource in resources),
        *(_add("output", _object(Output, name, one)) for name, one in template["Outputs"].items()),
        Call("print", [Call("stack.to_json", (), {"indent": None})]),
    ]
    head = HEAD.format(
        modules=", ".join(sorted({resource.function.split(".")[0] for resource in resources})),
        description=template["Description"],
        version=template["AWSTemplateFormatVersion"],
    )
    return head + "".join(f"{source(call)}\n" for call in calls)


def _add(section: str, *arguments: Any) -> Call:
    return Call(f"stack.add_{section}", arguments)


def _resource(name: str, resource: Mapping[str, Any]) -> Call:
    declared = resource_class(resource["Type"])
    attributes = {key: value for key, value in resource.items() if key not in ("Type", "Properties")}
    call = _object(declared, name, resource.get("Properties", {}))
    return Call(_qualified(declared), call.arguments, {**attributes, **call.keywords})


def _object(declared: type, name: str, properties: Mapping[str, Any]) -> Call:
    return Call(declared.__name__, [name], keywords(TOOL, properties, declared))


def _qualified(declared: type) -> str:
    return f"{declared.__module__.removeprefix('troposphere.')}.{declared.__name__}"
