"""Part of ProcessWebhookFunction if a source has the scheme token: the secret is a field of the body."""

import hmac

from generator.stack.handlers.process_webhook import decoded
from generator.stack.handlers.webhook_sources import matches, schemes


def token_fault(price, body, event, header, now):
  token = price.pop('token', '')
  offered = decoded(token) if isinstance(token, str) else b''
  return None if matches(lambda key: hmac.compare_digest(key, offered), now) else 'token does not match'


schemes['token'] = token_fault
