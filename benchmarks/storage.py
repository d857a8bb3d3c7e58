"""How fast the storage worker stores, beside the bare driver: the same rows, tables, indexes, batches and flushes.

The floor has its rows ready and knows nothing of Redis. `handler` is the handler alone, on events that are decoded;
`stream to rows` is all of it, from an empty group to the last committed row: read, decoded, stored, acknowledged.
Redis keeps nothing on disk here; the databases flush every transaction as they would anywhere.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import aiosqlite
import psycopg
from sqlalchemy import Table

from brokertape.cli.redis_server import die_with_parent
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import connect
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.workers import TAPE, Delivery, Entry, WorkerSettings
from brokertape.workers.process import settle_memory
from brokertape.workers.service import Service
from brokertape.workers.storage import Storage, StoredPositions
from brokertape.workers.storage.books import Shelf
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.records import book_record, change_records, event_record
from brokertape.workers.storage.schema import books, changes, events

if __name__ != "__main__":  # what makes tape and servers is not needed by who is measured
    from subscriber import CODES, morning, tape_of
    from support.postgresql import PostgresqlServer, fresh_database, programs

BATCH = 500
TIMEOUT_S = 600.0

Rows = dict[Table, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Tape:
    """What is on the tape: as a worker delivers it, and batch by batch as rows."""

    deliveries: list[Delivery]
    batches: list[Rows]


async def tape_at(redis_url: str) -> Tape:
    """All of the tape, in the order a group is given it."""
    client, keys = connect(redis_url), Keys()
    deliveries: list[Delivery] = []
    for partition, tape in enumerate(keys.tapes()):
        entries: Any = await client.xrange(tape)
        for entry_id, fields in entries:
            event = decode_entry(fields)
            assert isinstance(event, TapeEvent)
            deliveries.append(Delivery(Entry(partition, entry_id.decode(), fields, 1), event))
    await client.aclose()
    deliveries.sort(key=lambda delivery: delivery.event.data.published_at)
    return Tape(deliveries, list(rows_of(deliveries)))


def rows_of(deliveries: Sequence[Delivery]) -> Iterator[Rows]:
    """The rows of every batch, books included."""
    held: dict[str, Any] = {}
    for batch in batched(deliveries):
        shelf = Shelf([delivery.event for delivery in batch], held.values())
        held |= {book.code: book for book in shelf.moved}
        yield {
            events: [event_record(delivery) for delivery in batch],
            changes: [record for delivery in batch for record in change_records(delivery.event)],
            books: [book_record(book) for book in shelf.moved],
        }


def batched(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """As a worker batches them."""
    return (deliveries[start : start + BATCH] for start in range(0, len(deliveries), BATCH))


async def bare(url: str, tape: Tape) -> float:
    """The driver alone; seconds."""
    async with open_database(url):
        pass  # the tables
    return await (bare_postgresql if url.startswith("postgresql") else bare_sqlite)(url, tape.batches)


async def bare_sqlite(path: str, batches: Sequence[Rows]) -> float:
    """aiosqlite, executemany."""
    async with aiosqlite.connect(path) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-131072", "wal_autocheckpoint=8000"):
            await connection.execute(f"pragma {pragma}")
        began = time.perf_counter()
        for batch in batches:
            for table, rows in batch.items():
                word = "replace" if table is books else "ignore"
                marks = ",".join("?" * len(table.columns))
                await connection.executemany(f"insert or {word} into {table.name} values ({marks})", rows)
            await connection.commit()
        return time.perf_counter() - began


async def bare_postgresql(url: str, batches: Sequence[Rows]) -> float:
    """psycopg: binary COPY into a temporary table, then insert-select."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for table in (events, changes, books):
            await connection.execute(
                f"create temp table staged_{table.name} (like {table.name}) on commit delete rows".encode()
            )
        await connection.commit()
        began = time.perf_counter()
        for batch in batches:
            for table, rows in batch.items():
                await stage(connection, table, rows)
                await connection.execute(merge_sql(table).encode())
            await connection.commit()
        return time.perf_counter() - began


async def stage(connection: psycopg.AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY `rows`."""
    types = {"TEXT": "text", "BIGINT": "int8", "INTEGER": "int4", "FLOAT": "float8"}
    statement = f"copy staged_{table.name} from stdin (format binary)".encode()
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([types[str(column.type)] for column in table.columns])
        for row in rows:
            await copy.write_row(row)


@cache
def merge_sql(table: Table) -> str:
    """From the temporary table into the real one."""
    key = ", ".join(column.name for column in table.primary_key)
    others = ", ".join(f"{one.name} = excluded.{one.name}" for one in table.columns if not one.primary_key)
    what = f"update set {others}" if table is books else "nothing"
    return f"insert into {table.name} select * from staged_{table.name} order by {key} on conflict ({key}) do {what}"


async def handler(url: str, tape: Tape) -> float:
    """Our handler on decoded events; seconds."""
    async with open_database(url) as database:
        storage, began = Storage(database), time.perf_counter()
        for batch in batched(tape.deliveries):
            await storage.handle(batch)
        took = time.perf_counter() - began
    assert storage.counts.events == len(tape.deliveries)
    return took


async def whole(url: str, redis_url: str, count: int, concurrency: int) -> float:
    """From the stream to the last committed row; seconds. Like the floor's, the clock starts when all is open."""
    stop = asyncio.Event()
    settings = WorkerSettings(group=f"g{time.time_ns()}", batch_size=BATCH, concurrency=concurrency)
    async with open_database(url) as database:
        storage = Storage(database)
        service = Service(storage.handle, settings, TAPE)
        storing = asyncio.create_task(service.serve(redis_url, stop, positions=StoredPositions(database, "bench")))
        await until(lambda: service.state.troubles or storing.done())
        await until(lambda: not service.state.troubles or storing.done())
        began = time.perf_counter()
        await until(lambda: storage.counts.events >= count or storing.done())
        took = time.perf_counter() - began
        stop.set()
        await storing
    return took


async def until(condition: Callable[[], object]) -> None:
    """Look every millisecond: oftener would take its share of what is measured."""
    while not condition():  # noqa: ASYNC110 - counts and state are all there is to see
        await asyncio.sleep(0.001)


async def measure(way: str, url: str, redis_url: str, count: int) -> float:
    """Seconds one way takes."""
    if way.startswith("whole"):
        return await whole(url, redis_url, count, int(way[-1]))
    tape = await tape_at(redis_url)
    return await {"bare": bare, "handler": handler}[way](url, tape)


WAYS = {
    "bare": "bare driver",
    "handler": "handler",
    "whole1": "stream to rows",
    "whole2": "the same, two batches in hand",
}
KINDS = ("sqlite", "postgresql")


def run(count: int, rounds: int) -> None:
    """The table, every way in a process of its own on an empty database, in turn."""
    found = list(islice(morning(CODES), count))
    rates: dict[tuple[str, str], list[float]] = {(kind, way): [] for kind in KINDS for way in WAYS}
    with ExitStack() as stack:
        redis_url = stack.enter_context(tape_of(found))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bt")))
        directory.chmod(0o755)
        (directory / "pg").mkdir()
        server = stack.enter_context(PostgresqlServer(directory / "pg", programs()))
        for number in range(rounds):
            for (kind, way), of_way in rates.items():
                with empty_database(kind, directory, f"{number}{way}", server.url) as url:
                    of_way.append(len(found) / alone(way, url, redis_url, len(found)))
    print(f"\nstorage: {len(found)} events of {len(CODES)} codes, {BATCH} a transaction; median of {rounds}")
    print(f"{'':>44} {'events/s':>9} {'/ bare':>7}")
    for (kind, way), of_way in rates.items():
        rate, floor = statistics.median(of_way), statistics.median(rates[kind, "bare"])
        print(f"{f'{kind}: {WAYS[way]}':>44} {rate:>9.0f} {rate / floor:>7.2f}")


@contextmanager
def empty_database(kind: str, directory: Path, name: str, server_url: str) -> Iterator[str]:
    """Where one way stores."""
    if kind == "postgresql":
        with fresh_database(server_url) as url:
            yield url
    else:
        yield str(directory / f"{name}.db")


def alone(way: str, url: str, redis_url: str, count: int) -> float:
    """What one way takes in a process of its own (s)."""
    command = [sys.executable, str(Path(__file__)), way, url, redis_url, str(count)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, timeout=TIMEOUT_S, preexec_fn=die_with_parent
    ).stdout
    return float(output)


if __name__ == "__main__":
    settle_memory()
    print(asyncio.run(measure(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
