"""CleanupHistoryFunction: removes expired prices that DynamoDB's time to live has not reached yet.

The sort key starts with the time, so a query by symbol reads expired prices only. It stops well before its timeout
and goes on an hour later. It also counts the armed alerts that no price can fire, because nothing else reads them.
"""

import json
import os
import re
import time
from decimal import Decimal

import boto3
from botocore.config import Config

TABLE, ALERTS, RETENTION_S = os.environ['TABLE'], os.environ['ALERTS'], int(os.environ['RETENTION_S'])
RESERVE_MS, MAX_ID_LENGTH = 15000, 128
# A price's time has 13 digits, so an alert armed from then on is never older than a price.
LAST_STAMP = 10**13
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)


def handler(event, context):
  now, deleted, unfireable, outcome = int(time.time()), 0, 0, 'finished'
  for is_price, item in work(now):
    if context.get_remaining_time_in_millis() < RESERVE_MS:
      outcome = 'to be continued'
      break
    if is_price:
      deleted += delete(item, now)
    else:
      unfireable += not can_fire(item)
  log(context, context.aws_request_id, outcome, Deleted=deleted, Unfireable=unfireable)


def work(now):
  """Yield every armed alert with False, then every expired price with True."""
  for page in dynamodb.get_paginator('scan').paginate(TableName=ALERTS, IndexName='CryptocurrencyIndex'):
    for alert in page['Items']:
      yield False, alert
  end = {'S': f'{(now - RETENTION_S) * 1000:013d}'}
  for row in query('symbol = :symbol', {':symbol': {'S': '#symbols'}}):
    for key in query('symbol = :symbol AND observation < :end', {':symbol': row['observation'], ':end': end}):
      yield True, key


def can_fire(alert):
  armed_at, arming_id = alert.get('armedAt', {}).get('N'), alert.get('generation', {})
  is_valid = 'N' in arming_id or 0 < len(arming_id.get('S', '')) <= MAX_ID_LENGTH
  is_known = re.fullmatch('[A-Z0-9]{1,15}-[A-Z0-9]{1,15}#(above|below)', alert['watch']['S'])
  return is_valid and is_known and armed_at is not None and Decimal(armed_at) < LAST_STAMP


def query(condition, values):
  options = {'ProjectionExpression': 'symbol, observation', 'ExpressionAttributeValues': values}
  pages = dynamodb.get_paginator('query').paginate(TableName=TABLE, KeyConditionExpression=condition, **options)
  for page in pages:
    yield from page['Items']


def delete(key, now):
  """Return how many were deleted: none if the price is gone, or is not expired by its own reckoning."""
  expiry = {'ExpressionAttributeNames': {'#ttl': 'ttl'}, 'ExpressionAttributeValues': {':now': {'N': str(now)}}}
  try:
    dynamodb.delete_item(TableName=TABLE, Key=key, ConditionExpression='#ttl <= :now', **expiry)
  except dynamodb.exceptions.ConditionalCheckFailedException:
    return 0
  return 1


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
