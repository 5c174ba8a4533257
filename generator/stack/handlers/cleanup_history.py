"""CleanupHistoryFunction: removes expired prices that DynamoDB's time to live, which is free, has left for two days.

The sort key starts with the time, so a query by symbol reads overdue prices only. It stops well before its timeout
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
RESERVE_MS, OVERDUE_S, MAX_ID_LENGTH = 15000, 2 * 86400, 128
# A price's time has 13 digits, so an alert armed from then on is never older than a price.
LAST_STAMP = 10**13
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)


class OutOfTime(Exception):
  # The rest is left to the next run.
  pass


def handler(event, context):
  counts, outcome = {'Unfireable': 0, 'Overdue': 0, 'Deleted': 0}, 'finished'
  try:
    delete_overdue(int(time.time()) - OVERDUE_S, counts, context)
    count_unfireable(counts, context)
  except OutOfTime:
    outcome = 'to be continued'
  log(context, context.aws_request_id, outcome, **counts)


def need(context):
  if context.get_remaining_time_in_millis() < RESERVE_MS:
    raise OutOfTime


def count_unfireable(counts, context):
  for page in dynamodb.get_paginator('scan').paginate(TableName=ALERTS, IndexName='CryptocurrencyIndex'):
    counts['Unfireable'] += sum(not can_fire(alert) for alert in page['Items'])
    need(context)


def can_fire(alert):
  armed_at, arming_id = alert.get('armedAt', {}).get('N'), alert.get('generation', {})
  is_valid = 'N' in arming_id or 0 < len(arming_id.get('S', '')) <= MAX_ID_LENGTH
  is_known = re.fullmatch('[A-Z0-9]{1,15}-[A-Z0-9]{1,15}#(above|below)', alert['watch']['S'])
  return is_valid and is_known and armed_at is not None and Decimal(armed_at) < LAST_STAMP


def delete_overdue(due, counts, context):
  end, expired = {'S': f'{(due - RETENTION_S) * 1000:013d}'}, {'ExpressionAttributeNames': {'#ttl': 'ttl'}}
  for symbols in query('symbol = :symbol', {':symbol': {'S': '#symbols'}}):
    for row in symbols['Items']:
      values = {':symbol': row['observation'], ':end': end, ':due': {'N': str(due)}}
      for page in query('symbol = :symbol AND observation < :end', values, FilterExpression='#ttl <= :due', **expired):
        counts['Overdue'] += len(page['Items'])
        for start in range(0, len(page['Items']), 25):
          delete(page['Items'][start : start + 25], counts, context)


def query(condition, values, **expired):
  options = {'ProjectionExpression': 'symbol, observation', 'ExpressionAttributeValues': values, **expired}
  return dynamodb.get_paginator('query').paginate(TableName=TABLE, KeyConditionExpression=condition, **options)


def delete(keys, counts, context):
  requests = [{'DeleteRequest': {'Key': key}} for key in keys]
  while requests:
    need(context)
    unprocessed = dynamodb.batch_write_item(RequestItems={TABLE: requests})['UnprocessedItems'].get(TABLE, [])
    counts['Deleted'] += len(requests) - len(unprocessed)
    if unprocessed:
      # The table is too busy. The wait gives it time to recover.
      time.sleep(1)
    requests = unprocessed


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
