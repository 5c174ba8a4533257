"""Names are replaced wherever CloudFormation takes them for names, and nowhere else."""

from __future__ import annotations

from generator.diff.redefinitions import Replacements

NEW_NAMES = Replacements(parameters={"P": {"Ref": "Q"}, "A": {"Ref": "B"}}, conditions={"C": "D"})


def test_the_dependencies_of_a_resource_are_renamed() -> None:
    resource = {"Type": "AWS::SNS::Topic", "Condition": "C", "DependsOn": ["A", "Other"]}
    assert NEW_NAMES.value(resource) == {"Type": "AWS::SNS::Topic", "Condition": "D", "DependsOn": ["B", "Other"]}


def test_the_dependencies_of_containers_are_values() -> None:
    containers = [{"DependsOn": [{"ContainerName": {"Ref": "P"}, "Condition": {"Fn::If": ["C", "START", "HEALTHY"]}}]}]
    renamed = [{"DependsOn": [{"ContainerName": {"Ref": "Q"}, "Condition": {"Fn::If": ["D", "START", "HEALTHY"]}}]}]
    assert NEW_NAMES.value(containers) == renamed
    plain = {"Name": "app", "DependsOn": [{"ContainerName": "A", "Condition": "C"}]}
    assert NEW_NAMES.value(plain) == plain
