"""SendNotificationFunction: sends the SMS of one fired alert, once per arming.

The alert is claimed with a lease before sending and recorded after. A crash in between is retried when the lease
has ended, so nothing is lost; a second SMS is possible only if the first was accepted and its record was not.
"""

import json
import os
import re
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE = os.environ['TABLE']
# Longer than this function's timeout, shorter than the minute before Lambda's first retry.
LEASE_S = 45
TIMEOUTS = {'connect_timeout': 1, 'read_timeout': 2}
dynamodb = boto3.client('dynamodb', config=Config(**TIMEOUTS, retries={'total_max_attempts': 2}))
# An SMS whose answer was lost may have been accepted, so the lease decides when to try again, not boto3.
sns = boto3.client('sns', config=Config(**TIMEOUTS, retries={'total_max_attempts': 1}))


def handler(event, context):
  for record in event['Records']:
    outcome, alert = 'failed', json.loads(record['Sns']['Message'])
    try:
      outcome = notify(alert, {'S': context.aws_request_id})
    finally:
      metrics = {'LatencyMs': int(time.time() * 1000) - alert['timestamp']} if outcome == 'sent' else {}
      log(context, record['Sns']['MessageId'], outcome, Sent=int(outcome == 'sent'), **metrics)


def notify(alert, request):
  # Ids used to be numbers, and messages had only the digits.
  arming = alert['generation'] if isinstance(alert['generation'], dict) else {'N': alert['generation']}
  target = {'TableName': TABLE, 'Key': {name: {'S': alert[name]} for name in ('userId', 'alertId')}}
  try:
    item = claim(target, arming, request)
  except dynamodb.exceptions.ConditionalCheckFailedException as error:
    if outcome := settled(error.response.get('Item'), arming, request):
      return outcome
    raise
  outcome = send(item.get('phoneNumber', {}).get('S', ''), alert)
  # Not if the alert has been deleted or armed anew since it was claimed.
  values = {':arming': arming, ':outcome': {'S': outcome}}
  current = {'ConditionExpression': 'generation = :arming', 'ExpressionAttributeValues': values}
  expression = 'SET sentId = :arming, outcome = :outcome REMOVE leaseUntil, leaseId, leaseRequest, notified'
  try:
    dynamodb.update_item(**target, UpdateExpression=expression, **current)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    pass
  return outcome


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
  text = '{symbol} is at {price}: {direction} your threshold of {threshold}'.format(**alert)
  kind = {'AWS.SNS.SMS.SMSType': {'DataType': 'String', 'StringValue': 'Transactional'}}
  try:
    if re.fullmatch('[+][1-9][0-9]{6,14}', number):
      sns.publish(PhoneNumber=number, Message=text, MessageAttributes=kind)
      return 'sent'
  except ClientError as error:
    # Not a number after all, or one that has opted out: no retry can help.
    code = error.response['Error']['Code']
    if code not in ('InvalidParameter', 'InvalidParameterValue', 'OptedOut'):
      # Without SNS's message, which Lambda would log: it may have the number in it.
      raise RuntimeError(code) from None
  return 'invalid number'


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
