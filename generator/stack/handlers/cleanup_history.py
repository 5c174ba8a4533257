"""CleanupHistoryFunction: removes expired prices that DynamoDB's time to live has not reached yet.

The sort key starts with the time, so a query by symbol reads expired prices only. It stops well before its timeout
and goes on an hour later.
"""

import json
import os
import time

import boto3
from botocore.config import Config

TABLE, RETENTION_S = os.environ['TABLE'], int(os.environ['RETENTION_S'])
RESERVE_MS = 15000
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)


def handler(event, context):
  now, deleted, outcome = int(time.time()), 0, 'finished'
  for key in expired(now):
    if context.get_remaining_time_in_millis() < RESERVE_MS:
      outcome = 'to be continued'
      break
    deleted += delete(key, now)
  log(context, context.aws_request_id, outcome, Deleted=deleted, Ms=int((time.time() - now) * 1000))


def expired(now):
  end = {'S': f'{(now - RETENTION_S) * 1000:013d}'}
  for row in query('symbol = :symbol', {':symbol': {'S': '#symbols'}}):
    yield from query('symbol = :symbol AND observation < :end', {':symbol': row['observation'], ':end': end})


def query(condition, values):
  options = {'ProjectionExpression': 'symbol, observation', 'ExpressionAttributeValues': values}
  pages = dynamodb.get_paginator('query').paginate(TableName=TABLE, KeyConditionExpression=condition, **options)
  for page in pages:
    yield from page['Items']


def delete(key, now):
  """Tells how many were deleted: none if the price is gone, or is not expired by its own reckoning."""
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
