"""The tape in a database: the handler of a storage worker, and its positions."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Table, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from brokertape.tape.codec import load
from brokertape.tape.events import TapeEvent
from brokertape.workers.delivery import Delivery
from brokertape.workers.storage.books import Shelf
from brokertape.workers.storage.counts import StorageCounts
from brokertape.workers.storage.database import database_errors
from brokertape.workers.storage.records import Value, book_record, book_state, change_records, event_record
from brokertape.workers.storage.schema import books, changes, events, positions

log = logging.getLogger("brokertape.workers.storage")


class Storage:
    """Stores every event once, its changes, and the books they lead to. One transaction per batch.

    Raises DatabaseUnavailable, Unstorable or a DatabaseBroken, nothing of the driver.
    """

    def __init__(self, engine: AsyncEngine, counts: StorageCounts | None = None) -> None:
        self._engine = engine
        self.counts = counts or StorageCounts()

    async def handle(self, batch: Sequence[Delivery]) -> None:
        """Make the effect of `batch` durable: after it returned, it survives a power cut."""
        with database_errors(self._engine):
            async with self._engine.begin() as connection:
                # The first statement writes, which takes SQLite's write lock: what is read after it stays true.
                stored = await _insert_new(connection, events, map(event_record, batch))
                records = (record for delivery in batch for record in change_records(delivery.event))
                await _insert_new(connection, changes, records)
                shelf = await _move_books(connection, [delivery.event for delivery in batch])
        self.counts.events += stored
        self.counts.repeats += len(batch) - stored
        self.counts.waited += shelf.waiting
        self.counts.broken += len(shelf.broken)
        for event_id in shelf.broken:
            log.warning("event %s does not lead to the rows its hash is of: the book stays as it was", event_id)


class StoredPositions:
    """The positions of one worker group, in the database its effects are in."""

    def __init__(self, engine: AsyncEngine, worker_group: str) -> None:
        self._engine = engine
        self._worker_group = worker_group

    async def load(self) -> Mapping[int, str]:
        """What was saved last, by partition."""
        query = select(positions.c.partition, positions.c.entry_id).where(
            positions.c.worker_group == self._worker_group
        )
        with database_errors(self._engine):
            async with self._engine.connect() as connection:
                return {row.partition: row.entry_id for row in await connection.execute(query)}

    async def save(self, reached: Mapping[int, str]) -> None:
        """Remember `reached`; other partitions keep theirs."""
        with database_errors(self._engine):
            async with self._engine.begin() as connection:
                records = [(self._worker_group, partition, entry_id) for partition, entry_id in reached.items()]
                await _replace(connection, positions, records)


async def _move_books(connection: AsyncConnection, batch: Sequence[TapeEvent]) -> Shelf:
    """Bring the books of all codes in `batch` as far as the stored events reach."""
    found = await connection.execute(select(books).where(books.c.code.in_({event.data.code for event in batch})))
    shelf = Shelf(batch, map(book_state, found.mappings()))
    while stored := await _stored_events(connection, shelf.wanted):
        shelf.carry_on(stored)
    await _replace(connection, books, list(map(book_record, shelf.moved)))
    return shelf


async def _stored_events(connection: AsyncConnection, ids: Collection[str]) -> dict[str, TapeEvent]:
    if not ids:
        return {}
    payloads = await connection.scalars(select(events.c.payload).where(events.c.id.in_(ids)))
    found = [load(payload.encode()) for payload in payloads]
    return {event.id: event for event in found if isinstance(event, TapeEvent)}


async def _insert_new(connection: AsyncConnection, table: Table, records: Iterable[tuple[Value, ...]]) -> int:
    """Insert the `records` whose key is not there yet; how many those were."""
    statement = insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))
    return await _execute_many(connection, str(statement.compile(dialect=connection.dialect)), list(records))


async def _replace(connection: AsyncConnection, table: Table, records: Sequence[tuple[Value, ...]]) -> None:
    statement = insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)
    await _execute_many(connection, str(statement.compile(dialect=connection.dialect)), records)


async def _execute_many(connection: AsyncConnection, sql: str, records: Sequence[tuple[Value, ...]]) -> int:
    # Past SQLAlchemy's own parameter handling, which halves the rate of bulk rows.
    if not records:
        return 0
    result = await connection.exec_driver_sql(sql, list(records))
    return result.rowcount
