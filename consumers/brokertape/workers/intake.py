"""What an entry is, before anybody handles it: a pure decision."""

from dataclasses import dataclass

from brokertape.tape.errors import DecodeError, UnknownEventType
from brokertape.workers.channel import Channel
from brokertape.workers.delivery import Delivery, E, Entry

# A worker may be killed while it has an entry in hand that is not to blame, again and again when kills are frequent: of
# 200 kills a second apart one buried an innocent one when unanswered deliveries counted like failures.
UNANSWERED_FACTOR = 2
LEAST_DELIVERIES = 3  # twice it may have lain beside what ends workers; from the third on it is delivered alone


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type of a later version: acknowledge and skip it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Hopeless:
    """No handler can do anything with it: dead-letter it at once."""

    entry: Entry
    error: str


def examine(
    entry: Entry, channel: Channel[E], max_attempts: int, fence: int | None = None
) -> Delivery[E] | Unknown | Hopeless:
    """What to do with `entry`, which may fail `max_attempts` times and go unanswered twice as often."""
    if entry.attempts > UNANSWERED_FACTOR * max(max_attempts, LEAST_DELIVERIES):
        # Whoever had it last was alone with it (see `retry.is_suspect`) and never answered: it is what ends workers.
        return Hopeless(entry, f"delivered {entry.attempts - 1} times and never answered")
    try:
        event = channel.decode(entry.fields)
    except UnknownEventType:
        return Unknown(entry)
    except DecodeError as error:
        return Hopeless(entry, f"cannot be read: {error}")
    if not isinstance(event, channel.event_types):
        return Hopeless(entry, f"{event.type} does not belong on the {channel.name} stream")
    return Delivery(entry, event, fence)
