"""Signs a webhook as a sender would. Source: Standard Webhooks specification 1.0, "Signature scheme"."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signed_headers(secret: str, webhook_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """The three headers that authenticate a body; `secret` is base64, with or without its whsec_ prefix."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{webhook_id}.{sent_at_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": str(sent_at_s), "webhook-signature": f"v1,{signature}"}
