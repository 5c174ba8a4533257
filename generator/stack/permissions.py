"""The IAM statements of every role, with single actions and with resources by ARN."""

from __future__ import annotations

from collections.abc import Sequence

from awacs import dynamodb, kms, logs, secretsmanager, sms_voice, sns, sqs, sts, xray
from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import GetAtt, Ref, Sub
from troposphere.iam import Policy

from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.config.senders import WebhookSource
from generator.stack import names


def document(*statements: Statement) -> PolicyDocument:
    """Return a policy document of the statements."""
    return PolicyDocument(Version="2012-10-17", Statement=list(statements))


def policy(*statements: Statement) -> Policy:
    """Return an inline policy, so that resources which depend on the role also wait for its permissions."""
    return Policy(PolicyName="access", PolicyDocument=document(*statements))


def trust(service: str, condition: Condition | None = None) -> PolicyDocument:
    """Return the policy that lets a service assume the role."""
    optional = {"Condition": condition} if condition else {}
    principal = Principal("Service", service)
    return document(Statement(Effect=Allow, Principal=principal, Action=[sts.AssumeRole], **optional))


def from_this_account() -> Condition:
    """Return the condition that the service acts for resources of this account."""
    return Condition(StringEquals({"aws:SourceAccount": Ref("AWS::AccountId")}))


def allow(actions: Sequence[Action], *resources: object, **optional: object) -> Statement:
    """Allow single actions on these resources. `optional` has a principal or a condition."""
    return Statement(Effect=Allow, Action=actions, Resource=list(resources), **optional)


def decrypt_and_generate_data_key() -> Statement:
    """Allow decryption and data keys, which senders to an encrypted topic or queue need.

    Source: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs"; Amazon SQS Developer Guide,
    "Key management".
    """
    return allow([kms.Decrypt, kms.GenerateDataKey], names.arn(names.KEY))


def send_to(queue: str) -> Statement:
    """Allow sending to one queue."""
    return allow([sqs.SendMessage], names.arn(queue))


def statements_of(function: str, sources: Sequence[WebhookSource]) -> list[Statement]:
    """Return every statement of one function's role, in a stack with these sources."""
    prices, alerts = names.arn(names.PRICE_HISTORY_TABLE), names.arn(names.PRICE_ALERTS_TABLE)
    # The index has the armed alerts, without phone numbers. Only it can be searched, not the table.
    index = Sub(f"${{{names.PRICE_ALERTS_TABLE}.Arn}}/index/{names.ALERTS_INDEX}")
    secrets = [names.SIGNING_SECRET, *(names.source(source.name, "Secret") for source in sources)]
    by_function = {
        PROCESS_WEBHOOK: [
            allow([kms.Decrypt], names.arn(names.KEY)),
            allow([dynamodb.PutItem], prices),
            # After a rotation, also the previous version.
            allow([secretsmanager.GetSecretValue], *map(Ref, secrets)),
        ],
        CHECK_ALERTS: [
            decrypt_and_generate_data_key(),
            # Lambda's pollers read with this role. ListStreams applies to all streams of the table. Source: AWS Lambda
            # Developer Guide, "Process DynamoDB records with Lambda", permissions.
            allow(
                [dynamodb.DescribeStream, dynamodb.GetRecords, dynamodb.GetShardIterator, dynamodb.ListStreams],
                GetAtt(names.PRICE_HISTORY_TABLE, "StreamArn"),
            ),
            allow([dynamodb.Query], index),
            # The index is a little behind, so alerts are read by key, too.
            allow([dynamodb.BatchGetItem, dynamodb.UpdateItem], alerts),
            # The same action authorizes PublishBatch.
            allow([sns.Publish], Ref(names.NOTIFICATION_TOPIC)),
            send_to(names.STREAM_FAILURE_QUEUE),
        ],
        SEND_NOTIFICATION: [
            decrypt_and_generate_data_key(),
            allow([dynamodb.UpdateItem], alerts),
            *_send_sms(),
            send_to(names.ASYNC_FAILURE_QUEUE),
        ],
        CLEANUP_HISTORY: [
            decrypt_and_generate_data_key(),
            allow([dynamodb.Scan], index),
            # The handler only deletes, but the action allows puts, too.
            allow([dynamodb.BatchWriteItem, dynamodb.Query], prices),
            send_to(names.ASYNC_FAILURE_QUEUE),
        ],
    }
    return [
        allow([logs.CreateLogStream, logs.PutLogEvents], names.arn(names.log_group(function))),
        # X-Ray has no resource types. Source: Service Authorization Reference, AWS X-Ray.
        allow([xray.PutTelemetryRecords, xray.PutTraceSegments], "*"),
        *by_function[function],
    ]


def _send_sms() -> list[Statement]:
    """Allow SMS. A phone number has no ARN, so the first statement covers everything that is not a topic.

    The second one allows what SNS calls on this role's behalf to send through AWS End User Messaging. It is not certain
    to be needed: AWS's managed policy AmazonSNSFullAccess has it, one example of the guide does not. The identity that
    SNS sends from is not known here, so its resource is *. Source: Amazon SNS Developer Guide, identity-based policies
    (SMS publishing is authorized without a topic) and SMS access management.
    """
    by_sns = Condition(StringEquals({"aws:CalledViaLast": "sns.amazonaws.com"}))
    return [
        Statement(Effect=Allow, Action=[sns.Publish], NotResource=[Sub("arn:${AWS::Partition}:sns:*:*:*")]),
        allow([sms_voice.SendTextMessage], "*", Condition=by_sns),
    ]
