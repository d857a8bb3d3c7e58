"""A stream entry: four fields that any Redis client can read, the payload one CloudEvent in JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import DecodeError as MsgspecError
from msgspec.json import Decoder, Encoder

from brokertape.tape.errors import DecodeError, UnknownEventType
from brokertape.tape.events import Envelope, Event, StatusEvent

MAX_PAYLOAD_BYTES = 1 << 20  # a full rollover is 8 kB; what is a hundred times larger is not ours

_ENCODER = Encoder()
_DECODER: Decoder[Event] = Decoder(Event)
_KNOWN_TYPES = frozenset(
    f"brokertape.{kind}.v1"
    for kind in ("baseline", "change", "rollover", "correction", "history", "status", "watermark")
)


def dump(event: Envelope) -> bytes:
    """`event` as one CloudEvent in JSON (structured mode)."""
    return _ENCODER.encode(event)


def encode_entry(event: Envelope, payload: bytes | None = None) -> dict[str, bytes]:
    """The four fields of the stream entry that carries `event`; `payload` is its JSON, if that is at hand."""
    return {
        "topic": event.topic.encode(),
        "type": event.type.encode(),
        "encoding": b"json",
        "payload": dump(event) if payload is None else payload,
    }


def decode_entry(fields: Mapping[bytes, bytes]) -> Event:
    """The event of a stream entry.

    Raises:
        UnknownEventType: The type is none of this version's: skip and count it.
        DecodeError: The entry is not what the contract describes.
    """
    payload = fields.get(b"payload")
    if payload is None or fields.get(b"encoding") != b"json":
        raise DecodeError("entry has no JSON payload")
    return load(payload)


def load(payload: bytes) -> Event:
    """The event of a payload; raises as `decode_entry` does."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise DecodeError(f"payload of {len(payload)} bytes is longer than {MAX_PAYLOAD_BYTES}")
    try:
        return _DECODER.decode(payload)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
        event_type = _type_of(payload)
        if isinstance(event_type, str) and event_type not in _KNOWN_TYPES:
            raise UnknownEventType(event_type) from error
        raise DecodeError(f"payload: {error}") from error


def load_status(payload: bytes) -> StatusEvent | None:
    """The status event of a field of the status hash; None for what somebody else may have put there."""
    try:
        event = load(payload)
    except DecodeError:
        return None
    return event if isinstance(event, StatusEvent) else None


def _type_of(payload: bytes) -> Any:
    try:
        attributes = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return attributes.get("type") if isinstance(attributes, dict) else None
