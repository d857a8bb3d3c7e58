"""The seam to Redis: what the rules remember, how far they have come, and the outbox, written in one step.

The hash has the fields token, at:<partition>, code:<code>, baskets:<rule>, attention, rules and late. Values are
msgpack, but `token` and the entry ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from typing import Any, TypeVar, cast

import msgspec
from msgspec import msgpack

from brokertape.tape._model import Model
from brokertape.tape.book import Book
from brokertape.tape.codec import dump
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.errors import DecodeError
from brokertape.workers.alert_keys import AlertKeys
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.event import Told
from brokertape.workers.alerts.state import Attention, Baskets, CodeState, Memory

MOST_IN_OUTBOX = 100_000

_JUDGE = Script(resources.files("brokertape.workers.alerts").joinpath("judge.lua").read_text())
_AT, _CODE, _BASKETS, _ATTENTION, _RULES, _LATE = "at:", "code:", "baskets:", "attention", "rules", "late"
_HIGHEST = "token"

_T = TypeVar("_T")


class Late(Model, frozen=True):
    """Alerts that wait to be told together; of `more` before them only the number is kept, and when they began."""

    alerts: tuple[Alert, ...] = ()
    more: int = 0
    first_at: int | None = None


@dataclass(slots=True)
class Standpoint:
    """What is remembered, and how far it reaches: by partition the last entry that is in it."""

    memory: Memory = field(default_factory=Memory)
    reached: dict[int, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    """By name, the fingerprint of every rule that remembered it."""
    late: Late = field(default_factory=Late)
    late_stored: bytes = b""
    token: int = 0
    """The highest that has written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one step writes. `expected` and `fields` by field of the hash; an empty value is none."""

    token: int
    expected: Mapping[str, bytes]
    fields: Mapping[str, bytes]
    told: Sequence[Told] = ()


class Verdict(Enum):
    """What came of it."""

    WRITTEN = b"OK"
    FENCED = b"FENCED"
    """Another worker has taken over."""
    MOVED = b"MOVED"
    """What was expected is not there: it was written before, or lost."""


class Ledger:
    """Raises StoreError, and DecodeError for a hash that is not ours to read."""

    def __init__(self, client: RedisClient, keys: AlertKeys) -> None:
        self._client = client
        self._keys = keys

    async def load(self) -> Standpoint:
        """All that is remembered."""
        with store_errors():
            stored = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.state))
        point, memory = Standpoint(), Memory()
        for name, value in ((name.decode(), value) for name, value in stored.items()):
            if name.startswith(_AT):
                point.reached[int(name.removeprefix(_AT))] = value.decode()
            elif name.startswith(_CODE):
                memory.codes[name.removeprefix(_CODE)] = _read(name, value, CodeState)
            elif name.startswith(_BASKETS):
                memory.baskets[name.removeprefix(_BASKETS)] = _read(name, value, Baskets)
            elif name == _ATTENTION:
                memory.attention = _read(name, value, Attention)
            elif name == _RULES:
                point.rules = _read(name, value, dict[str, str])
            elif name == _HIGHEST:
                point.token = int(value)
            elif name == _LATE:
                point.late, point.late_stored = _read(name, value, Late), value
        for code in memory.codes.values():  # who was not seen since is not known: nobody has been missed yet
            code.known.attended_ms = memory.attention.attended_ms
        point.memory = memory
        return point

    async def write(self, entry: Entry) -> Verdict:
        """All of `entry`, or nothing."""
        arguments: list[Any] = [entry.token, MOST_IN_OUTBOX, len(entry.expected)]
        arguments += [part for pair in entry.expected.items() for part in pair]
        arguments += [len(entry.fields), *(part for pair in entry.fields.items() for part in pair)]
        for told in entry.told:
            arguments += [told.type, told.topic, dump(told)]
        with store_errors():
            return Verdict(await _JUDGE.run(self._client, [self._keys.state, self._keys.outbox], arguments))

    async def book(self, code: str) -> Book | None:
        """The tape's book of a code."""
        with store_errors():
            stored = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.keys.book(code)))
        return Book.from_hash(stored)


def at_field(partition: int) -> str:
    """Where it is kept how far a partition has been judged."""
    return f"{_AT}{partition}"


def encoded(late: Late) -> bytes:
    """What waits to be told, as it is kept."""
    return msgpack.encode(late) if late.alerts else b""


def late_field(stored: bytes) -> dict[str, bytes]:
    """Where that is kept."""
    return {_LATE: stored}


def baskets_forgotten(rules: Sequence[str]) -> dict[str, bytes]:
    """Fields that delete what rules remembered beyond single codes."""
    return {f"{_BASKETS}{rule}": b"" for rule in rules}


def memory_fields(memory: Memory, codes: Sequence[str], rules: Mapping[str, str]) -> dict[str, bytes]:
    """What is remembered of `codes`, and beyond single codes."""
    fields = {f"{_CODE}{code}": msgpack.encode(memory.codes[code]) for code in codes}
    fields |= {f"{_BASKETS}{rule}": msgpack.encode(baskets) for rule, baskets in memory.baskets.items()}
    return {**fields, _ATTENTION: msgpack.encode(memory.attention), _RULES: msgpack.encode(rules)}


def _read(name: str, value: bytes, kind: type[_T]) -> _T:
    try:
        return msgpack.decode(value, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(f"what alerts remember is not readable at {name[:64]!r}: {error}") from error
