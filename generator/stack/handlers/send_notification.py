"""SendNotificationFunction: sends the SMS of one fired alert, once per arming.

The alert is claimed with a lease before sending and recorded after. A crash in between is retried when the lease
has ended, so nothing is lost; a second SMS is possible only if the first was accepted and its record was not.
"Sent" means that SNS accepted the SMS. Whether it was delivered appears only in SNS's metrics and delivery logs.
"""

import json
import os
import re
import time
from datetime import UTC, datetime

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE, MAX_AGE_S = os.environ['TABLE'], int(os.environ['MAX_AGE_S'])
# Longer than this function's timeout, shorter than the minute before Lambda's first retry.
LEASE_S = 45
dynamodb = boto3.client('dynamodb', config=Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2}))
# An SMS whose answer was lost may have been accepted: wait long for the answer, and let the lease decide when to try
# again, not boto3. Two calls of 6 s and this one of 16 s end before the shortest timeout, 30 s.
sns = boto3.client('sns', config=Config(connect_timeout=1, read_timeout=15, retries={'total_max_attempts': 1}))


def handler(event, context):
  for record in event['Records']:
    outcome, sms_id, alert = 'failed', None, json.loads(record['Sns']['Message'])
    try:
      outcome, sms_id = notify(alert, {'S': context.aws_request_id})
    finally:
      metrics = {'Sent': 0, outcome.title().replace(' ', ''): 1}
      if outcome == 'sent':
        # The minimum of InvalidNumber is 1 in a period in which no number was valid.
        metrics |= {'InvalidNumber': 0, 'LatencyMs': int(time.time() * 1000) - alert['timestamp']}
      log(context, record['Sns']['MessageId'], outcome, sms_id, **metrics)


def notify(alert, request):
  # Ids used to be numbers, and messages had only the digits.
  arming = alert['generation'] if isinstance(alert['generation'], dict) else {'N': alert['generation']}
  target = {'TableName': TABLE, 'Key': {name: {'S': alert[name]} for name in ('userId', 'alertId')}}
  try:
    item = claim(target, arming, request)
  except dynamodb.exceptions.ConditionalCheckFailedException as error:
    if outcome := settled(error.response.get('Item'), arming, request):
      return outcome, None
    raise
  outcome, sms_id = send(item.get('phoneNumber', {}).get('S', ''), alert)
  # Not if the alert has been deleted or armed anew since it was claimed.
  values = {':arming': arming, ':outcome': {'S': outcome}, ':at': {'N': str(int(time.time() * 1000))}}
  values[':sms'] = {'S': sms_id} if sms_id else {'NULL': True}
  current = {'ConditionExpression': 'generation = :arming', 'ExpressionAttributeValues': values}
  expression = 'SET sentId = :arming, outcome = :outcome, messageId = :sms, sentAt = :at '
  expression += 'REMOVE leaseUntil, leaseId, leaseRequest, notified'
  try:
    dynamodb.update_item(**target, UpdateExpression=expression, **current)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    pass
  return outcome, sms_id


def settled(item, arming, request):
  """Return why there is nothing to do, or None if a retry after the lease has to decide."""
  if not item:
    return 'deleted'
  if item.get('generation') != arming:
    return 'superseded'
  if item.get('sentId') == arming or arming.get('N') in item.get('notified', {}).get('NS', []):
    return 'already sent'
  # A retry keeps its request id, so any other request only repeats what the holder of the lease is doing.
  if item.get('leaseId') == arming and item.get('leaseRequest') != request:
    return 'in progress'
  return None


def claim(target, arming, request):
  now = int(time.time())
  values = {':now': {'N': str(now)}, ':until': {'N': str(now + LEASE_S)}, ':arming': arming, ':request': request}
  # Items that were sent before ids could be texts list their numbers in `notified`.
  unsent = 'generation = :arming AND (attribute_not_exists(sentId) OR sentId <> :arming)'
  unsent += ' AND NOT contains(notified, :arming)'
  return dynamodb.update_item(
    **target,
    UpdateExpression='SET leaseUntil = :until, leaseId = :arming, leaseRequest = :request',
    ConditionExpression=f'{unsent} AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now)',
    ExpressionAttributeValues=values,
    ReturnValues='ALL_NEW',
    ReturnValuesOnConditionCheckFailure='ALL_OLD',
  )['Attributes']


def send(number, alert):
  # Late retries and replays. Measured since the alert fired, because a price may have waited in a paused stream.
  if time.time() - alert.get('firedAt', alert['timestamp']) / 1000 > MAX_AGE_S:
    return 'late', None
  at = datetime.fromtimestamp(alert['timestamp'] / 1000, UTC)
  text = '{symbol} was at {price} at {at:%Y-%m-%d %H:%M} UTC: {direction} your threshold of {threshold}'
  kind = {'AWS.SNS.SMS.SMSType': {'DataType': 'String', 'StringValue': 'Transactional'}}
  try:
    if re.fullmatch('[+][1-9][0-9]{6,14}', number):
      answer = sns.publish(PhoneNumber=number, Message=text.format(at=at, **alert), MessageAttributes=kind)
      return 'sent', answer['MessageId']
  except ClientError as error:
    # Not a number after all: no retry can help. A Region without SMS answers the same, for every number.
    code = error.response['Error']['Code']
    if code not in ('InvalidParameter', 'ParameterValueInvalid'):
      # Without SNS's message, which Lambda would log: it may have the number in it.
      raise RuntimeError(code) from None
  return 'invalid number', None


def log(context, record_id, outcome, sms_id, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  line = {'Function': context.function_name, 'id': record_id, 'outcome': outcome, 'messageId': sms_id}
  print(json.dumps({'_aws': aws, **line, **metrics}))
