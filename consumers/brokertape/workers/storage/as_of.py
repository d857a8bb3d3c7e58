"""The list of a code as it was known at a moment of the past, from the stored events."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.codec import load
from brokertape.tape.errors import DecodeError
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.tape.market_time import rfc3339
from brokertape.workers.storage.books import BookState, Refusal, step
from brokertape.workers.storage.errors import EventBroken, EventMissing, NeverSeen
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.schema import events

CHUNK = 500  # events looked up at once: bounds the memory, and the parameters of a query

_CHANGE = ChangeEvent.type


async def book_as_of(database: Database, code: str, at: int, *, chunk: int = CHUNK) -> BookState:
    """The list of `code` as known at `at` (ms since 1970): after the last event observed by then.

    An event that was not stored yet does not count: ask for a moment that the storage worker has passed.

    Args:
        database: What a storage worker fills.
        code: As `HK.00700`.
        at: The moment.
        chunk: How many events are looked up at once.

    Raises:
        NeverSeen: No event of the code is stored that was observed by then.
        EventMissing: One is missing that the list depends on.
        EventBroken: One does not lead to the rows that its hash is of.
    """
    async with database.connect() as connection:
        epoch, last = await _last_place(database, connection, code, at)
        ids = _Ids(code, epoch)
        base = await _complete_state(connection, ids, last, chunk)
        book: BookState | None = None
        async for event in _events(connection, ids, base, last, chunk):
            book = _after(book, event)
    assert book is not None
    return book


class _Ids:
    """Event ids by `seq`: the primary key, so that going through an epoch needs no index of its own."""

    def __init__(self, code: str, epoch: int) -> None:
        self._start = f"{code}/{epoch}/"

    def __getitem__(self, seq: int) -> str:
        return f"{self._start}{seq}"

    def among(self, seqs: Sequence[int]) -> list[str]:
        """Those of `seqs`."""
        return [self[seq] for seq in seqs]


async def _last_place(database: Database, connection: AsyncConnection, code: str, at: int) -> tuple[int, int]:
    """Epoch and seq of the last event, along the index on `observed_at`: how far back it lies is how long it takes."""
    columns = events.c
    query = (
        select(columns.epoch, columns.seq)
        .where(columns.code == code, columns.observed_at <= at)
        .order_by(columns.observed_at.desc(), columns.epoch.desc(), columns.seq.desc())
        .limit(1)
    )
    found = (await connection.execute(query)).first()
    if found is None:
        raise NeverSeen(f"{database.name} has no event of {code} that was observed by {rfc3339(at)}")
    return found.epoch, found.seq


async def _complete_state(connection: AsyncConnection, ids: _Ids, last: int, chunk: int) -> int:
    """The seq of the last complete state at or before `last`; every event from there on is stored."""
    for end in range(last, 0, -chunk):
        seqs = range(end, max(0, end - chunk), -1)
        query = select(events.c.seq, events.c.type).where(events.c.id.in_(ids.among(seqs)))
        types = {row.seq: row.type for row in await connection.execute(query)}
        for seq in seqs:
            if seq not in types:
                raise EventMissing(ids[seq])
            if types[seq] != _CHANGE:
                return seq
    raise EventBroken(ids[1])  # an epoch begins with a complete state


async def _events(
    connection: AsyncConnection, ids: _Ids, first: int, last: int, chunk: int
) -> AsyncIterator[TapeEvent]:
    """The events from `first` to `last`, in order."""
    for begin in range(first, last + 1, chunk):
        seqs = range(begin, min(begin + chunk, last + 1))
        query = select(events.c.seq, events.c.payload).where(events.c.id.in_(ids.among(seqs)))
        payloads = {row.seq: row.payload for row in await connection.execute(query)}
        for seq in seqs:
            if seq not in payloads:
                raise EventMissing(ids[seq])
            yield _event(payloads[seq], ids[seq])


def _event(payload: str, event_id: str) -> TapeEvent:
    try:
        event = load(payload.encode())
    except DecodeError as error:
        raise EventBroken(event_id) from error
    if not isinstance(event, TapeEvent):
        raise EventBroken(event_id)
    return event


def _after(book: BookState | None, event: TapeEvent) -> BookState:
    after = step(book, event)
    if isinstance(after, Refusal):
        raise EventBroken(event.id)
    return after
