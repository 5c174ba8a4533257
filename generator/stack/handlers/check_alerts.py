"""CheckAlertsFunction: fires every armed alert whose threshold a new price has reached, once per arming.

The index holds armed alerts only, ordered by threshold, so a query reads just those that fire. Publishing comes
before disarming: a crash between the two publishes again, and SendNotificationFunction sends each generation once.
"""

import json
import os
import time
from decimal import Decimal

import boto3
from botocore.config import Config

TABLE, TOPIC = os.environ['TABLE'], os.environ['TOPIC']
# Left before Lambda's timeout for a page and a group of ten, and for one more call, as slow as it may be.
GROUP_MS, CALL_MS, REMEMBERED = 15000, 7000, 10000
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)
sns = boto3.client('sns', config=CONFIG)
disarmed = set()


def handler(event, context):
  failures = []
  for record in event['Records']:
    started, outcome, fired = time.time(), 'checked', []
    try:
      check(record['dynamodb']['NewImage'], context, fired)
    except Exception as error:
      # Whatever it is, Lambda retries from here; what has fired is no longer armed by then.
      outcome = getattr(error, 'response', {'Error': {'Code': type(error).__name__}})['Error']['Code']
      failures.append({'itemIdentifier': record['dynamodb']['SequenceNumber']})
    log(context, record['eventID'], outcome, AlertsFired=len(fired), Ms=int((time.time() - started) * 1000))
  return {'batchItemFailures': failures}


def check(row, context, fired):
  # A row without a price is a name on CleanupHistoryFunction's list of symbols.
  if 'price' not in row:
    return
  symbol, price, stamp = row['symbol']['S'], row['price']['S'], row['observation']['S'][:13]
  for direction, past in (('above', '<='), ('below', '>=')):
    seen = {'symbol': symbol, 'direction': direction, 'price': price, 'timestamp': int(stamp)}
    values = {':price': {'N': str(Decimal(price))}, ':stamp': {'N': stamp}, ':number': {'S': 'N'}}
    pages = dynamodb.get_paginator('query').paginate(
      TableName=TABLE,
      IndexName='CryptocurrencyIndex',
      KeyConditionExpression=f'watch = :watch AND threshold {past} :price',
      # One alert without a number here must not keep the others from firing.
      FilterExpression='armedAt <= :stamp AND attribute_type(generation, :number)',
      ExpressionAttributeValues={':watch': {'S': f'{symbol}#{direction}'}, **values},
    )
    need(GROUP_MS, context)
    for page in pages:
      # The index is a little behind: what was just disarmed may still be in it.
      alerts = [alert for alert in page['Items'] if arming(alert) not in disarmed]
      for start in range(0, len(alerts), 10):
        fire(alerts[start : start + 10], seen, context, fired)
      need(GROUP_MS, context)


def need(ms, context):
  if context.get_remaining_time_in_millis() < ms:
    raise TimeoutError


def arming(alert):
  return tuple([*alert[name].values()][0] for name in ('userId', 'alertId', 'generation', 'armedAt'))


def fire(alerts, seen, context, fired):
  need(GROUP_MS, context)
  # The alert and its generation identify a notification, however often it is published.
  names = ('userId', 'alertId', 'generation', 'threshold')
  messages = [seen | {name: [*alert[name].values()][0] for name in names} for alert in alerts]
  entries = [{'Id': str(number), 'Message': json.dumps(message)} for number, message in enumerate(messages)]
  answer = sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
  for success in answer.get('Successful', []):
    need(CALL_MS, context)
    fired += disarm(alerts[int(success['Id'])])
  if answer.get('Failed'):
    raise RuntimeError('not all were published')


def disarm(alert):
  """Lists what was armed until now: nothing if another invocation was first, or it was deleted or armed anew."""
  if len(disarmed) >= REMEMBERED:
    disarmed.clear()
  key = {'userId': alert['userId'], 'alertId': alert['alertId']}
  condition = 'generation = :g AND attribute_exists(watch)'
  armed = {'ConditionExpression': condition, 'ExpressionAttributeValues': {':g': alert['generation']}}
  fired = [alert]
  try:
    dynamodb.update_item(TableName=TABLE, Key=key, UpdateExpression='REMOVE watch, threshold', **armed)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    fired = []
  disarmed.add(arming(alert))
  return fired


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
