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
# Time for one more group of ten, slow as it may be, before Lambda would cut it short.
RESERVE_MS = 15000
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)
sns = boto3.client('sns', config=CONFIG)


def handler(event, context):
  failures = []
  for record in event['Records']:
    started, outcome, fired = time.time(), 'checked', []
    try:
      check(record['dynamodb']['NewImage'], context, fired)
    except Exception as error:
      # Whatever it is, Lambda retries from here; what has fired is no longer armed by then.
      outcome = type(error).__name__
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
    values = {':price': {'N': str(Decimal(price))}, ':stamp': {'N': stamp}}
    pages = dynamodb.get_paginator('query').paginate(
      TableName=TABLE,
      IndexName='CryptocurrencyIndex',
      KeyConditionExpression=f'watch = :watch AND threshold {past} :price',
      FilterExpression='armedAt <= :stamp',
      ExpressionAttributeValues={':watch': {'S': f'{symbol}#{direction}'}, **values},
    )
    for page in pages:
      for start in range(0, len(page['Items']), 10):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
          raise TimeoutError
        fire(page['Items'][start : start + 10], seen, fired)


def fire(alerts, seen, fired):
  # The alert and its generation identify a notification, however often it is published.
  names = ('userId', 'alertId', 'generation', 'threshold')
  messages = [json.dumps(seen | {name: [*alert[name].values()][0] for name in names}) for alert in alerts]
  entries = [{'Id': str(number), 'Message': message} for number, message in enumerate(messages)]
  answer = sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
  for success in answer.get('Successful', []):
    disarm(alerts[int(success['Id'])])
    fired.append(success)
  if answer.get('Failed'):
    raise RuntimeError('not all were published')


def disarm(alert):
  key = {'userId': alert['userId'], 'alertId': alert['alertId']}
  armed = {'ConditionExpression': 'generation = :g', 'ExpressionAttributeValues': {':g': alert['generation']}}
  try:
    dynamodb.update_item(TableName=TABLE, Key=key, UpdateExpression='REMOVE watch, threshold', **armed)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    # Deleted, or armed anew since the index was read.
    pass


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
