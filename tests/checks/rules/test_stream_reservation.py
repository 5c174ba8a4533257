"""W9803: a stream consumer reserves no more than its pollers can use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import DELETE, by_name, edited

LAMBDA, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"

GOOD: dict[str, Any] = {
    "Parameters": {"Environment": {"Type": "String"}, "Factor": {"Type": "Number", "Default": 2}},
    "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}},
    "Resources": {
        "Clicks": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 3}},
        "Counter": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 6}},
        "CounterSource": {
            "Type": MAPPING,
            "Properties": {
                "FunctionName": {"Ref": "Counter"},
                "EventSourceArn": {"Fn::GetAtt": ["Clicks", "Arn"]},
                "ParallelizationFactor": 2,
            },
        },
        "CounterErrors": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"Dimensions": [{"Name": "FunctionName", "Value": {"Ref": "Counter"}}]},
        },
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}},
        },
        "Watcher": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 50}},
        "WatcherSource": {
            "Type": MAPPING,
            "Properties": {
                "FunctionName": {"Fn::GetAtt": ["Watcher", "Arn"]},
                "EventSourceArn": {"Fn::GetAtt": "Orders.StreamArn"},
            },
        },
    },
}

COUNTER = "Resources/Counter/Properties/ReservedConcurrentExecutions"
WATCHER = "Resources/Watcher/Properties/ReservedConcurrentExecutions"
SOURCE = "Resources/CounterSource/Properties"
SHARDS = "Resources/Clicks/Properties/ShardCount"


def message(function: str, reserved: int, usable: int, pollers: str, scenario: str = "") -> str:
    return (
        f"{function} reserves {reserved} concurrent executions, {reserved - usable} more than the {usable} that its "
        f"pollers can ever use (shards x parallelization factor){scenario}: {pollers}; reserve {usable}"
    )


def counter(reserved: int, usable: int, scenario: str = "", path: str = COUNTER) -> list[tuple[str, str]]:
    return [(path, message("Counter", reserved, usable, f"CounterSource {usable}", scenario))]


SECOND_SOURCE = {
    "Type": MAPPING,
    "Properties": {"FunctionName": {"Ref": "Counter"}, "EventSourceArn": {"Fn::GetAtt": ["Clicks", "Arn"]}},
}

TOO_MUCH: list[tuple[Any, ...]] = [
    ("one unit more", [(COUNTER, 7)], counter(7, 6)),
    ("text", [(COUNTER, "7"), (SHARDS, "3")], counter(7, 6)),
    ("fewer shards", [(SHARDS, 2)], counter(6, 4)),
    ("no factor is a factor of 1", [(f"{SOURCE}/ParallelizationFactor", DELETE)], counter(6, 3)),
    (
        "factor by default",
        [(f"{SOURCE}/ParallelizationFactor", {"Ref": "Factor"}), (COUNTER, 7)],
        counter(7, 6, ", when Factor is 2"),
    ),
    (
        "shards under a condition",
        [(SHARDS, {"Fn::If": ["IsProd", 3, 1]})],
        counter(6, 2, ", when IsProd is false"),
    ),
    (
        "a reservation under a condition",
        [(COUNTER, {"Fn::If": ["IsProd", 60, 6]})],
        counter(60, 6, ", when IsProd is true", f"{COUNTER}/Fn::If/1"),
    ),
    (
        "a second mapping adds up",
        [("Resources/Second", SECOND_SOURCE), (COUNTER, 10)],
        [(COUNTER, message("Counter", 10, 9, "CounterSource 6, Second 3"))],
    ),
    (
        "a second mapping that is not always there",
        [("Resources/Second", {**SECOND_SOURCE, "Condition": "IsProd"}), (COUNTER, 9)],
        counter(9, 6, ", when IsProd is false"),
    ),
    (
        "the only mapping is not always there",
        [("Resources/CounterSource/Condition", "IsProd"), (COUNTER, 9)],
        counter(9, 6, ", when IsProd is true"),
    ),
    (
        "through an alias",
        [
            ("Resources/Live", {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Counter"}}}),
            (f"{SOURCE}/FunctionName", {"Ref": "Live"}),
            (COUNTER, 7),
        ],
        counter(7, 6),
    ),
    (
        "through a stream consumer",
        [
            (
                "Resources/FanOut",
                {
                    "Type": "AWS::Kinesis::StreamConsumer",
                    "Properties": {"StreamARN": {"Fn::GetAtt": ["Clicks", "Arn"]}},
                },
            ),
            (f"{SOURCE}/EventSourceArn", {"Ref": "FanOut"}),
            (COUNTER, 7),
        ],
        counter(7, 6),
    ),
    (
        "an output of something else",
        [("Outputs", {"Name": {"Value": {"Ref": "Clicks"}}}), (COUNTER, 7)],
        counter(7, 6),
    ),
]

OTHER_INVOKERS: list[tuple[Any, ...]] = [
    ("permission", {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Counter"}}}),
    ("url", {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Fn::GetAtt": "Counter.Arn"}}}),
    ("rule", {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": {"Fn::GetAtt": ["Counter", "Arn"]}}]}}),
    (
        "schedule",
        {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": {"Arn": {"Fn::Sub": "${Counter.Arn}"}}}},
    ),
    (
        "subscription",
        {"Type": "AWS::SNS::Subscription", "Properties": {"Endpoint": {"Fn::GetAtt": ["Counter", "Arn"]}}},
    ),
    ("another function", {"Type": LAMBDA, "Properties": {"Environment": {"Variables": {"NEXT": {"Ref": "Counter"}}}}}),
    (
        "by its name",
        {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": "arn:aws:lambda:x:1:function:counting"}]}},
    ),
    (
        "substitution with variables",
        {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"DefinitionString": {"Fn::Sub": ["${F}", {"F": {"Ref": "Counter"}}]}},
        },
    ),
    ("a type unknown to this tool", {"Type": "Custom::Warmer", "Properties": {"Target": {"Ref": "Counter"}}}),
    (
        "a queue's mapping",
        {
            "Type": MAPPING,
            "Properties": {"FunctionName": {"Ref": "Counter"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
        },
    ),
    (
        "a mapping of an unknown source",
        {"Type": MAPPING, "Properties": {"FunctionName": {"Ref": "Counter"}, "EventSourceArn": {"Ref": "Factor"}}},
    ),
    ("a mapping of another kind", {"Type": MAPPING, "Properties": {"FunctionName": [{"Ref": "Counter"}]}}),
]

SILENT: list[tuple[Any, ...]] = [
    ("as it is", []),
    ("nothing reserved", [(COUNTER, DELETE), (SHARDS, 1)]),
    ("a reservation of 0", [(COUNTER, 0)]),
    ("reservation unknown", [(COUNTER, {"Fn::ImportValue": "units"})]),
    ("shards unknown", [(SHARDS, {"Fn::ImportValue": "shards"}), (COUNTER, 700)]),
    ("no shards, for the stream scales by itself", [(SHARDS, DELETE), (COUNTER, 700)]),
    ("negative shards", [(SHARDS, -1), (COUNTER, 700)]),
    ("a negative reservation", [(COUNTER, -1)]),
    ("factor unknown", [(f"{SOURCE}/ParallelizationFactor", {"Fn::ImportValue": "factor"}), (COUNTER, 700)]),
    ("a factor of another kind", [(f"{SOURCE}/ParallelizationFactor", [1]), (COUNTER, 700)]),
    ("no mapping", [("Resources/CounterSource", DELETE), (COUNTER, 700)]),
    ("stream elsewhere", [(f"{SOURCE}/EventSourceArn", "arn:aws:kinesis:eu-west-1:1:stream/clicks"), (COUNTER, 700)]),
    ("an output, which a parent stack may use", [("Outputs/Arn/Value", {"Ref": "Counter"}), (COUNTER, 700)]),
    (
        "an export",
        [("Outputs", {"Name": {"Value": {"Ref": "Counter"}, "Export": {"Name": "counter"}}}), (COUNTER, 700)],
    ),
    (
        "an invoker of the alias",
        [
            ("Resources/Live", {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Counter"}}}),
            ("Resources/Rule", {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": {"Ref": "Live"}}]}}),
            (COUNTER, 700),
        ],
    ),
    (
        "a stream consumer of itself",
        [
            (
                "Resources/FanOut",
                {"Type": "AWS::Kinesis::StreamConsumer", "Properties": {"StreamARN": {"Ref": "FanOut"}}},
            ),
            (f"{SOURCE}/EventSourceArn", {"Ref": "FanOut"}),
            (COUNTER, 700),
        ],
    ),
    (
        "a reservation that grows with its shards",
        [(SHARDS, {"Fn::If": ["IsProd", 30, 3]}), (COUNTER, {"Fn::If": ["IsProd", 60, 6]})],
    ),
    (
        "a second mapping that is there when the reservation is larger",
        [
            ("Resources/Second", {**SECOND_SOURCE, "Condition": "IsProd"}),
            (COUNTER, {"Fn::If": ["IsProd", 9, 6]}),
        ],
    ),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(TOO_MUCH))
def test_reports_what_pollers_cannot_use(findings: Any, edits: Any, expected: Any) -> None:
    assert findings("W9803", edited(GOOD, *edits)) == expected


@pytest.mark.parametrize("edits", by_name(SILENT))
def test_is_silent_about_what_is_used_or_cannot_be_told(findings: Any, edits: Any) -> None:
    assert findings("W9803", edited(GOOD, *edits)) == []


@pytest.mark.parametrize("invoker", by_name(OTHER_INVOKERS))
def test_is_silent_when_anything_else_may_invoke_the_function(findings: Any, invoker: Any) -> None:
    named = edited(GOOD, (COUNTER, 700), ("Resources/Counter/Properties/FunctionName", "counting"))
    assert findings("W9803", named) == counter(700, 6)
    assert findings("W9803", edited(named, ("Resources/Invoker", invoker))) == []


@pytest.mark.parametrize(("shards", "usable"), [(1, 2), (4, 5), (48, 49)])
def test_shards_of_a_table_come_from_the_configuration(findings: Any, shards: int, usable: int) -> None:
    """One more is allowed for, because DynamoDB splits shards by itself."""
    assert findings("W9803", GOOD, shards=shards) == [
        (WATCHER, message("Watcher", 50, usable, f"WatcherSource {usable}"))
    ]


@pytest.mark.parametrize("shards", [-1, 0, 49, 50, 1000])
def test_tables_whose_shards_are_unknown_or_enough(findings: Any, shards: int) -> None:
    assert findings("W9803", GOOD, shards=shards) == []


def test_configured_shards_also_stand_for_a_stream_that_scales_by_itself(findings: Any) -> None:
    on_demand = edited(GOOD, (SHARDS, DELETE), (COUNTER, 11), (WATCHER, DELETE))
    assert findings("W9803", on_demand, shards=4) == counter(11, 10)
    assert findings("W9803", on_demand, shards=5) == []


SAM: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Globals": {"Function": {"ReservedConcurrentExecutions": 7}},
    "Resources": {
        "Clicks": GOOD["Resources"]["Clicks"],
        "Counter": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Events": {
                    "Click": {
                        "Type": "Kinesis",
                        "Properties": {"Stream": {"Fn::GetAtt": ["Clicks", "Arn"]}, "ParallelizationFactor": 2},
                    }
                }
            },
        },
    },
}

EVENTS = "Resources/Counter/Properties/Events"


@pytest.mark.parametrize("name", ["Click", "ReservedConcurrentExecutions"])
def test_events_of_a_sam_function(findings: Any, name: str) -> None:
    event = SAM["Resources"]["Counter"]["Properties"]["Events"]["Click"]
    assert findings("W9803", edited(SAM, (EVENTS, {name: event}))) == [
        (COUNTER, message("Counter", 7, 6, f"Counter.{name} 6"))
    ]


@pytest.mark.parametrize(
    "edit",
    [
        (f"{EVENTS}/Call", {"Type": "Api", "Properties": {"Path": "/", "Method": "get"}}),
        (f"{EVENTS}/Odd", ["Kinesis"]),
        (EVENTS, ["Kinesis"]),
        (f"{EVENTS}/Click/Properties/Stream", {"Fn::ImportValue": "clicks"}),
        ("Resources/Counter/Properties/FunctionUrlConfig", {"AuthType": "NONE"}),
    ],
)
def test_is_silent_about_sam_functions_with_other_events(findings: Any, edit: Any) -> None:
    assert findings("W9803", edited(SAM, edit)) == []
