"""SendNotificationFunction: sends the SMS of one fired alert, once per generation.

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
# An SMS whose answer was lost may have been accepted: when to try again is for the lease to say, not for boto3.
sns = boto3.client('sns', config=Config(**TIMEOUTS, retries={'total_max_attempts': 1}))


def handler(event, context):
  for record in event['Records']:
    started, outcome, alert = time.time(), 'failed', json.loads(record['Sns']['Message'])
    try:
      outcome = notify(alert)
    finally:
      now = time.time()
      metrics = {'LatencyMs': int(now * 1000) - alert['timestamp']} if outcome == 'sent' else {}
      ms = int((now - started) * 1000)
      log(context, record['Sns']['MessageId'], outcome, Sent=int(outcome == 'sent'), Ms=ms, **metrics)


def notify(alert):
  target = {'TableName': TABLE, 'Key': {name: {'S': alert[name]} for name in ('userId', 'alertId')}}
  try:
    item = claim(target, alert['generation'])
  except dynamodb.exceptions.ConditionalCheckFailedException as error:
    item = error.response.get('Item')
    if not item:
      return 'deleted'
    if alert['generation'] in item.get('notified', {}).get('NS', []):
      return 'already sent'
    raise
  outcome = send(item.get('phoneNumber', {}).get('S', ''), alert)
  values = {':generation': {'NS': [alert['generation']]}, ':outcome': {'S': outcome}}
  expression = 'ADD notified :generation SET outcome = :outcome REMOVE leaseUntil'
  there = {'ConditionExpression': 'attribute_exists(alertId)', 'ExpressionAttributeValues': values}
  try:
    dynamodb.update_item(**target, UpdateExpression=expression, **there)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    # Deleted since it was claimed, and to be recorded nowhere.
    pass
  return outcome


def claim(target, generation):
  now = int(time.time())
  values = {':generation': {'N': generation}, ':now': {'N': str(now)}, ':until': {'N': str(now + LEASE_S)}}
  unsent = 'attribute_exists(alertId) AND NOT contains(notified, :generation)'
  return dynamodb.update_item(
    **target,
    UpdateExpression='SET leaseUntil = :until',
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
