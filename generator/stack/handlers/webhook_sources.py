"""Part of ProcessWebhookFunction if the environment has [[sources]]: a path, a secret and a scheme for each.

The template appends it to process_webhook.py, and the schemes in use to it.
"""

import hashlib
import json
import os
from datetime import datetime

from generator.stack.handlers.process_webhook import REREAD_S, SECRET, SECRET_CACHE_S, accept, cache, check, keys, store

sources, schemes, accept_standard = {'': ('standard', SECRET, '', cache)}, {}, accept
# A line for each source: name, scheme, secret, header. The one without a name is POST /webhooks.
for source in os.environ['SOURCES'].splitlines():
  name, *rest = source.split()
  sources[name] = (*rest, {'read_at': 0, 'failed_at': 0, 'keys': []})


def accept_source(event, now):
  global SECRET, cache
  name = event['resource'].removeprefix('/webhooks').lstrip('/')
  # One request runs at a time, so `keys` reads the secret of this source.
  scheme, SECRET, header, cache = sources[name]
  if not name:
    return accept_standard(event, now)
  try:
    body = (event.get('body') or '').encode()
    # A float would change the digits.
    price = json.loads(body.decode(), parse_float=str)
  except (ValueError, RecursionError):
    return 400, 'body must be valid JSON'
  if not isinstance(price, dict):
    return 422, 'body must be a JSON object'
  if fault := schemes[scheme](price, body, event, header, now):
    return 401, fault
  if faults := list(check(canonical(price, name), now)):
    return 422, '; '.join(faults)
  digest = hashlib.sha256(body).hexdigest()
  return store(price, now, digest, digest)


def matches(is_match, now):
  """Return whether a key passes the test. As in `forgery`, a mismatch may be due to a key that was just rotated."""
  if any(is_match(key) for max_age_s in (SECRET_CACHE_S, REREAD_S) for key in keys(max_age_s, now)):
    return True
  if cache['failed_at']:
    raise PermissionError
  return False


def canonical(price, name):
  """Return the price as `check` expects it: the digits as text, the time in milliseconds, the source of the path."""
  price['source'] = name
  if type(price.get('price')) is int:
    price['price'] = str(price['price'])
  try:
    moment = datetime.fromisoformat(price.get('timestamp'))
    if moment.tzinfo:
      price['timestamp'] = round(moment.timestamp() * 1000)
  except (TypeError, ValueError):
    # It is not ISO 8601. `check` reports what is no time at all.
    pass
  return price


accept = accept_source
