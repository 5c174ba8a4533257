"""Part of ProcessWebhookFunction if a source has the scheme hmac: a header signs the time and the body.

The header is t=SECONDS,v1=HEX, with one v1 for each key during a rotation. HEX is the HMAC-SHA256 of "SECONDS.BODY",
and its key is the text of the secret.
"""

import base64
import hmac
import re

from generator.stack.handlers.process_webhook import WINDOW_S
from generator.stack.handlers.webhook_sources import matches, schemes


def hmac_fault(price, body, event, header, now):
  sent = {name.lower(): value or '' for name, value in (event.get('headers') or {}).items()}.get(header.lower(), '')
  signed = re.fullmatch('t=([0-9]{1,12})((,v1=[0-9a-f]{64})+)', sent)
  if not signed or abs(now - int(signed[1])) > WINDOW_S:
    return f'{header} must be t=SECONDS,v1=HEX with a time within 5 minutes of now'
  content, offered = f'{signed[1]}.'.encode() + body, signed[2].split(',v1=')

  def is_match(key):
    mine = hmac.digest(base64.b64encode(key), content, 'sha256').hex()
    return any(hmac.compare_digest(mine, other) for other in offered)

  return None if matches(is_match, now) else f'{header} does not match'


schemes['hmac'] = hmac_fault
