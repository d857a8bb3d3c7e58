"""Storages for tests: batches as a worker hands them over, and one that is led step by step."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.codec import dump
from brokertape.tape.events import HistoryData, HistoryEvent, HistoryRow, TapeEvent
from brokertape.tape.market_time import rfc3339
from brokertape.tape.rows import Row
from brokertape.workers.delivery import Delivery, E, Entry
from brokertape.workers.errors import WorkerError
from brokertape.workers.storage.port import Database, Record
from brokertape.workers.storage.storage import Storage
from support.tape_factory import FIRST_EPOCH, SOURCE

_IS_BLOCKED = text("select count(*) from pg_stat_activity where pid = :pid and wait_event_type = 'Lock'")


def deliveries(events: Sequence[E]) -> list[Delivery[E]]:
    """`events` as a worker hands them over."""
    return [Delivery(Entry(0, f"{n}-0", {b"payload": dump(event)}, 1), event) for n, event in enumerate(events, 1)]


def past_day(
    code: str, trading_date: str, rows: Sequence[Row], *, source: str = SOURCE, days_before: int = 1
) -> HistoryEvent:
    """A past day of a code, its list made of `rows`."""
    return HistoryEvent(
        source=source,
        id=f"{code}/history/{trading_date}",
        subject=code,
        time=rfc3339(FIRST_EPOCH),
        data=HistoryData(
            code=code,
            trading_date=trading_date,
            days_before=days_before,
            data_time=FIRST_EPOCH // 1000,
            rows=tuple(map(HistoryRow.of, rows)),
        ),
    )


class Led(Database):
    """A PostgreSQL database that writes a step only when told to."""

    driver_error = psycopg.Error
    elsewhere = ""

    def __init__(self, database: Database, watcher: Database) -> None:
        super().__init__(database.engine, database.name)
        self._database = database
        self._watcher = watcher
        self._permits = asyncio.Semaphore(0)
        self._is_waiting = False
        self._pid: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, batch: Sequence[TapeEvent]) -> None:
        """Begin to store `batch`."""
        self._task = asyncio.create_task(Storage(self).handle(deliveries(batch)))

    async def advance(self, steps: int) -> None:
        """Go on by so many steps, or to where it has to wait for another transaction, or to the end."""
        for _ in range(steps):
            await self._settle()
            if not self._is_waiting:
                return
            self._is_waiting = False
            self._permits.release()
        await self._settle()

    async def finish(self) -> None:
        """Go on to the end."""
        for _ in range(100):
            self._permits.release()
        assert self._task is not None
        await self._task

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """As Database has it; the commit is a step."""
        async with self._database.begin() as connection:
            self._pid = await connection.scalar(text("select pg_backend_pid()"))
            yield connection
            await self._step()

    async def lock_schema(self, connection: AsyncConnection) -> None:
        """As Database has it."""
        await self._database.lock_schema(connection)

    async def lock_books(self, connection: AsyncConnection, codes: Collection[str]) -> None:
        """As Database has it; a step."""
        await self._step()
        await self._database.lock_books(connection, codes)

    async def insert_new(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> int:
        """As Database has it; a step."""
        await self._step()
        return await self._database.insert_new(connection, table, records)

    async def replace(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> None:
        """As Database has it; a step."""
        await self._step()
        await self._database.replace(connection, table, records)

    def translated(self, error: Any) -> WorkerError:
        """As Database has it."""
        return self._database.translated(error)

    async def _step(self) -> None:
        if self._permits.locked():
            self._is_waiting = True
        await self._permits.acquire()

    async def _settle(self) -> None:
        """Return once it waits for us or for another transaction, or has ended."""
        assert self._task is not None
        while not self._is_waiting and not self._task.done():
            if self._pid is not None:
                async with self._watcher.connect() as connection:
                    if await connection.scalar(_IS_BLOCKED, {"pid": self._pid}):
                        return
            await asyncio.sleep(0.001)
