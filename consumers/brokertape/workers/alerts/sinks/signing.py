"""The signature of a webhook, as Standard Webhooks has it (https://www.standardwebhooks.com). Pure."""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def secret_bytes(secret: str) -> bytes:
    """The key of a secret as it is handed out: `whsec_` and base64.

    Raises:
        ValueError: It is none.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the secret is no base64: write {PREFIX} and {LEAST_BYTES} to {MOST_BYTES} bytes") from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"the secret has {len(key)} bytes: use {LEAST_BYTES} to {MOST_BYTES}")
    return key


def headers(key: bytes | None, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Id, time (s since 1970) and, with a key, signature over `id.timestamp.body`."""
    found = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key is not None:
        signed = f"{message_id}.{timestamp}.".encode() + body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        found["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return found
