"""Every IAM statement as a small named function, with single actions and with resources by ARN."""

from __future__ import annotations

from collections.abc import Sequence

from awacs import awslambda, dynamodb, kms, logs, secretsmanager, sms_voice, sns, sqs, sts, xray
from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import GetAtt, Ref, Sub
from troposphere.iam import Policy

from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.config.sources import WebhookSource
from generator.stack import names


def policy(*statements: Statement) -> Policy:
    """Return an inline policy, so that resources which depend on the role also wait for its permissions."""
    return Policy(PolicyName="access", PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=list(statements)))


def trust(service: str, condition: Condition | None = None) -> PolicyDocument:
    """Return the policy that lets a service assume the role."""
    optional = {"Condition": condition} if condition else {}
    statement = Statement(Effect=Allow, Principal=Principal("Service", service), Action=[sts.AssumeRole], **optional)
    return PolicyDocument(Version="2012-10-17", Statement=[statement])


def from_this_account() -> Condition:
    """Return the condition that the service acts for resources of this account."""
    return Condition(StringEquals({"aws:SourceAccount": Ref("AWS::AccountId")}))


def write_logs(log_group: str) -> Statement:
    """Allow logging to one log group."""
    return _allow([logs.CreateLogStream, logs.PutLogEvents], names.arn(log_group))


def trace() -> Statement:
    """Allow tracing. X-Ray has no resource types. Source: Service Authorization Reference, AWS X-Ray."""
    return _allow([xray.PutTelemetryRecords, xray.PutTraceSegments], "*")


def decrypt() -> Statement:
    """Allow decryption of environment variables, tables and the secret."""
    return _allow([kms.Decrypt], names.arn(names.KEY))


def decrypt_and_generate_data_key() -> Statement:
    """Allow decryption and data keys, which senders to an encrypted topic or queue need.

    Source: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs"; Amazon SQS Developer Guide,
    "Key management".
    """
    return _allow([kms.Decrypt, kms.GenerateDataKey], names.arn(names.KEY))


def put_prices() -> Statement:
    """Allow storing prices and the list of symbols."""
    return _allow([dynamodb.PutItem], names.arn(names.PRICE_HISTORY_TABLE))


def read_secrets(sources: Sequence[WebhookSource]) -> Statement:
    """Allow reading the current version of each secret and, after a rotation, the previous one."""
    secrets = [names.SIGNING_SECRET, *(names.source_secret(source.name) for source in sources)]
    return _allow([secretsmanager.GetSecretValue], *map(Ref, secrets))


def read_stream() -> Statement:
    """Allow Lambda's pollers, which use the function's role, to read the stream.

    Source: AWS Lambda Developer Guide, "Process DynamoDB records with Lambda", permissions. ListStreams applies
    to the table's streams, the other actions to one stream.
    """
    return _allow(
        [dynamodb.DescribeStream, dynamodb.GetRecords, dynamodb.GetShardIterator, dynamodb.ListStreams],
        GetAtt(names.PRICE_HISTORY_TABLE, "StreamArn"),
    )


def query_alerts() -> Statement:
    """Allow queries of the index of armed alerts, but not of the table."""
    return _allow([dynamodb.Query], _alerts_index())


def scan_armed_alerts() -> Statement:
    """Allow scans of the index of armed alerts, which has no phone numbers, but not of the table."""
    return _allow([dynamodb.Scan], _alerts_index())


def disarm_alerts() -> Statement:
    """Allow updates that disarm alerts, and consistent reads by key, because the index is a little behind."""
    return _allow([dynamodb.BatchGetItem, dynamodb.UpdateItem], names.arn(names.PRICE_ALERTS_TABLE))


def update_alerts() -> Statement:
    """Allow updates that claim alerts and record the SMS."""
    return _allow([dynamodb.UpdateItem], names.arn(names.PRICE_ALERTS_TABLE))


def publish(topic: str) -> Statement:
    """Allow publishing to one topic. The same action authorizes PublishBatch."""
    return _allow([sns.Publish], Ref(topic))


def send_text_messages() -> Statement:
    """Allow the calls that SNS makes on this role's behalf to send an SMS through AWS End User Messaging.

    Not certain to be needed: AWS's managed policy AmazonSNSFullAccess has it, one example of the guide does not. The
    identity that SNS sends from is not known here, so the resource is *. Source: Amazon SNS Developer Guide, SMS access
    management.
    """
    by_sns = Condition(StringEquals({"aws:CalledViaLast": "sns.amazonaws.com"}))
    return Statement(Effect=Allow, Action=[sms_voice.SendTextMessage], Resource=["*"], Condition=by_sns)


def send_sms() -> Statement:
    """Allow SMS. A phone number has no ARN, so the statement covers everything that is not a topic.

    Source: Amazon SNS Developer Guide, identity-based policies; SMS publishing is authorized without a topic.
    """
    return Statement(Effect=Allow, Action=[sns.Publish], NotResource=[Sub("arn:${AWS::Partition}:sns:*:*:*")])


def send_to(queue: str) -> Statement:
    """Allow sending to one queue."""
    return _allow([sqs.SendMessage], names.arn(queue))


def clean_prices() -> Statement:
    """Allow queries, and batches, with which the handler only deletes; the action allows puts, too."""
    return _allow([dynamodb.BatchWriteItem, dynamodb.Query], names.arn(names.PRICE_HISTORY_TABLE))


def invoke(function: str) -> Statement:
    """Allow invoking one function."""
    return _allow([awslambda.InvokeFunction], names.arn(function))


def statements_of(function: str, sources: Sequence[WebhookSource]) -> list[Statement]:
    """Return every statement of one function's role, in a stack with these sources."""
    common = [write_logs(names.log_group(function)), trace()]
    by_function = {
        PROCESS_WEBHOOK: [decrypt(), put_prices(), read_secrets(sources)],
        CHECK_ALERTS: [
            decrypt_and_generate_data_key(),
            read_stream(),
            query_alerts(),
            disarm_alerts(),
            publish(names.NOTIFICATION_TOPIC),
            send_to(names.STREAM_FAILURE_QUEUE),
        ],
        SEND_NOTIFICATION: [
            decrypt_and_generate_data_key(),
            update_alerts(),
            send_sms(),
            send_text_messages(),
            send_to(names.ASYNC_FAILURE_QUEUE),
        ],
        CLEANUP_HISTORY: [
            decrypt_and_generate_data_key(),
            scan_armed_alerts(),
            clean_prices(),
            send_to(names.ASYNC_FAILURE_QUEUE),
        ],
    }
    return common + by_function[function]


def _alerts_index() -> Sub:
    return Sub(f"${{{names.PRICE_ALERTS_TABLE}.Arn}}/index/{names.ALERTS_INDEX}")


def _allow(actions: list[Action], *resources: object) -> Statement:
    return Statement(Effect=Allow, Action=actions, Resource=list(resources))
