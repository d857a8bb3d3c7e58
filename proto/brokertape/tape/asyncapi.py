"""The AsyncAPI document of the tape: which streams there are, what a subscriber reads from them, and how.

AsyncAPI has no place of its own for Redis (its binding is empty by definition), so all that is Redis' stands under
`x-redis`.
"""

from msgspec import convert

from brokertape.tape.keys import DEFAULT_PARTITIONS, DEFAULT_PREFIX, MAX_PARTITIONS, SCHEMA, Keys
from brokertape.tape.schema import EVENT_MODELS, JsonObject, definitions, event_type, example

VERSION = "3.0.0"
CONTENT_TYPE = "application/cloudevents+json"

_REDIS = "x-redis"
_SCHEMAS = "#/components/schemas/{name}"
_KEYS = Keys()

_TAPE_KINDS = ("baseline", "change", "rollover", "correction")
_FEED_KINDS = ("status", "watermark")
_HISTORY_KINDS = ("history",)

_DESCRIPTION = """\
Which ten brokers net bought and which ten net sold most of a Hong Kong stock, and every change of it, on Redis streams.

Join: read the last generated id of the tape, then the books, then the tape after that id; drop entries at or below \
a book's `entry_id`. Follow: `prev_seq` must be the `seq` you have, or else reread the book; a larger `epoch` begins \
with a baseline that replaces what you have. Delivery is at least once: `id` tells a repeat. Ignore fields and skip \
event types that you do not know. A broker that is not listed has not traded to zero."""


def asyncapi() -> JsonObject:
    """The document, from a subscriber's point of view: every operation receives."""
    return {
        "asyncapi": VERSION,
        "id": "urn:brokertape",
        "info": {"title": "brokertape", "version": f"{SCHEMA}.0.0", "description": _DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"redis": _server()},
        "channels": {"tape": _tape(), "feed": _feed(), "history": _history()},
        "operations": {
            "receiveTape": _receive("tape", "Follow the books of codes: every change of them, in order."),
            "receiveFeed": _receive("feed", "Hear what is open, lost or late, and how fresh every code is."),
            "receiveHistory": _receive("history", "Read the final lists of past trading days."),
        },
        "components": {
            "messages": {kind: _message(kind) for kind in EVENT_MODELS},
            "schemas": definitions(EVENT_MODELS, _SCHEMAS),
        },
    }


def _server() -> JsonObject:
    return {
        "host": "localhost:6379",
        "protocol": "redis",
        "description": "One Redis 7.0 or newer, Valkey, Sentinel or Cluster.",
        _REDIS: {
            "keys": {
                "book": f"{_partition_key('book:<code>')} (hash): the latest state of a code",
                "codes": f"{_partition_key('codes')} (set): the codes that have a book in the partition",
                "status": f"{_KEYS.status} (hash): <scope>|<name>, the latest status event",
                "interest": f"{_KEYS.interest} (zset): <code>|<subscriber>, expiry in ms of the server's clock",
                "interest_want": f"{_KEYS.interest_want} (hash): the same member, {{weight, max_staleness_s}}",
                "meta": f"{_KEYS.meta} (hash): schema, partitions",
            },
            "partition": "CRC-16/XMODEM of the UTF-8 code, modulo `partitions` of the meta hash",
        },
    }


def _tape() -> JsonObject:
    return {
        "address": f"{DEFAULT_PREFIX}:{{partition}}:tape",
        "title": "Tape",
        "description": "The events of every code of one partition, in the order they were committed; per code without "
        f"a gap. `{DEFAULT_PREFIX}` is the default prefix of all keys.",
        "parameters": {
            "partition": {
                "description": "The partition's number in braces, which are part of the key: a hash tag of Redis "
                f"Cluster. A tape has a power of two of partitions, by default {DEFAULT_PARTITIONS}.",
                "enum": [f"{{{number}}}" for number in range(MAX_PARTITIONS)],
                "examples": ["{6}"],
            }
        },
        "messages": _messages(_TAPE_KINDS),
        _REDIS: _stream("7 days, longer for a group that has not acknowledged; 14 days or 1,000,000 entries at most"),
    }


def _feed() -> JsonObject:
    return {
        "address": _KEYS.feed,
        "title": "Feed",
        "description": "What concerns the feed as a whole: status events, and watermarks every 5 s.",
        "messages": _messages(_FEED_KINDS),
        _REDIS: _stream("about 10,000 entries"),
    }


def _history() -> JsonObject:
    return {
        "address": _KEYS.history,
        "title": "History",
        "description": "One event per code and past trading day. Never a base for a difference.",
        "messages": _messages(_HISTORY_KINDS),
        _REDIS: _stream(),
    }


def _stream(retention: str | None = None) -> JsonObject:
    return {
        "type": "stream",
        "read": "XREAD from an id, or XREADGROUP with a group of your own",
        "entry": {
            "topic": "message header `topic`",
            "type": "message header `type`",
            "encoding": "message header `encoding`",
            "payload": "the message payload, as JSON text",
        },
        **({"retention": retention} if retention else {}),
    }


def _messages(kinds: tuple[str, ...]) -> JsonObject:
    return {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds}


def _receive(channel: str, summary: str) -> JsonObject:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _message(kind: str) -> JsonObject:
    model, event = EVENT_MODELS[kind], example(kind)
    topic = convert(event, model).topic
    return {
        "name": event_type(kind),
        "title": kind.capitalize(),
        "contentType": CONTENT_TYPE,
        "headers": {
            "description": "The other three fields of the stream entry.",
            "type": "object",
            "required": ["topic", "type", "encoding"],
            "properties": {
                "topic": {"type": "string", "description": "`<kind>.<code, scope or publisher>`"},
                "type": {"type": "string", "const": event_type(kind)},
                "encoding": {"type": "string", "const": "json"},
            },
        },
        "payload": {"$ref": _SCHEMAS.format(name=model.__name__)},
        "examples": [
            {
                "name": kind,
                "headers": {"topic": topic, "type": event_type(kind), "encoding": "json"},
                "payload": event,
            }
        ],
    }


def _partition_key(name: str) -> str:
    return f"{DEFAULT_PREFIX}:{{n}}:{name}"
