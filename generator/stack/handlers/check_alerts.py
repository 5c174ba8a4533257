"""CheckAlertsFunction: fires every armed alert whose threshold a new price has reached, once per arming.

The index holds armed alerts only, ordered by threshold, so a query reads just those that fire. Publishing comes
before disarming: a crash between the two publishes again, and SendNotificationFunction sends each arming once.
"""

import json
import os
import random
import time
from decimal import Decimal

import boto3
from botocore.config import Config

TABLE, TOPIC = os.environ['TABLE'], os.environ['TOPIC']
# Left before Lambda's timeout for a page or a group of ten, and for one more call, as slow as it may be.
GROUP_MS, CALL_MS, REMEMBERED, MAX_ID_LENGTH = 15000, 7000, 10000, 128
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)
sns = boto3.client('sns', config=CONFIG)
disarmed = set()


class OutOfTime(Exception):
  # The record is continued in another invocation.
  pass


def handler(event, context):
  failures = []
  for record in event['Records']:
    row, fired, failed = record['dynamodb']['NewImage'], [], 0
    outcome = 'stale' if 'stale' in row else 'checked'
    try:
      # A row without a price is a name on CleanupHistoryFunction's list of symbols. A price is stale if it was too old
      # when it was accepted. How long it then waited in the stream does not count.
      if outcome == 'checked' and 'price' in row:
        check(row, context, fired)
    except Exception as error:
      # Lambda retries from this record on. Alerts that fired are disarmed by then.
      failed = int(not isinstance(error, OutOfTime))
      outcome = getattr(error, 'response', {'Error': {'Code': type(error).__name__}})['Error']['Code']
      failures.append({'itemIdentifier': record['dynamodb']['SequenceNumber']})
    counts = {'AlertsFired': len(fired), 'Stale': int(outcome == 'stale'), 'FailedRecords': failed}
    log(context, record['eventID'], outcome, **counts)
  return {'batchItemFailures': failures}


def check(row, context, fired):
  symbol, price, stamp = row['symbol']['S'], row['price']['S'], int(row['observation']['S'][:13])
  for direction, past in (('above', '<='), ('below', '>=')):
    seen = {'symbol': symbol, 'direction': direction, 'price': price, 'timestamp': stamp}
    pages = dynamodb.get_paginator('query').paginate(
      TableName=TABLE,
      IndexName='CryptocurrencyIndex',
      KeyConditionExpression=f'watch = :watch AND threshold {past} :price',
      ExpressionAttributeValues={':watch': {'S': f'{symbol}#{direction}'}, ':price': {'N': str(Decimal(price))}},
    )
    need(GROUP_MS, context)
    for page in pages:
      # The index is a little behind: what was just disarmed may still be in it.
      alerts = [alert for alert in page['Items'] if fires(alert, stamp) and arming(alert) not in disarmed]
      # Lanes that work on the same alerts meet less often in different orders.
      random.shuffle(alerts)
      for start in range(0, len(alerts), 10):
        fire(alerts[start : start + 10], seen, context, fired)
      need(GROUP_MS, context)


def need(ms, context):
  if context.get_remaining_time_in_millis() < ms:
    raise OutOfTime


def fires(alert, stamp):
  """Return whether the alert is well formed and was armed before the price; others must not block it."""
  armed_at, arming_id = alert.get('armedAt', {}).get('N'), alert.get('generation', {})
  is_valid = 'N' in arming_id or 0 < len(arming_id.get('S', '')) <= MAX_ID_LENGTH
  return is_valid and armed_at is not None and Decimal(armed_at) <= stamp


def arming(alert):
  return str([alert[name] for name in ('userId', 'alertId', 'generation', 'armedAt')])


def fire(alerts, seen, context, fired):
  need(GROUP_MS, context)
  if not (alerts := still_armed(alerts)):
    return
  # The alert and the id of its arming identify a notification, however often it is published.
  messages = [
    seen
    | {name: alert[name]['S'] for name in ('userId', 'alertId')}
    | {'threshold': alert['threshold']['N'], 'generation': alert['generation'], 'firedAt': int(time.time() * 1000)}
    for alert in alerts
  ]
  entries = [{'Id': str(number), 'Message': json.dumps(message)} for number, message in enumerate(messages)]
  answer = sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
  for success in answer.get('Successful', []):
    need(CALL_MS, context)
    fired += disarm(alerts[int(success['Id'])])
  if answer.get('Failed'):
    raise RuntimeError('not all were published')


def still_armed(alerts):
  """Drop what another lane has fired or the application has changed since the query. Nothing else is dropped."""
  keys = [key(alert) for alert in alerts]
  request = {'Keys': keys, 'ConsistentRead': True, 'ProjectionExpression': 'userId, alertId, generation, watch'}
  answer = dynamodb.batch_get_item(RequestItems={TABLE: request})
  unread = answer['UnprocessedKeys'].get(TABLE, {'Keys': []})['Keys']
  armed = [(key(item), item.get('generation')) for item in answer['Responses'][TABLE] if 'watch' in item]
  return [alert for alert in alerts if (key(alert), alert['generation']) in armed or key(alert) in unread]


def key(alert):
  return {'userId': alert['userId'], 'alertId': alert['alertId']}


def disarm(alert):
  """List what was armed until now: nothing if another invocation was first, or it was deleted or armed anew."""
  if len(disarmed) >= REMEMBERED:
    disarmed.clear()
  condition = 'generation = :g AND attribute_exists(watch)'
  armed = {'ConditionExpression': condition, 'ExpressionAttributeValues': {':g': alert['generation']}}
  fired = [alert]
  try:
    dynamodb.update_item(TableName=TABLE, Key=key(alert), UpdateExpression='REMOVE watch, threshold', **armed)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    fired = []
  disarmed.add(arming(alert))
  return fired


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
