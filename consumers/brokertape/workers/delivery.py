"""What a worker hands to its handler."""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol

from msgspec import Struct
from typing_extensions import TypeVar

from brokertape.tape.book import Book
from brokertape.tape.events import Envelope, TapeEvent

E = TypeVar("E", bound=Envelope, default=TapeEvent)


class Entry(Struct, frozen=True, gc=False):  # made for every entry: as a frozen dataclass in ten times the time
    """A stream entry as Redis delivered it. `attempts` counts its deliveries, this one included.

    `partition` is the tape's; the history stream is one partition, 0.
    """

    partition: int
    entry_id: str
    fields: Mapping[bytes, bytes]
    attempts: int


class Delivery(Struct, Generic[E], frozen=True, gc=False):
    """An event in a handler's hands.

    `fence`, in ordered mode, rises whenever the partition gets another owner: a sink that refuses lower ones than it
    has seen is safe from a worker that was frozen in the middle of a call.
    """

    entry: Entry
    event: E
    fence: int | None = None

    @property
    def partition(self) -> int:
        """The partition it came from."""
        return self.entry.partition

    @property
    def entry_id(self) -> str:
        """Its id on that partition's stream."""
        return self.entry.entry_id

    @property
    def attempts(self) -> int:
        """How often it was delivered, this time included."""
        return self.entry.attempts

    @property
    def payload(self) -> bytes:
        """The CloudEvent in JSON, exactly as it was published."""
        return self.entry.fields[b"payload"]


class Handler(Protocol[E]):
    """What makes the effect of events durable. When it returns, the batch is acknowledged.

    It must be idempotent: an event may come again, in another batch. A batch may hold several partitions, in no order
    between them. At most `concurrency` calls overlap. It raises SinkUnavailable or SinkBroken when no entry is to
    blame; after any other exception its entries are handed to it one by one.
    """

    async def __call__(self, batch: Sequence[Delivery[E]], /) -> None:
        """Make the effect of `batch` durable."""


class BooksHandler(Protocol):
    """What takes the books that a worker with the start `baseline` begins with, before any event after them.

    A partition's books may come again, after a crash or to a second worker that starts at the same moment.
    """

    async def __call__(self, books: Sequence[Book], /) -> None:
        """Make the effect of `books` durable."""
