"""Templates of this project and of other authors are read, and resources that are not understood are listed."""

import copy
import json
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UnreadableTemplate
from generator.simulation import Assumptions, read_topology
from generator.simulation.coverage import kinds, left_out
from generator.simulation.network import Task, build_network
from generator.simulation.topology import Schedule, Throttle
from generator.simulation.workload import Steady

# Another author: separate policies, parameters, other forms of references, a single reservation.
FOREIGN = {
    "Parameters": {
        "Reserved": {"Type": "Number", "Default": "7"},
        "Stage": {"Type": "String", "Default": "prod"},
        "Unset": {"Type": "Number"},
    },
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsTest": {"Fn::Not": [{"Condition": "IsProd"}]},
    },
    "Mappings": {"Sizes": {"prod": {"Batch": 50}}},
    "Resources": {
        "Api": {"Type": "AWS::ApiGateway::RestApi"},
        "Post": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "ApiKeyRequired": "true",
                "Integration": {
                    "Uri": {
                        "Fn::Join": [
                            "",
                            ["arn:aws:apigateway:x:lambda:path/", {"Fn::GetAtt": ["Intake", "Arn"]}, "/invocations"],
                        ]
                    }
                },
            },
        },
        "Options": {"Type": "AWS::ApiGateway::Method", "Properties": {"Integration": {"Type": "MOCK"}}},
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"Throttle": {"RateLimit": 30}}},
        "Intake": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "ReservedConcurrentExecutions": {"Ref": "Reserved"},
                "Role": {"Fn::GetAtt": "IntakeRole.Arn"},
                "Timeout": "12",
            },
        },
        "IntakeRole": {"Type": "AWS::IAM::Role", "Properties": {"Policies": []}},
        "IntakePolicy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "Roles": [{"Ref": "IntakeRole"}],
                "PolicyDocument": {
                    "Statement": {
                        "Effect": "Allow",
                        "Action": "dynamodb:Put*",
                        "Resource": {"Fn::Sub": "${Prices.Arn}"},
                    }
                },
            },
        },
        "Prices": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
        "Watch": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "ReservedConcurrentExecutions": {"Fn::If": ["IsTest", 1, {"Ref": "AWS::NoValue"}]},
                "Role": {"Fn::GetAtt": ["WatchRole", "Arn"]},
            },
        },
        "WatchRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Policies": [
                    {
                        "PolicyDocument": {
                            "Statement": [
                                {"Effect": "Allow", "Action": ["sns:*"], "Resource": {"Ref": "Bell"}},
                                {"Effect": "Deny", "Action": ["dynamodb:*"], "Resource": {"Ref": "Prices"}},
                            ]
                        }
                    }
                ]
            },
        },
        "Reading": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "BatchSize": {"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Batch"]},
                "EventSourceArn": {"Fn::GetAtt": ["Prices", "StreamArn"]},
                "FunctionName": {"Fn::GetAtt": ["Watch", "Arn"]},
            },
        },
        "Bell": {
            "Type": "AWS::SNS::Topic",
        },
        "Ringing": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "Protocol": "lambda",
                "TopicArn": {"Ref": "Bell"},
                "Endpoint": {"Fn::GetAtt": ["Ring", "Arn"]},
            },
        },
        "Mail": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "email", "TopicArn": {"Ref": "Bell"}}},
        "Ring": {"Type": "AWS::Lambda::Function", "Properties": {"Role": "arn:aws:iam::1:role/given"}},
        "Broken": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": {"Ref": "Unset"}}},
        "Odd": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": {"Fn::ImportValue": "other"}}},
        "Nightly": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": "rate(2 days)",
                "Targets": [{"Arn": {"Fn::GetAtt": ["Ring", "Arn"]}, "Id": "1"}],
            },
        },
        "Cron": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "ScheduleExpression": "cron(0 8 * * ? *)",
                "Target": {"Arn": {"Fn::GetAtt": ["Ring", "Arn"]}},
            },
        },
        "OnlyInTest": {"Type": "AWS::Lambda::Function", "Condition": "IsTest", "Properties": {}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "FromQueue": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "FunctionName": {"Ref": "Ring"}},
        },
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Ring"}}},
    },
}


WRITES_EVERYWHERE = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}


def test_every_resource_of_the_prod_template_is_understood(template):
    topology = read_topology(template)
    assert {name: function.reserved_concurrency for name, function in topology.functions.items()} == {
        "ProcessWebhookFunction": 20,
        "CheckAlertsFunction": 10,
        "SendNotificationFunction": 5,
        "CleanupHistoryFunction": 2,
    }
    assert topology.total_reserved == 37
    assert topology.webhook_functions == ("ProcessWebhookFunction",)
    assert topology.functions["ProcessWebhookFunction"].access.writes == {"PriceHistoryTable": {"INSERT", "MODIFY"}}
    assert topology.functions["CheckAlertsFunction"].access.publishes == {"NotificationTopic"}
    assert [(limit.logical_id, limit.rate_per_s, limit.burst, limit.quota) for limit in topology.throttles] == [
        ("WebhookUsagePlan", 190, 20, 6_000_000),
        ("WebhookStage", 190, 20, None),
    ]
    (mapping,) = topology.mappings
    assert (mapping.table, mapping.function) == ("PriceHistoryTable", "CheckAlertsFunction")
    assert (mapping.batch_size, mapping.window_s, mapping.parallelization_factor) == (10, 1, 2)
    assert (mapping.max_age_s, mapping.events) == (3600, {"INSERT"})
    assert [(one.topic, one.function) for one in topology.subscriptions] == [
        ("NotificationTopic", "SendNotificationFunction")
    ]
    assert topology.schedules == (Schedule("CleanupSchedule", "CleanupHistoryFunction", 3600.0),)
    assert (topology.not_understood, list(left_out(topology))) == ((), [])


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_the_other_templates_are_understood(committed, name):
    topology = read_topology(committed(name))
    assert len(topology.functions) == 4
    assert topology.not_understood == ()


def test_a_template_by_another_author_is_read():
    topology = read_topology(FOREIGN)
    intake, watch = topology.functions["Intake"], topology.functions["Watch"]
    assert (intake.reserved_concurrency, intake.timeout_s, watch.reserved_concurrency, watch.timeout_s) == (
        7,
        12,
        None,
        3,
    )
    assert intake.access.writes == {"Prices": {"INSERT", "MODIFY"}}
    assert (watch.access.writes, watch.access.publishes) == ({}, {"Bell"})
    assert topology.throttles == (Throttle("Plan", 30.0, None),)
    (mapping,) = topology.mappings
    assert (mapping.batch_size, mapping.window_s, mapping.max_age_s) == (50, 0, None)
    assert topology.schedules == (Schedule("Nightly", "Ring", 172_800.0),)
    assert kinds(topology) == {"Intake": "process_webhook", "Watch": "check_alerts", "Ring": "send_notification"}
    assert "OnlyInTest" not in topology.functions


def test_resources_that_are_not_understood_are_listed_with_the_reason():
    assert read_topology(FOREIGN).not_understood == (
        "Broken: parameter Unset has no default",
        "Odd: {'Fn::ImportValue': 'other'} is not a number",
        "FromQueue: its source is not the stream of a table in this template",
        "Cron: cron(0 8 * * ? *) is not a rate(...) expression",
        "Ring: its permissions are not known: its role should be one resource of this template, not 0",
        "Alias: AWS::Lambda::Alias is not simulated",
    )


def test_the_template_is_not_changed():
    before = json.dumps(FOREIGN)
    read_topology(FOREIGN)
    assert json.dumps(FOREIGN) == before


@pytest.mark.parametrize(
    ("change", "note"),
    [
        pytest.param(
            ("CheckAlertsEventSourceMapping", "FilterCriteria", {"Filters": [{"Pattern": '{"dynamodb": {}}'}]}),
            "CheckAlertsEventSourceMapping: the template does not determine how many records pass its filter",
            id="a filter on contents",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "FilterCriteria", None),
            "CheckAlertsEventSourceMapping: the template does not determine how often CleanupHistoryFunction changes "
            "PriceHistoryTable",
            id="no filter, so that deletions invoke too",
        ),
        pytest.param(
            ("SendNotificationSubscription", "FilterPolicy", {"kind": ["sms"]}),
            "SendNotificationSubscription: the template does not determine how many messages pass its filter",
            id="a filter of messages",
        ),
        pytest.param(
            ("WebhookStage", "MethodSettings", [{"HttpMethod": "GET", "ResourcePath": "/", "ThrottlingRateLimit": 1}]),
            "WebhookStage: it throttles single methods; only a limit on all methods is simulated",
            id="single methods",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "EventSourceArn", 5),
            "CheckAlertsEventSourceMapping: its source is not the stream of a table in this template",
            id="an invalid source",
        ),
        pytest.param(
            ("CleanupSchedule", "Target", None),
            "CleanupSchedule: its properties have an unknown shape (TypeError(\"'NoneType' object is not "
            'subscriptable"))',
            id="an unknown shape",
        ),
        pytest.param(
            ("ProcessWebhookRole", "Policies", [{"PolicyDocument": {"Statement": [WRITES_EVERYWHERE]}}]),
            "CheckAlertsEventSourceMapping: not simulated, because no role in the template allows "
            "ProcessWebhookFunction by name to write to PriceHistoryTable",
            id="a role that names no table",
        ),
        pytest.param(
            ("CheckAlertsRole", "Policies", []),
            "SendNotificationSubscription: not simulated, because no simulated function may publish by name to "
            "NotificationTopic",
            id="a role that names no topic",
        ),
        pytest.param(
            ("WebhookUsagePlan", "Throttle", {"RateLimit": -1}),
            "WebhookUsagePlan: -1 is less than 0",
            id="a limit below 0",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "ParallelizationFactor", 0),
            "CheckAlertsEventSourceMapping: 0 is less than 1",
            id="no lane",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "ParallelizationFactor", 1_000_000),
            "CheckAlertsEventSourceMapping: 1000000 is more than 10",
            id="more lanes than Lambda allows",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "MaximumBatchingWindowInSeconds", -5),
            "CheckAlertsEventSourceMapping: -5 is less than 0",
            id="a negative window",
        ),
        pytest.param(
            ("CheckAlertsEventSourceMapping", "MaximumRecordAgeInSeconds", "nan"),
            "CheckAlertsEventSourceMapping: 'nan' is not a number",
            id="an age that is not a number",
        ),
        pytest.param(
            ("CheckAlertsFunction", "Timeout", -1),
            "CheckAlertsFunction: -1 is less than 0",
            id="a negative timeout",
        ),
        pytest.param(
            ("CheckAlertsFunction", "ReservedConcurrentExecutions", "1e999"),
            "CheckAlertsFunction: '1e999' is not a number",
            id="an infinite reservation",
        ),
        pytest.param(
            ("WebhookMethod", "ApiKeyRequired", False),
            "WebhookUsagePlan: no effect, because WebhookMethod requires no API key",
            id="no key, no usage plan",
        ),
        pytest.param(
            ("WebhookUsagePlan", "ApiStages", [{"ApiId": {"Ref": "WebhookResource"}}]),
            "WebhookUsagePlan: no effect, because it belongs to another API",
            id="the usage plan of another API",
        ),
    ],
)
def test_a_change_that_is_not_understood_gets_a_note(template, change, note):
    resource, key, value = change
    template["Resources"][resource]["Properties"][key] = value
    topology = read_topology(template)
    assert note in [*topology.not_understood, *left_out(topology)]


LOOP = {"Fn::ForEach::Topics": ["Name", {"Ref": "Names"}, {"Topic${Name}": {"Type": "AWS::SNS::Topic"}}]}


@pytest.mark.parametrize(
    "resources",
    [LOOP, {"Text": "AWS::SNS::Topic"}, {"None": None}, {"List": {"Type": "AWS::SNS::Topic", "Properties": [1]}}],
    ids=["a loop over an unknown list", "a text", "nothing", "properties in a list"],
)
def test_entries_that_are_not_resources_get_a_note(template, resources):
    template["Resources"] |= resources
    (name,) = resources
    assert read_topology(template).not_understood == (f"{name}: not simulated, because it is not a resource",)


def test_a_condition_that_refers_to_itself_is_undecided(template):
    template["Conditions"] = {"Again": {"Condition": "Again"}}
    template["Resources"]["CheckAlertsFunction"]["Condition"] = "Again"
    template["Resources"]["CleanupSchedule"]["Properties"]["State"] = {"Fn::If": ["Again", "ENABLED", "DISABLED"]}
    topology = read_topology(template)
    assert "CheckAlertsFunction" in topology.functions
    (note,) = topology.not_understood
    assert note == "CleanupSchedule: condition Again depends on itself"


def test_a_template_nested_too_deeply_is_refused(template):
    nested = []
    for _ in range(5000):
        nested = [nested]
    template["Resources"]["WebhookUsagePlan"]["Properties"]["ApiStages"] = nested
    with pytest.raises(UnreadableTemplate, match="nested too deeply"):
        read_topology(template)


STRANGE = [
    *(None, True, 0, -1, 1.5, 10**400, math.nan, math.inf, 1e300, "", "x", "nan", "1e999", "${", "rate(0 hours)"),
    *([], [[]], ["x"], {}, {"Ref": []}, {"Ref": {}}, {"Fn::Sub": []}, {"Fn::Sub": ["x"]}, {"Fn::Sub": 5}),
    *({"Fn::GetAtt": []}, {"Fn::GetAtt": [[]]}, {"Fn::GetAtt": 5}, {"Fn::If": []}, {"Fn::If": [[], 1, 2]}),
    *({"Fn::FindInMap": []}, {"Fn::FindInMap": [[], {}, 1]}),
]


def places(value, path=()):
    """Yield the path to every value in a template."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=200)
def test_any_value_in_a_template_is_read_noted_or_refused(committed, data):
    template = committed()
    for _ in range(data.draw(st.integers(1, 3))):
        target = template["Resources"][data.draw(st.sampled_from(sorted(template["Resources"])))]
        *way, last = data.draw(st.sampled_from(list(places(target))))
        for key in way:
            target = target[key]
        target[last] = copy.deepcopy(data.draw(st.sampled_from(STRANGE)))
    try:
        found = len(read_topology(template).webhook_functions)
    except UnreadableTemplate as error:
        found = len(error.faults)
    assert found > 0


SECOND_PLAN = {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"Throttle": {"RateLimit": 1}}}
SECOND_KEY = {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": {"UsagePlanId": {"Ref": "Second"}}}
UNDECIDED = "the template does not determine which usage plan has the senders' key"


@pytest.mark.parametrize(
    ("more", "plans", "notes"),
    [
        ({}, ["WebhookUsagePlan"], ["Second: no effect, because it has no key"]),
        ({"SecondKey": SECOND_KEY}, [], [f"WebhookUsagePlan: {UNDECIDED}", f"Second: {UNDECIDED}"]),
    ],
)
def test_the_usage_plan_with_the_key_applies(template, more, plans, notes):
    template["Resources"] |= {"Second": SECOND_PLAN, **more}
    topology = read_topology(template)
    assert [limit.logical_id for limit in topology.throttles] == [*plans, "WebhookStage"]
    assert list(topology.not_understood) == notes


def test_a_key_requirement_decided_in_the_account_is_assumed(template):
    template["Parameters"]["Keyed"] = {"Type": "String"}
    template["Resources"]["WebhookMethod"]["Properties"]["ApiKeyRequired"] = {"Ref": "Keyed"}
    assert [limit.logical_id for limit in read_topology(template).throttles] == ["WebhookUsagePlan", "WebhookStage"]


@pytest.mark.parametrize(
    ("reserved", "what"),
    [
        ({"Ref": "Unset"}, "ProcessWebhookFunction: parameter Unset has no default"),
        (-1, "ProcessWebhookFunction: it reserves -1; write 0 or more, or leave it out"),
        ("-1", "ProcessWebhookFunction: it reserves -1; write 0 or more, or leave it out"),
    ],
)
def test_an_impossible_reservation_is_refused(template, reserved, what):
    template["Parameters"]["Unset"] = {"Type": "Number"}
    template["Resources"]["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"] = reserved
    with pytest.raises(UnreadableTemplate, match=what):
        read_topology(template)


def test_two_mappings_to_one_function_have_separate_random_streams(template, environment):
    resources = template["Resources"]
    resources["Again"] = json.loads(json.dumps(resources["CheckAlertsEventSourceMapping"]))
    purposes = []

    def draw(purpose):
        purposes.append(purpose)
        return Random(purpose)

    task = Task(read_topology(template), environment(), Assumptions(), Steady(1.0), 1.0, 1)
    build_network(task, draw, 0.0)
    assert len(set(purposes)) == len(purposes)
    assert {"CheckAlertsFunction crossings", "Again crossings"} <= set(purposes)


@pytest.mark.parametrize("template", [None, [], {}, {"Resources": []}, {"Resources": {}}], ids=str)
def test_a_template_without_webhooks_is_refused(template):
    with pytest.raises(UnreadableTemplate, match="template: "):
        read_topology(template)
