"""The tape in a database: the handler of a storage worker, and its positions."""

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.codec import load
from brokertape.tape.events import RolloverEvent, TapeEvent
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.books import Shelf
from brokertape.workers.storage.counts import StorageCounts
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.records import (
    book_record,
    book_state,
    change_records,
    close_record,
    close_row_records,
    event_record,
)
from brokertape.workers.storage.schema import books, changes, close_rows, closes, events, positions
from brokertape.workers.storage.whole import whole

log = logging.getLogger("brokertape.workers.storage")


class Storage:
    """Stores every event once, its changes, the day it closes, and the books they lead to. One transaction per batch.

    Raises DatabaseUnavailable, Unstorable or a DatabaseBroken, nothing of the driver.
    """

    def __init__(self, database: Database, counts: StorageCounts | None = None) -> None:
        self._database = database
        self.counts = counts or StorageCounts()

    @whole
    async def handle(self, batch: Sequence[Delivery]) -> None:
        """Make the effect of `batch` durable: after it returned, it survives a power cut."""
        tape_events = [delivery.event for delivery in batch]
        # Made before the transaction begins: with two at once, the other one's is written meanwhile.
        event_records = [event_record(delivery) for delivery in batch]
        records = [record for event in tape_events for record in change_records(event)]
        async with self._database.begin() as connection:
            # The order of the tables is what keeps parallel workers from waiting for each other in a ring.
            stored = await self._database.insert_new(connection, events, event_records)
            await self._database.insert_new(connection, changes, records)
            await _keep_closes(self._database, connection, tape_events)
            shelf = await _move_books(self._database, connection, tape_events)
        self._count(len(batch), stored, shelf)

    def _count(self, handled: int, stored: int, shelf: Shelf) -> None:
        self.counts.events += stored
        self.counts.repeats += handled - stored
        self.counts.waited += shelf.waiting
        self.counts.broken += len(shelf.broken)
        for event_id in shelf.broken:
            log.warning("event %s does not lead to the rows its hash is of: the book stays as it was", event_id)


class StoredPositions:
    """The positions of one worker group, in the database its effects are in."""

    def __init__(self, database: Database, worker_group: str) -> None:
        self._database = database
        self._worker_group = worker_group

    @whole
    async def load(self) -> Mapping[int, str]:
        """What was saved last, by partition."""
        query = select(positions.c.partition, positions.c.entry_id).where(
            positions.c.worker_group == self._worker_group
        )
        async with self._database.connect() as connection:
            return {row.partition: row.entry_id for row in await connection.execute(query)}

    @whole
    async def save(self, reached: Mapping[int, str]) -> None:
        """Remember `reached`; other partitions keep theirs."""
        records = [(self._worker_group, partition, entry_id) for partition, entry_id in reached.items()]
        async with self._database.begin() as connection:
            await self._database.replace(connection, positions, records)


async def _keep_closes(database: Database, connection: AsyncConnection, batch: Sequence[TapeEvent]) -> None:
    """Keep the list that each rollover closes. Of two of one day (a later epoch repeats it) the first one stays."""
    rollovers: dict[tuple[str, str], RolloverEvent] = {}
    for event in batch:
        if isinstance(event, RolloverEvent):
            rollovers.setdefault((event.data.code, event.data.closing.trading_date), event)
    if not rollovers:
        return
    await database.insert_new(connection, closes, map(close_record, rollovers.values()))
    codes, dates = zip(*rollovers, strict=True)
    kept = await connection.scalars(
        select(closes.c.event_id).where(closes.c.code.in_(set(codes)), closes.c.trading_date.in_(set(dates)))
    )
    ids = set(kept)
    records = (row for event in rollovers.values() if event.id in ids for row in close_row_records(event))
    await database.insert_new(connection, close_rows, records)


async def _move_books(database: Database, connection: AsyncConnection, batch: Sequence[TapeEvent]) -> Shelf:
    """Bring the books of all codes in `batch` as far as the stored events reach."""
    codes = {event.data.code for event in batch}
    await database.lock_books(connection, codes)
    found = await connection.execute(select(books).where(books.c.code.in_(codes)))
    shelf = Shelf(batch, map(book_state, found.mappings()))
    while stored := await _stored_events(connection, shelf.wanted):
        shelf.carry_on(stored)
    await database.replace(connection, books, map(book_record, shelf.moved))
    return shelf


async def _stored_events(connection: AsyncConnection, ids: Collection[str]) -> dict[str, TapeEvent]:
    if not ids:
        return {}
    payloads = await connection.scalars(select(events.c.payload).where(events.c.id.in_(ids)))
    found = [load(payload.encode()) for payload in payloads]
    return {event.id: event for event in found if isinstance(event, TapeEvent)}
