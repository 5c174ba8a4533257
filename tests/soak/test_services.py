"""The services in memory answer like moto, call by call, to the requests that the handlers make."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from tests.soak.dynamodb import DynamoDB, ServiceError, Table
from tests.soak.history import Invocation
from tests.soak.secrets import Secrets
from tests.soak.sns import Sns
from tests.soak.world import World, template
from tests.stack.handlers.harness import REGION, cloud

TABLES = ("PriceAlertsTable", "PriceHistoryTable")
USERS, IDS = ("u1", "u2"), ("a1", "a2")
WATCHES, OBSERVATIONS = ("BTC-USD#above", "BTC-USD#below"), ("0001#k#m1", "0002#k#m1", "0002#k#m2")

numbers = st.sampled_from(["1", "2", "2.50", "10", "100.0"]).map(lambda text: {"N": text})
texts = st.sampled_from(["1", "2", "x"]).map(lambda text: {"S": text})
sets = st.sets(st.sampled_from(["1", "2", "3"]), min_size=1).map(lambda found: {"NS": sorted(found)})
alert_keys = st.fixed_dictionaries(
    {
        "userId": st.sampled_from(USERS).map(lambda text: {"S": text}),
        "alertId": st.sampled_from(IDS).map(lambda text: {"S": text}),
    }
)
price_keys = st.fixed_dictionaries(
    {
        "symbol": st.just({"S": "BTC-USD"}),
        "observation": st.sampled_from(OBSERVATIONS).map(lambda text: {"S": text}),
    }
)
more_of_alert = st.fixed_dictionaries(
    {},
    optional={
        "watch": st.sampled_from(WATCHES).map(lambda text: {"S": text}),
        "threshold": numbers,
        "generation": numbers | texts,
        "armedAt": numbers | texts,
        "notified": sets,
        "leaseUntil": numbers,
        "sentId": texts,
    },
)
more_of_price = st.fixed_dictionaries({}, optional={"ttl": numbers, "price": texts})
CONDITIONS = (
    "attribute_exists(alertId)",
    "attribute_not_exists(alertId)",
    "generation = :x AND attribute_exists(watch)",
    "attribute_exists(alertId) AND NOT contains(notified, :x)",
    "attribute_not_exists(leaseUntil) OR leaseUntil < :x",
    "NOT (generation <> :x) AND (leaseUntil BETWEEN :one AND :x OR sentId IN (:x, :one))",
    "generation = :x AND (attribute_not_exists(sentId) OR sentId <> :x) AND NOT contains(notified, :x)",
    "attribute_type(generation, :type) AND #armed <= :x",
)
UPDATES = (
    "SET leaseUntil = :x",
    "REMOVE watch, threshold",
    "SET sentId = :x, #armed = :one REMOVE leaseUntil",
    "ADD notified :set SET sentId = :x REMOVE leaseUntil",
    "SET leaseUntil = if_not_exists(leaseUntil, :one) + :one",
    "DELETE notified :set",
    "ADD leaseUntil :one",
)
VALUES = {":one": {"N": "1"}, ":type": {"S": "N"}, ":set": {"NS": ["2"]}}
IGNORED = {"ResponseMetadata", "ConsumedCapacity", "Error", "message"}
NO_ANSWER = object()
RETURNED = ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_NEW")
KEYS_OF_INDEX = ("watch = :watch", "watch = :watch AND threshold <= :x", "watch = :watch AND threshold >= :x")
FILTERS = ("armedAt <= :x AND attribute_type(generation, :type)", "armedAt <= :x OR generation = :one")


def used(request: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Add the values and names that the expressions of a request use, because unused ones are an error."""
    text = " ".join(str(value) for name, value in request.items() if name.endswith("Expression"))
    found = {
        name: value
        for name, value in {**VALUES, **values}.items()
        if name in text.replace("(", " ").split() or name in text
    }
    names = {"ExpressionAttributeNames": {"#armed": "armedAt"}} if "#armed" in text else {}
    return {**request, **names, **({"ExpressionAttributeValues": found} if found else {})}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw an operation and its request."""
    x = draw(numbers | texts)
    kind = draw(
        st.sampled_from(
            ("put", "put", "update", "update", "delete", "get", "query", "prices", "batch", "price", "several")
        )
    )
    alerts: dict[str, Any] = {"TableName": TABLES[0]}
    if draw(st.booleans()) and kind in {"put", "update", "delete"}:
        alerts |= {"ConditionExpression": draw(st.sampled_from(CONDITIONS))}
        alerts |= {"ReturnValuesOnConditionCheckFailure": draw(st.sampled_from(("NONE", "ALL_OLD")))}
    if kind == "put":
        return "put_item", used({**alerts, "Item": draw(alert_keys) | draw(more_of_alert)}, **{":x": x})
    if kind == "update":
        changes = {"UpdateExpression": draw(st.sampled_from(UPDATES)), "ReturnValues": draw(st.sampled_from(RETURNED))}
        return "update_item", used({**alerts, "Key": draw(alert_keys), **changes}, **{":x": x})
    if kind == "delete":
        return "delete_item", used({**alerts, "Key": draw(alert_keys)}, **{":x": x})
    if kind == "get":
        return "get_item", {"TableName": TABLES[0], "Key": draw(alert_keys)}
    if kind == "several":
        keys = draw(st.lists(alert_keys, min_size=1, max_size=3, unique_by=lambda key: str(sorted(key.items()))))
        wanted = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "userId, alertId, generation, watch"}
        return "batch_get_item", {"RequestItems": {TABLES[0]: wanted}}
    if kind == "query":
        (index,) = template()["PriceAlertsTable"]["Properties"]["GlobalSecondaryIndexes"]
        request = {"IndexName": index["IndexName"], "KeyConditionExpression": draw(st.sampled_from(KEYS_OF_INDEX))}
        request |= draw(st.sampled_from(({}, *({"FilterExpression": text} for text in FILTERS))))
        watch = {"S": draw(st.sampled_from(WATCHES))}
        return "query", used({"TableName": TABLES[0], **request}, **{":x": draw(numbers), ":watch": watch})
    if kind == "prices":
        key = "symbol = :symbol AND observation < :end"
        request = {"TableName": TABLES[1], "KeyConditionExpression": key, "ProjectionExpression": "symbol, observation"}
        ends = st.sampled_from((*OBSERVATIONS, "0003"))
        return "query", used(request, **{":symbol": {"S": "BTC-USD"}, ":end": {"S": draw(ends)}})
    if kind == "batch":
        keys = draw(st.lists(price_keys, min_size=1, max_size=3, unique_by=lambda key: str(sorted(key.items()))))
        return "batch_write_item", {"RequestItems": {TABLES[1]: [{"DeleteRequest": {"Key": key}} for key in keys]}}
    return "put_item", {"TableName": TABLES[1], "Item": draw(price_keys) | draw(more_of_price)}


def normal(answer: Any) -> Any:
    """Make two answers comparable: numbers by value, sets without order, no metadata."""
    if isinstance(answer, dict):
        kept = {key: value for key, value in answer.items() if key not in IGNORED}
        if set(kept) == {"N"}:
            return Decimal(kept["N"])
        if set(kept) == {"NS"}:
            return sorted(map(Decimal, kept["NS"]))
        return {key: normal(value) for key, value in kept.items() if value or key in {"Items", "Count"}}
    return [normal(one) for one in answer] if isinstance(answer, list) else answer


def of_moto(client: Any, operation: str, request: dict[str, Any]) -> Any:
    try:
        return normal(getattr(client, operation)(**request))
    except ClientError as error:
        return error.response["Error"]["Code"], normal({"Item": error.response.get("Item")})
    except TypeError:
        # Moto compares a text with a number, which is false in DynamoDB.
        return NO_ANSWER


def of_memory(service: DynamoDB, operation: str, request: dict[str, Any]) -> Any:
    try:
        return normal(getattr(service, operation)(0.0, request))
    except ServiceError as error:
        return error.code, normal({"Item": error.more.get("Item")})


@pytest.mark.slow
def test_dynamodb_answers_like_moto() -> None:
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    properties = {name: template()[name]["Properties"] for name in TABLES}

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(st.lists(calls(), min_size=5, max_size=12))
    def check(several: list[tuple[str, dict[str, Any]]]) -> None:
        tables = {name: Table(one, lambda key: 0.0) for name, one in properties.items()}
        memory = DynamoDB(tables, lambda: 0, lambda: 0)
        for name in TABLES:
            # Creating the tables anew would take longer than all calls.
            dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table(name).items.clear()
        for operation, request in several:
            theirs = of_moto(client, operation, request)
            if theirs is NO_ANSWER:
                return
            assert of_memory(memory, operation, request) == theirs, (operation, request)

    with cloud():
        client = boto3.client("dynamodb")
        for name, one in properties.items():
            client.create_table(TableName=name, **{key: one[key] for key in wanted if key in one})
        check()


def test_a_secret_answers_like_moto() -> None:
    secrets = Secrets("first")
    with mock_aws():
        client = boto3.client("secretsmanager")
        client.create_secret(Name="s", SecretString="first")
        for value in ("first", "second", "third"):
            if value != "first":
                client.put_secret_value(SecretId="s", SecretString=value)
                secrets.rotate(value, 1.0)
            for stage in ("AWSCURRENT", "AWSPREVIOUS"):
                request = {"SecretId": "s", "VersionStage": stage}
                try:
                    mine = secrets.get_secret_value(request, None, "", 0)["SecretString"]  # type: ignore[arg-type]
                except ServiceError as error:
                    mine = error.code
                try:
                    theirs = client.get_secret_value(**request)["SecretString"]
                except ClientError as error:
                    theirs = error.response["Error"]["Code"]
                assert mine == theirs


@pytest.mark.parametrize("ids", [[], ["0"], ["0", "1", "2"], ["0", "0"], [str(number) for number in range(11)]])
def test_a_batch_of_messages_answers_like_moto(ids: list[str]) -> None:
    world, invocation = World(0, {}), Invocation("check", "CheckAlertsFunction", "r", {}, 0.0, 60.0)
    message = '{"generation": {"N": "1"}, "userId": "u", "alertId": "a", "price": "1"}'
    entries = [{"Id": one, "Message": message} for one in ids]
    request = {"PublishBatchRequestEntries": entries}
    with mock_aws():
        client = boto3.client("sns")
        topic = client.create_topic(Name="t")["TopicArn"]
        try:
            theirs = [one["Id"] for one in client.publish_batch(TopicArn=topic, **request)["Successful"]]
        except ClientError:
            theirs = []
    try:
        mine = [one["Id"] for one in Sns(world).publish_batch(request, invocation, "", 0)["Successful"]]
    except ServiceError:
        mine = []
    assert mine == theirs
