"""What a worker can read: the tapes of all partitions, or the history stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, get_args

from brokertape.tape.codec import decode_entry
from brokertape.tape.events import HistoryEvent, TapeEvent
from brokertape.tape.keys import Keys
from brokertape.workers.delivery import E


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, and the one beside it, in the same Cluster slot, for what a group gives up of it."""

    name: str
    dead: str


@dataclass(frozen=True, slots=True)
class Channel(Generic[E]):
    """Streams that are read together, and which events belong on them."""

    name: str
    event_types: tuple[type[E], ...]
    streams: Callable[[Keys, str], list[Stream]]
    """Of a tape's keys and a group: its streams, by partition."""
    decode: Callable[[Mapping[bytes, bytes]], Any] = decode_entry
    """What an entry holds. Raises DecodeError, and UnknownEventType for one of a later version."""


def _tapes(keys: Keys, group: str) -> list[Stream]:
    return [Stream(keys.tape(partition), keys.dead(partition, group)) for partition in range(keys.partitions)]


def _history(keys: Keys, group: str) -> list[Stream]:
    return [Stream(keys.history, keys.dead_history(group))]


TAPE: Channel[TapeEvent] = Channel("tape", get_args(TapeEvent), _tapes)
HISTORY: Channel[HistoryEvent] = Channel("history", (HistoryEvent,), _history)
