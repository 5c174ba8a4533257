"""Templates of this project and of other authors are read, and resources that are not understood are listed."""

import copy
import json
import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UnreadableTemplate
from generator.simulation import read_topology, simulate
from generator.simulation.coverage import left_out, settings_names
from generator.simulation.network import Task, build_network
from generator.simulation.topology.model import Schedule, Throttle
from generator.simulation.workload import Steady
from tests.conftest import SCALE
from tests.stack.model import generated

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
    assert topology.functions["ProcessWebhookFunction"].writes == {"PriceHistoryTable": {"INSERT", "MODIFY"}}
    assert topology.functions["CheckAlertsFunction"].publishes == {"NotificationTopic"}
    assert [(limit.logical_id, limit.rate_per_s, limit.burst, limit.quota) for limit in topology.throttles] == [
        ("WebhookUsagePlan", 190, 20, 6_000_000),
        ("WebhookStage", 190, 20, None),
    ]
    (mapping,) = topology.mappings
    assert (mapping.table, mapping.function) == ("PriceHistoryTable", "CheckAlertsFunction")
    assert (mapping.batch_size, mapping.window_s, mapping.parallelization_factor) == (10, 1, 2)
    assert (mapping.max_age_s, mapping.events) == (85_800, {"INSERT"})
    assert [(one.topic, one.function) for one in topology.subscriptions] == [
        ("NotificationTopic", "SendNotificationFunction")
    ]
    assert topology.schedules == (Schedule("CleanupSchedule", "CleanupHistoryFunction", 3600.0),)
    assert topology.not_understood == ()
    assert list(left_out(topology)) == []


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_the_other_templates_are_understood(committed, name):
    topology = read_topology(committed(name))
    assert len(topology.functions) == 4
    assert topology.not_understood == ()


SOURCES = 'sources=[{name="tv", scheme="token", rate_per_s=5}, {name="feed", scheme="hmac", rate_per_s=20}]'


def test_each_path_has_its_own_limit():
    """Webhooks come through the first method, so the limits of the other paths do not slow them down."""
    topology = read_topology(generated("prod", SOURCES))
    assert topology.webhook_functions == ("ProcessWebhookFunction",)
    assert [(limit.logical_id, limit.rate_per_s, limit.burst) for limit in topology.throttles] == [
        ("WebhookUsagePlan", 165, 20),
        ("WebhookStage", 165, 20),
    ]
    assert topology.not_understood == (
        "WebhookMethod: the limits on POST /webhooks/tv, POST /webhooks/feed are not simulated; all simulated webhooks "
        "come through WebhookMethod",
    )


@pytest.mark.parametrize(
    ("path", "verb"), [("/~1webhooks", "POST"), ("/~1webhooks", "*"), ("/webhooks", "POST")], ids=" ".join
)
def test_a_limit_of_the_stage_on_the_method_itself_replaces_the_limit_on_all(template, path, verb):
    settings = template["Resources"]["WebhookStage"]["Properties"]["MethodSettings"]
    settings.append({"HttpMethod": verb, "ResourcePath": path, "ThrottlingRateLimit": 7, "ThrottlingBurstLimit": 2})
    topology = read_topology(template)
    assert [(limit.rate_per_s, limit.burst) for limit in topology.throttles] == [(190, 20), (7, 2)]
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
    assert intake.writes == {"Prices": {"INSERT", "MODIFY"}}
    assert (watch.writes, watch.publishes) == ({}, {"Bell"})
    assert topology.throttles == (Throttle("Plan", 30.0, None),)
    (mapping,) = topology.mappings
    assert (mapping.batch_size, mapping.window_s, mapping.max_age_s) == (50, 0, None)
    assert topology.schedules == (Schedule("Nightly", "Ring", 172_800.0),)
    assert settings_names(topology) == {
        "Intake": "process_webhook",
        "Watch": "check_alerts",
        "Ring": "send_notification",
    }
    assert "OnlyInTest" not in topology.functions


def test_resources_that_are_not_understood_are_listed_with_the_reason():
    assert read_topology(FOREIGN).not_understood == (
        "Broken: parameter Unset has no default",
        "Odd: {'Fn::ImportValue': 'other'} is not a number",
        "FromQueue: its source is not the stream of a table in this template",
        "Cron: cron(0 8 * * ? *) is not a rate(...) expression",
        "Ring: its permissions are not known: its role should be one resource of this template, not 0",
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
            "WebhookMethod: the limits on GET / are not simulated; all simulated webhooks come through WebhookMethod",
            id="limits on another method",
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
@settings(max_examples=60 * SCALE)
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


@pytest.mark.parametrize("factor", [11, "1000000"])
def test_more_lanes_than_lambda_allows_are_refused(template, factor):
    template["Resources"]["CheckAlertsEventSourceMapping"]["Properties"]["ParallelizationFactor"] = factor
    what = f"CheckAlertsEventSourceMapping: its ParallelizationFactor is {int(factor):,}, but Lambda's maximum is 10; "
    with pytest.raises(UnreadableTemplate, match=what):
        read_topology(template)


def test_two_mappings_to_one_function_have_separate_random_streams(template, environment):
    resources = template["Resources"]
    resources["Again"] = json.loads(json.dumps(resources["CheckAlertsEventSourceMapping"]))
    purposes = []

    def draw(purpose):
        purposes.append(purpose)
        return Random(purpose)

    task = Task(read_topology(template), environment(), Steady(1.0), 1.0, 1)
    build_network(task, draw, 0.0)
    assert len(set(purposes)) == len(purposes)
    assert {"CheckAlertsFunction crossings", "Again crossings"} <= set(purposes)


@pytest.mark.parametrize("template", [None, [], {}, {"Resources": []}, {"Resources": {}}], ids=str)
def test_a_template_without_webhooks_is_refused(template):
    with pytest.raises(UnreadableTemplate, match="template: "):
        read_topology(template)


def keyed_api(method="POST", parts=(), throttle=None, plan=None, uri="${F.Arn}"):
    """Return a template with a function behind one method of an API, and a usage plan with a throttle per method."""
    resource, resources = {"Fn::GetAtt": "Api.RootResourceId"}, {}
    for number, part in enumerate(parts):
        properties = {"RestApiId": {"Ref": "Api"}, "ParentId": resource, "PathPart": part}
        resources[f"Part{number}"] = {"Type": "AWS::ApiGateway::Resource", "Properties": properties}
        resource = {"Ref": f"Part{number}"}
    path = f"arn:aws:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/{uri}/invocations"
    post = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": resource,
        "HttpMethod": method,
        "ApiKeyRequired": True,
        "Integration": {"Type": "AWS_PROXY", "Uri": {"Fn::Sub": path}},
    }
    stages = [{"ApiId": {"Ref": "Api"}, "Stage": "v1", **({"Throttle": throttle} if throttle else {})}]
    resources |= {
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 50}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "a"}},
        "M": {"Type": "AWS::ApiGateway::Method", "Properties": post},
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"ApiStages": stages, **(plan or {})}},
    }
    return {"Resources": resources}


def notes_of(topology):
    return [note for note in topology.not_understood if "permissions" not in note]


TWENTY, FIVE = {"RateLimit": 20, "BurstLimit": 20}, {"RateLimit": 5}


@pytest.mark.parametrize(
    ("settings", "rate_and_burst"),
    [
        pytest.param({"throttle": {"//POST": TWENTY}}, (20, 20), id="at the root"),
        pytest.param({"parts": ("v1", "{id}"), "throttle": {"/v1/{id}/POST": TWENTY}}, (20, 20), id="below the root"),
        pytest.param({"method": "ANY", "throttle": {"//POST": FIVE}}, (5, None), id="a method for all verbs"),
        pytest.param(
            {"throttle": {"//GET": FIVE, "//POST": TWENTY}, "plan": {"Throttle": {"RateLimit": 90}}},
            (20, 20),
            id="in place of the plan's own limit",
        ),
        pytest.param({"plan": {"Throttle": {"RateLimit": 90}}}, (90, None), id="only the plan's own limit"),
    ],
)
def test_a_usage_plan_throttles_a_single_method(settings, rate_and_burst):
    topology = read_topology(keyed_api(**settings))
    (throttle,) = topology.throttles
    assert ((throttle.rate_per_s, throttle.burst), notes_of(topology)) == (rate_and_burst, [])


def test_a_throttle_of_a_single_method_refuses_what_exceeds_it(environment):
    """The peak of 69.4 webhooks per second against 20 per second leaves 71 % throttled."""
    template = keyed_api(throttle={"//POST": TWENTY})
    plain = environment("prod", "simulation.sender_retries=false")
    result = simulate(template, plain, hours=0.05, replications=2, workers=1)
    webhooks = result["webhooks"]
    assert webhooks["throttled_at_gateway"] / webhooks["offered"] == pytest.approx(1 - 20 / 69.4, abs=0.03)


OTHER_STAGE = {"ApiId": {"Ref": "Api"}, "Stage": "v2", "Throttle": {"//POST": {"RateLimit": 1}}}


@pytest.mark.parametrize(
    ("change", "note"),
    [
        pytest.param(
            ("Plan", "ApiStages", [{"ApiId": {"Ref": "Api"}, "Throttle": {"/POST": TWENTY}}]),
            "Plan: its throttle of single methods is not simulated: /POST is not M, which is //POST",
            id="another method",
        ),
        pytest.param(
            ("Plan", "ApiStages", [{"ApiId": {"Ref": "Api"}, "Throttle": {"//POST": TWENTY}}, OTHER_STAGE]),
            "Plan: its throttle of single methods is not simulated: the template does not determine which stage gets "
            "the webhooks",
            id="two stages",
        ),
        pytest.param(
            ("M", "ResourceId", {"Fn::ImportValue": "other"}),
            "Plan: its throttle of single methods is not simulated: the method's resource should be one resource of "
            "this template, not 0",
            id="an imported resource",
        ),
        pytest.param(
            ("Part0", "ParentId", {"Ref": "Part0"}),
            "Plan: its throttle of single methods is not simulated: Part0 is its own parent",
            id="a resource below itself",
        ),
        pytest.param(
            ("Plan", "ApiStages", ["v1"]),
            "Plan: its throttle of single methods has an unknown shape (AttributeError(\"'str' object has no attribute "
            "'get'\"))",
            id="an unknown shape",
        ),
    ],
)
def test_a_throttle_of_single_methods_that_is_not_simulated_gets_a_note(change, note):
    resource, key, value = change
    template = keyed_api(parts=("v1",) if resource == "Part0" else (), throttle={"//POST": TWENTY})
    template["Resources"][resource]["Properties"][key] = value
    topology = read_topology(template)
    assert [limit.rate_per_s for limit in topology.throttles] == [None]
    assert notes_of(topology) == [note]


ALIAS = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "Name": "live"}}
VERSION = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Fn::GetAtt": ["F", "Arn"]}}}


@pytest.mark.parametrize("uri", ["${F.Arn}", "${L}", "${L.AliasArn}", "${V}", "${V.FunctionArn}", "${F.Arn}:live"])
def test_a_method_invokes_a_function_by_its_alias_or_version(uri):
    template = keyed_api(uri=uri)
    template["Resources"] |= {"L": ALIAS, "V": VERSION}
    topology = read_topology(template)
    assert (topology.webhook_functions, notes_of(topology)) == (("F",), [])


@pytest.mark.parametrize("target", ["L", "V"])
def test_streams_topics_and_schedules_invoke_a_function_by_its_alias_or_version(template, target):
    for qualifier, kind in (("L", ALIAS), ("V", VERSION)):
        properties = kind["Properties"] | {"FunctionName": {"Ref": "CheckAlertsFunction"}}
        template["Resources"][qualifier] = kind | {"Properties": properties}
    resources = template["Resources"]
    resources["CheckAlertsEventSourceMapping"]["Properties"]["FunctionName"] = {"Ref": target}
    resources["SendNotificationSubscription"]["Properties"]["Endpoint"] = {"Ref": target}
    resources["CleanupSchedule"]["Properties"]["Target"]["Arn"] = {"Ref": target}
    topology = read_topology(template)
    sources = [*topology.mappings, *topology.subscriptions, *topology.schedules]
    assert [source.function for source in sources] == ["CheckAlertsFunction"] * 3
    assert topology.not_understood == ()


def test_provisioned_concurrency_of_an_alias_gets_a_note():
    template = keyed_api(uri="${L}")
    provisioned = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5}}
    template["Resources"]["L"] = ALIAS | {"Properties": ALIAS["Properties"] | provisioned}
    assert notes_of(read_topology(template)) == [
        "L: provisioned concurrency is not simulated; its instances start cold"
    ]


def test_inline_code_that_puts_items_in_batches_may_write_to_the_stream(template):
    """Its permission is the same as for deletions."""
    document = copy.deepcopy(template)
    code = document["Resources"]["CleanupHistoryFunction"]["Properties"]["Code"]
    code["ZipFile"] = json.loads(json.dumps(code["ZipFile"]).replace("DeleteRequest", "PutRequest"))
    [note] = left_out(read_topology(document))
    assert note.endswith("does not determine how often CleanupHistoryFunction changes PriceHistoryTable")


def gateway_response(kind, retry_after=None, api="Api"):
    header = {} if retry_after is None else {"gatewayresponse.header.Retry-After": retry_after}
    properties = {"ResponseType": kind, "RestApiId": {"Ref": api}, "ResponseParameters": header}
    return {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}


@pytest.mark.parametrize(
    ("responses", "found"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(
            [gateway_response("DEFAULT_4XX", "'3'"), gateway_response("DEFAULT_5XX", "'7'")],
            {"THROTTLED": 3, "QUOTA_EXCEEDED": 3, "INTEGRATION_FAILURE": 7, "INTEGRATION_TIMEOUT": 7},
            id="the defaults apply to every type",
        ),
        pytest.param(
            [gateway_response("DEFAULT_4XX", "'3'"), gateway_response("QUOTA_EXCEEDED", "'3600'")],
            {"THROTTLED": 3, "QUOTA_EXCEEDED": 3600},
            id="a type of its own comes before the default",
        ),
        pytest.param(
            [gateway_response("DEFAULT_5XX", "'5'"), gateway_response("INTEGRATION_TIMEOUT")],
            {"INTEGRATION_FAILURE": 5},
            id="a type of its own without the header",
        ),
        pytest.param([gateway_response("THROTTLED", "'Fri, 31 Dec 1999 23:59:59 GMT'")], {}, id="a date"),
        pytest.param([gateway_response("THROTTLED", "context.requestId")], {}, id="a mapping"),
        pytest.param([gateway_response("THROTTLED", "'1'", api="Other")], {}, id="another API"),
    ],
)
def test_retry_after_comes_from_the_gateway_responses(responses, found):
    template = keyed_api()
    template["Resources"] |= {"Other": {"Type": "AWS::ApiGateway::RestApi"}}
    template["Resources"] |= {f"Response{number}": response for number, response in enumerate(responses)}
    topology = read_topology(template)
    assert (topology.retry_after_s, notes_of(topology)) == (found, [])


def test_a_retry_after_that_only_a_deployment_determines_gets_a_note():
    template = keyed_api()
    template["Parameters"] = {"Wait": {"Type": "String"}}
    template["Resources"]["Busy"] = gateway_response("THROTTLED", {"Ref": "Wait"})
    topology = read_topology(template)
    assert (topology.retry_after_s, notes_of(topology)) == ({}, ["Busy: parameter Wait has no default"])


@pytest.mark.parametrize("kind", [["DEFAULT_5XX"], {"A": 1}, None, 7])
def test_a_gateway_response_of_no_type_is_left_out(template, kind):
    responses = [one for one in template["Resources"].values() if one["Type"] == "AWS::ApiGateway::GatewayResponse"]
    for one in responses:
        one["Properties"]["ResponseType"] = kind
    assert responses
    assert not read_topology(template).retry_after_s
