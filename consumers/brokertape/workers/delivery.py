"""What a worker hands to its handler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from brokertape.tape.events import TapeEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream entry as Redis delivered it; without fields when it was trimmed in the meantime.

    `attempts` counts its deliveries, this one included.
    """

    partition: int
    entry_id: str
    fields: Mapping[bytes, bytes]
    attempts: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event in a handler's hands. `payload` is its JSON exactly as it was published."""

    entry: Entry
    event: TapeEvent

    @property
    def partition(self) -> int:
        """The partition it came from."""
        return self.entry.partition

    @property
    def entry_id(self) -> str:
        """Its id on that partition's tape."""
        return self.entry.entry_id

    @property
    def attempts(self) -> int:
        """How often it was delivered, this time included."""
        return self.entry.attempts

    @property
    def payload(self) -> bytes:
        """The CloudEvent in JSON."""
        return self.entry.fields[b"payload"]


class Handler(Protocol):
    """What makes the effect of events durable. When it returns, the batch is acknowledged.

    It must be idempotent: an event may come again, in another batch. A batch holds several partitions in no
    order between them. Calls may overlap on a Cluster, never for one partition. It raises SinkUnavailable or SinkBroken
    when no entry is to blame; after any other exception its entries are handed to it one by one.
    """

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        """Make the effect of `batch` durable."""
