"""What an entry is, before anybody handles it: a pure decision."""

from dataclasses import dataclass

from brokertape.tape.codec import decode_entry
from brokertape.tape.errors import DecodeError, UnknownEventType
from brokertape.tape.events import TapeEvent
from brokertape.workers.delivery import Delivery, Entry


@dataclass(frozen=True, slots=True)
class Trimmed:
    """It was cut off the stream while it was pending: lost."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type of a later version: acknowledge and skip it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Hopeless:
    """No handler can do anything with it: dead-letter it at once."""

    entry: Entry
    error: str


def examine(entry: Entry, max_attempts: int) -> Delivery | Trimmed | Unknown | Hopeless:
    """What to do with `entry`, which may be delivered `max_attempts` times."""
    if not entry.fields:
        return Trimmed(entry)
    if entry.attempts > max_attempts:
        # Whoever had it last was alone with it (see `next_run`) and never answered: it is what ends workers.
        return Hopeless(entry, f"delivered {entry.attempts - 1} times and never answered")
    try:
        event = decode_entry(entry.fields)
    except UnknownEventType:
        return Unknown(entry)
    except DecodeError as error:
        return Hopeless(entry, f"cannot be read: {error}")
    if not isinstance(event, TapeEvent):
        return Hopeless(entry, f"{event.type} does not belong on a tape")
    return Delivery(entry, event)
