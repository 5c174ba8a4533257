"""A template as an AWS CDK app in Python: one L1 construct (`CfnFunction`, `CfnTable`, ...) for each resource.

L2 constructs would add policies, permissions and log retention of their own choice. `CfnResource` with dicts would
need half the processor time, because it loads no service modules, but it gives up the typed API that apps use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

from troposphere import AWSObject, AWSProperty

from benchmarks.peers.python_source import INDENT, Call, Name, expression, keywords, resource_class, snake_case, source

PROPERTY_CLASSES = {"MetricDimension": "Dimension"}
"""The nested properties whose class has another name in troposphere than in CloudFormation and the CDK."""

APP = '''"""Synthesize the stack: python app.py FOLDER [unvalidated|lean].

`unvalidated` turns off the built-in validation of templates and constructs. `lean` turns off everything that can be
turned off: analytics, tree metadata, stack traces, and the rule that looks for a bootstrapped account as well.
"""

import sys

from aws_cdk import App, Aws, CfnCondition, CfnDeletionPolicy, CfnOutput, CfnParameter
from aws_cdk import DefaultStackSynthesizer, Fn, Stack, {modules}


class PriceAlerts(Stack):
    def __init__(self, scope, id, **options):
        super().__init__(scope, id, description={description!r}, **options)
{statements}

outdir, *mode = sys.argv[1:]
if mode == ["lean"]:
    app = App(
        outdir=outdir,
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        performance_reporting=False,
        stack_traces=False,
        tree_metadata=False,
    )
    synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    PriceAlerts(app, "PriceAlerts", synthesizer=synthesizer, analytics_reporting=False)
    app.synth(skip_validation=True)
elif mode == ["unvalidated"]:
    app = App(outdir=outdir, builtin_cloud_formation_validation=False)
    PriceAlerts(app, "PriceAlerts")
    app.synth(skip_validation=True)
else:
    app = App(outdir=outdir)
    PriceAlerts(app, "PriceAlerts")
    app.synth()
'''


class Cdk:
    """The spelling in the CDK for Python. References are attributes of variables, so no logical ID is written twice."""

    def __init__(self, parameters: Iterable[str]) -> None:
        self.parameters = frozenset(parameters)

    def keyword(self, name: str) -> str:
        return snake_case(name)

    def property_class(self, owner: type[AWSObject], declared: type[AWSProperty]) -> str:
        return f"{_construct(owner)}.{PROPERTY_CLASSES.get(declared.__name__, declared.__name__)}Property"

    def intrinsic(self, function: str, arguments: list[Any]) -> Call | Name:
        match function:
            case "Ref" if arguments[0].startswith("AWS::"):
                return Name(f"Aws.{snake_case(arguments[0].removeprefix('AWS::')).upper()}")
            case "Ref":
                attribute = "value_as_string" if arguments[0] in self.parameters else "ref"
                return Name(f"{snake_case(arguments[0])}.{attribute}")
            case "GetAtt":
                return Name(f"{snake_case(arguments[0])}.attr_{snake_case(arguments[1])}")
            case "If":
                return Call(f"{source(Call('Fn.condition_if', arguments))}.to_string")
            case "Equals":
                return Call("Fn.condition_equals", arguments)
            case _:
                return Call(f"Fn.{snake_case(function)}", arguments)


def cdk_app(template: Mapping[str, Any]) -> str:
    """Return the source of an app with three modes, which writes PriceAlerts.template.json to a folder."""
    resources = template["Resources"]
    modules = {_construct(resource_class(one["Type"])).split(".")[0] for one in resources.values()}
    return APP.format(
        modules=", ".join(sorted(modules)),
        description=template["Description"],
        statements="".join(f"{INDENT * 2}{line}\n" for line in _statements(template)),
    )


def _statements(template: Mapping[str, Any]) -> Iterator[str]:
    cdk = Cdk(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        yield _assignment(name, "CfnParameter", {cdk.keyword(key): value for key, value in parameter.items()})
    for name, condition in template.get("Conditions", {}).items():
        yield _assignment(name, "CfnCondition", {"expression": expression(cdk, condition)})
    for name in _dependencies_first(template["Resources"]):
        yield from _resource(name, template["Resources"][name], cdk)
    for name, output in template["Outputs"].items():
        described = {cdk.keyword(key): expression(cdk, value) for key, value in output.items()}
        yield source(_construction(name, "CfnOutput", described), INDENT * 2)


def _resource(name: str, resource: Mapping[str, Any], cdk: Cdk) -> Iterator[str]:
    declared, variable = resource_class(resource["Type"]), snake_case(name)
    properties = dict(resource.get("Properties", {}))
    if resource["Type"] == "AWS::ApiGateway::Model":
        properties["Schema"] = json.loads(properties["Schema"])  # The CDK takes an object, not its JSON.
    yield _assignment(name, _construct(declared), keywords(cdk, properties, declared))
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if policy in resource:
            value = f"CfnDeletionPolicy.{snake_case(resource[policy]).upper()}"
            yield f"{variable}.cfn_options.{snake_case(policy)} = {value}"
    if "Condition" in resource:
        yield f"{variable}.cfn_options.condition = {snake_case(resource['Condition'])}"
    yield from (f"{variable}.add_resource_dependency({snake_case(other)})" for other in resource.get("DependsOn", []))


def _assignment(name: str, construct: str, keywords: Mapping[str, Any]) -> str:
    return f"{snake_case(name)} = {source(_construction(name, construct, keywords), INDENT * 2)}"


def _construction(name: str, construct: str, keywords: Mapping[str, Any]) -> Call:
    return Call(construct, [Name("self"), name], keywords)


def _construct(declared: type[AWSObject]) -> str:
    """Return the L1 construct of a resource, such as `aws_lambda.CfnFunction`."""
    _, service, name = declared.resource_type.split("::")
    return f"aws_{service.lower()}.Cfn{name}"


def _dependencies_first(resources: Mapping[str, Any]) -> Iterable[str]:
    """Return the logical IDs in an order that assigns each variable before its first use."""
    texts = {name: json.dumps(resource) for name, resource in resources.items()}
    # A reference is a string of its own in Ref, Fn::GetAtt and DependsOn. The names inside Fn::Sub are not variables.
    needed = {name: [other for other in resources if f'"{other}"' in text] for name, text in texts.items()}
    return TopologicalSorter(needed).static_order()
