"""Every IAM statement, as a small named function: actions one by one, resources by ARN."""

from __future__ import annotations

from awacs import awslambda, dynamodb, kms, logs, secretsmanager, sns, sqs, sts, xray
from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import GetAtt, Ref, Sub
from troposphere.iam import Policy

from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.stack import names


def policy(*statements: Statement) -> Policy:
    """An inline policy of a role. A role owns its policy, so whatever depends on the role finds it complete."""
    return Policy(PolicyName="access", PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=list(statements)))


def trust(service: str, condition: Condition | None = None) -> PolicyDocument:
    """Lets a service take the role."""
    optional = {"Condition": condition} if condition else {}
    statement = Statement(Effect=Allow, Principal=Principal("Service", service), Action=[sts.AssumeRole], **optional)
    return PolicyDocument(Version="2012-10-17", Statement=[statement])


def from_this_account() -> Condition:
    """Only on behalf of this account, so that nobody else's resources make the service act here."""
    return Condition(StringEquals({"aws:SourceAccount": Ref("AWS::AccountId")}))


def write_logs(log_group: str) -> Statement:
    """Its own log group only."""
    return _allow([logs.CreateLogStream, logs.PutLogEvents], names.arn(log_group))


def trace() -> Statement:
    """X-Ray has no resource to name. Source: Service Authorization Reference, AWS X-Ray."""
    return _allow([xray.PutTelemetryRecords, xray.PutTraceSegments], "*")


def decrypt() -> Statement:
    """Every function: its environment variables; and the tables, the secret or the topic that it uses."""
    return _allow([kms.Decrypt], names.arn(names.KEY))


def decrypt_and_generate_data_key() -> Statement:
    """Whoever sends to an encrypted topic or queue.

    Source: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs"; Amazon SQS Developer Guide,
    "Key management".
    """
    return _allow([kms.Decrypt, kms.GenerateDataKey], names.arn(names.KEY))


def put_prices() -> Statement:
    """The webhook's price, and the list of symbols."""
    return _allow([dynamodb.PutItem], names.arn(names.PRICE_HISTORY_TABLE))


def read_signing_secret() -> Statement:
    """Both versions: the one in use and, after a rotation, the previous."""
    return _allow([secretsmanager.GetSecretValue], Ref(names.SIGNING_SECRET))


def read_stream() -> Statement:
    """What Lambda's pollers need, in the function's name.

    Source: AWS Lambda Developer Guide, "Process DynamoDB records with Lambda", permissions. ListStreams takes the
    table's streams; the others one stream.
    """
    return _allow(
        [dynamodb.DescribeStream, dynamodb.GetRecords, dynamodb.GetShardIterator, dynamodb.ListStreams],
        GetAtt(names.PRICE_HISTORY_TABLE, "StreamArn"),
    )


def query_alerts() -> Statement:
    """The index of armed alerts, not the table."""
    return _allow([dynamodb.Query], Sub(f"${{{names.PRICE_ALERTS_TABLE}.Arn}}/index/{names.ALERTS_INDEX}"))


def update_alerts() -> Statement:
    """Disarming, claiming and recording."""
    return _allow([dynamodb.UpdateItem], names.arn(names.PRICE_ALERTS_TABLE))


def publish(topic: str) -> Statement:
    """One topic. PublishBatch is authorised by the same action."""
    return _allow([sns.Publish], Ref(topic))


def send_sms() -> Statement:
    """A phone number has no ARN: everything that is not a topic is what AWS lets us say.

    Source: Amazon SNS Developer Guide, identity-based policies; SMS publishing is authorised against no topic.
    """
    return Statement(Effect=Allow, Action=[sns.Publish], NotResource=[Sub("arn:${AWS::Partition}:sns:*:*:*")])


def send_to(queue: str) -> Statement:
    """One queue."""
    return _allow([sqs.SendMessage], names.arn(queue))


def clean_prices() -> Statement:
    """Reads by key and deletes; there is no scan."""
    return _allow([dynamodb.DeleteItem, dynamodb.Query], names.arn(names.PRICE_HISTORY_TABLE))


def invoke(function: str) -> Statement:
    """One function."""
    return _allow([awslambda.InvokeFunction], names.arn(function))


def statements_of(function: str) -> list[Statement]:
    """Everything that one function may do."""
    common = [write_logs(names.log_group(function)), trace()]
    own = {
        PROCESS_WEBHOOK: [decrypt(), put_prices(), read_signing_secret()],
        CHECK_ALERTS: [
            decrypt_and_generate_data_key(),
            read_stream(),
            query_alerts(),
            update_alerts(),
            publish(names.NOTIFICATION_TOPIC),
            send_to(names.STREAM_FAILURE_QUEUE),
        ],
        SEND_NOTIFICATION: [
            decrypt_and_generate_data_key(),
            update_alerts(),
            send_sms(),
            send_to(names.ASYNC_FAILURE_QUEUE),
        ],
        CLEANUP_HISTORY: [decrypt_and_generate_data_key(), clean_prices(), send_to(names.ASYNC_FAILURE_QUEUE)],
    }
    return common + own[function]


def _allow(actions: list[Action], resource: object) -> Statement:
    return Statement(Effect=Allow, Action=actions, Resource=[resource])
