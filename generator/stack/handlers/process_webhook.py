"""ProcessWebhookFunction: verifies one signed price webhook (Standard Webhooks 1.0) and stores it as sent, once."""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from decimal import Decimal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

TABLE, SECRET, RETENTION_S = os.environ['TABLE'], os.environ['SECRET'], int(os.environ['RETENTION_S'])
MAX_PRICE_AGE_S, STORED = int(os.environ['MAX_PRICE_AGE_S']), (202, 'stored')
SECRET_CACHE_S, REREAD_S, ROTATION_S, WINDOW_S, MIN_KEY_BYTES = 300, 10, 86400, 300, 24
# During an outage of Secrets Manager: how long the keys that were read last are used, and how often it is tried again.
OUTAGE_S, RETRY_S = 86400, 30
# API Gateway gives up at 29 s: two attempts of at most 3 s at each service leave room to answer 503.
CONFIG = Config(connect_timeout=1, read_timeout=2, retries={'total_max_attempts': 2})
dynamodb = boto3.client('dynamodb', config=CONFIG)
# One attempt, because cached keys are at hand, and a sender without them is answered sooner.
secrets = boto3.client('secretsmanager', config=CONFIG.merge(Config(retries={'total_max_attempts': 1})))
cache, known_symbols = {'read_at': 0, 'failed_at': 0, 'keys': []}, set()


def handler(event, context):
  cause = ''
  try:
    status, message = accept(event, time.time())
  except (BotoCoreError, ClientError, PermissionError) as error:
    status, message = 503, 'try again'
    cause = getattr(error, 'response', {'Error': {'Code': type(error).__name__}})['Error']['Code']
  counts = {'Stored': int(status == 202), 'Fresh': int((status, message) == STORED)}
  log(context, context.aws_request_id, cause or status, **counts)
  headers = {'Retry-After': '5'} if status == 503 else {}
  return {'statusCode': status, 'headers': headers, 'body': json.dumps({'message': message})}


def accept(event, now):
  headers = {name.lower(): value or '' for name, value in (event.get('headers') or {}).items()}
  try:
    body = (event.get('body') or '').encode()
    body = base64.b64decode(body, validate=True) if event.get('isBase64Encoded') else body
  except ValueError:
    return 400, 'body must be valid base64'
  if fault := forgery(headers, body, now):
    return 401, fault
  try:
    price = json.loads(body.decode())
  except (ValueError, RecursionError):
    return 400, 'body must be valid JSON'
  if faults := list(check(price, now)) if isinstance(price, dict) else ['body must be a JSON object']:
    return 422, '; '.join(faults)
  return store(price, now, headers['webhook-id'], hashlib.sha256(body).hexdigest())


def forgery(headers, body, now):
  webhook_id, sent_at = headers.get('webhook-id', ''), headers.get('webhook-timestamp', '')
  if not re.fullmatch('[!-~]{1,128}', webhook_id):
    return 'webhook-id must have 1 to 128 printable ASCII characters'
  if not re.fullmatch('[0-9]{1,12}', sent_at) or abs(now - int(sent_at)) > WINDOW_S:
    return 'webhook-timestamp must be within 5 minutes of now'
  content = f'{webhook_id}.{sent_at}.'.encode() + body
  offered = re.findall('v1,([A-Za-z0-9+/=]+)', headers.get('webhook-signature', ''))
  # A key that was just rotated is not in the cache: look again, but not once for each bad signature of a flood.
  for max_age_s in (SECRET_CACHE_S, REREAD_S):
    mine = [base64.b64encode(hmac.digest(key, content, 'sha256')).decode() for key in keys(max_age_s, now)]
    if any(hmac.compare_digest(one, other) for one in mine for other in offered):
      return None
  if cache['failed_at']:
    raise PermissionError  # perhaps signed with a key that is newer than the outage
  return 'webhook-signature does not match'


def keys(max_age_s, now):
  if now - cache['read_at'] >= max_age_s and now - cache['failed_at'] >= RETRY_S:
    try:
      cache.update(keys=list(read_keys()), read_at=now, failed_at=0)
    except (BotoCoreError, ClientError) as error:
      if not (is_outage(error) and cache['keys'] and now - cache['read_at'] < OUTAGE_S):
        raise
      cache['failed_at'] = now
  if valid := [key for key, until in cache['keys'] if now < until and now - cache['read_at'] < OUTAGE_S]:
    return valid
  raise PermissionError  # no fault of the sender's, who should come back


def is_outage(error):
  """Return whether Secrets Manager failed, instead of refusing: a timeout, a throttle or a 5xx."""
  answer = getattr(error, 'response', None)
  return not answer or answer['ResponseMetadata']['HTTPStatusCode'] >= 500 or 'Throttl' in answer['Error']['Code']


def read_keys():
  ends_at = float('inf')
  for stage in ('AWSCURRENT', 'AWSPREVIOUS'):
    try:
      version = secrets.get_secret_value(SecretId=SECRET, VersionStage=stage)
    except secrets.exceptions.ResourceNotFoundException:
      continue  # no previous version before the first rotation
    until, ends_at = ends_at, version['CreatedDate'].timestamp() + ROTATION_S
    key = decoded(version.get('SecretString', ''))
    if len(key) >= MIN_KEY_BYTES:
      yield key, until
    else:
      print(json.dumps({'outcome': f'unusable key: {stage} is not base64 of at least {MIN_KEY_BYTES} bytes'}))


def decoded(text):
  """Return the bytes of a key as any base64 tool writes it: with line breaks, without padding, or URL-safe."""
  text = ''.join(text.split()).removeprefix('whsec_').rstrip('=').replace('-', '+').replace('_', '/')
  try:
    return base64.b64decode(text + '=' * (-len(text) % 4), validate=True)
  except ValueError:
    return b''


def check(price, now):
  symbol, source, value, stamp = (price.get(name) for name in ('symbol', 'source', 'price', 'timestamp'))
  if not (isinstance(symbol, str) and re.fullmatch('[A-Z0-9]{1,15}-[A-Z0-9]{1,15}', symbol)):
    yield 'symbol must look like BTC-USD'
  if not (isinstance(source, str) and re.fullmatch('[a-z0-9._-]{1,32}', source)):
    yield 'source must have 1 to 32 characters: a-z, 0-9, dot, dash or underscore'
  if not (type(stamp) is int and (now - RETENTION_S) * 1000 <= stamp <= (now + 300) * 1000):
    yield 'timestamp must be in milliseconds, not past retention and at most 5 minutes ahead'
  written = '[0-9]{1,99}([.][0-9]{1,99})?([eE][+-]?[0-9]{1,3})?'
  number = Decimal(value if isinstance(value, str) and re.fullmatch(written, value) else 0)  # as DynamoDB takes it
  if number <= 0 or len(number.as_tuple().digits) > 38 or not -130 <= number.adjusted() <= 125:
    yield 'price must be a string such as 64231.50: positive, with at most 38 digits'


def store(price, now, webhook_id, digest):
  symbol, stamp = {'S': price['symbol']}, price['timestamp']
  if symbol['S'] not in known_symbols:
    # CleanupHistoryFunction finds the symbols here and need not scan the table.
    dynamodb.put_item(TableName=TABLE, Item={'symbol': {'S': '#symbols'}, 'observation': symbol})
    known_symbols.add(symbol['S'])
  item = {'symbol': symbol, 'observation': {'S': f'{stamp:013d}#{price["source"]}#{webhook_id}'}}
  item |= {'price': {'S': price['price']}, 'digest': {'S': digest}, 'ttl': {'N': str(stamp // 1000 + RETENTION_S)}}
  # CheckAlertsFunction must not judge this: a price that is fresh now may wait in the stream.
  stale = now - stamp / 1000 > MAX_PRICE_AGE_S
  item |= {'stale': {'BOOL': True}} if stale else {}
  options = {'ConditionExpression': 'attribute_not_exists(symbol)', 'ReturnValuesOnConditionCheckFailure': 'ALL_OLD'}
  try:
    dynamodb.put_item(TableName=TABLE, Item=item, **options)
  except dynamodb.exceptions.ConditionalCheckFailedException as error:
    stored = error.response['Item']['digest']['S']
    return (200, 'already stored') if stored == digest else (409, 'webhook-id was already used with another body')
  return (202, 'stored, but too old to fire alerts') if stale else STORED


def log(context, record_id, outcome, **metrics):
  spec = {'Namespace': 'PriceAlerts', 'Dimensions': [['Function']], 'Metrics': [{'Name': n} for n in metrics]}
  aws = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [spec]}
  print(json.dumps({'_aws': aws, 'Function': context.function_name, 'id': record_id, 'outcome': outcome, **metrics}))
