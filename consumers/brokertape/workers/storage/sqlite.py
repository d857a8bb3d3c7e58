"""SQLite, in WAL mode: readers go on while one connection writes, from other processes too.

Let one process write a file: SQLite before 3.51.3 has a rare race between two connections that write or checkpoint.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from brokertape.tape.connection import redact
from brokertape.workers.errors import WorkerError
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseBroken,
    DatabaseUnavailable,
    NotOurDatabase,
    Unstorable,
    UnsupportedDatabase,
)
from brokertape.workers.storage.port import POOL_TIMEOUT_S, Database, Record

SCHEME = "sqlite:///"
DRIVER = "sqlite+aiosqlite"
OLDEST = (3, 32, 0)  # before it a statement takes 999 parameters
BUSY_TIMEOUT_S = 5.0
ROWS_A_STATEMENT = (500, 50, 5, 1)  # of 22 columns: a third of the parameters that SQLite allows by itself

_BUSY_TIMEOUT = f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}"
# synchronous=FULL: what is acknowledged must survive a power cut; it costs one fsync per batch.
PRAGMAS = (
    _BUSY_TIMEOUT,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-131072",  # KiB
    "PRAGMA wal_autocheckpoint=8000",  # pages
)
READER_PRAGMAS = (_BUSY_TIMEOUT,)


def database_path(url: str) -> Path:
    """The file that a database setting names: `sqlite:///PATH` or a path.

    Raises:
        UnsupportedDatabase: It is a URL of something else, or names no file.
    """
    path = url.removeprefix(SCHEME)
    if "://" in path or path in {"", ":memory:"}:
        raise UnsupportedDatabase(
            f"database {redact(url)!r}: use a file path, sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    return Path(path)


class SqliteDatabase(Database):
    """A file. Its first writing statement locks it whole, so what is read after that stays true to the commit."""

    driver_error = sqlite3.Error
    elsewhere = "choose another file"

    async def lock_schema(self, connection: AsyncConnection) -> None:
        """As Database has it. The driver itself begins only at a writing statement, and making a table is none."""
        await connection.exec_driver_sql("BEGIN IMMEDIATE")

    async def lock_books(self, connection: AsyncConnection, codes: Collection[str]) -> None:
        """As Database has it: the events were written before, so the file is locked."""

    async def insert_new(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> int:
        """As Database has it."""
        return await _execute_many(connection, _insert_new_sql, table, records)

    async def replace(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> None:
        """As Database has it."""
        await _execute_many(connection, _replace_sql, table, records)

    def translated(self, error: Any) -> WorkerError:
        """As Database has it, by SQLite's primary result code."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        ours = next((ours for ours, codes in _ERRORS.items() if code in codes), DatabaseBroken)
        return ours(f"{self.name}: {error}")


# The driver of Python 3.11 looks for an adapter of every None, and goes the long way round when there is none: half of
# what binding a row costs. This one finds nothing and so returns None. It is the whole process', and changes nothing.
_NOTHING: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NOTHING.get)


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteDatabase]:
    """The database in the file `path`, made there (mode 0600) if there is none, with one writing connection.

    Raises:
        UnsupportedDatabase: SQLite itself is too old.
        CannotOpen: It cannot be read and written where it is.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise UnsupportedDatabase(
            f"database {path}: this Python comes with SQLite {sqlite3.sqlite_version}, writing needs 3.32 or newer"
        )
    _open_file(path, os.O_RDWR | os.O_CREAT)
    async with _opened(path, URL.create(DRIVER, database=str(path)), PRAGMAS) as database:
        yield database


@asynccontextmanager
async def open_sqlite_readonly(path: Path) -> AsyncIterator[SqliteDatabase]:
    """The database in the file `path`, beside whoever writes it, without a way to write.

    Raises:
        CannotOpen: It is not there or cannot be read.
    """
    _open_file(path, os.O_RDONLY)
    url = URL.create(DRIVER, database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    async with _opened(path, url, READER_PRAGMAS) as database:
        yield database


@asynccontextmanager
async def _opened(path: Path, url: URL, pragmas: Iterable[str]) -> AsyncIterator[SqliteDatabase]:
    # One connection: whoever comes second waits for it here.
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=POOL_TIMEOUT_S)
    event.listen(engine.sync_engine, "connect", _setter(pragmas))
    try:
        yield SqliteDatabase(engine, f"database {path}")
    finally:
        await engine.dispose()


# By primary result code. What is in none of these is a fault of the statement: ours, or of altered tables.
_ERRORS: dict[type[WorkerError], tuple[int, ...]] = {
    DatabaseUnavailable: (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    ),
    CannotOpen: (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
    NotOurDatabase: (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT),
    Unstorable: (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE),
}


def _open_file(path: Path, flags: int) -> None:
    """SQLite itself would let everybody read a new one; its companions (`-wal`, `-shm`) take after this file."""
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError as error:
        raise CannotOpen(f"database {path}: {error.strerror}") from error


def _setter(pragmas: Iterable[str]) -> Callable[[Any, Any], None]:
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return set_pragmas


@cache
def _insert_new_sql(table: Table, rows: int) -> str:
    return _of_rows(sqlite.insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key)), rows)


@cache
def _replace_sql(table: Table, rows: int) -> str:
    statement = sqlite.insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return _of_rows(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others), rows)


def _of_rows(statement: sqlite.Insert, rows: int) -> str:
    """Spelled out here: SQLAlchemy takes half a second for a thousand rows."""
    one = f"({', '.join('?' * len(statement.table.columns))})"
    return str(statement.compile(dialect=sqlite.dialect())).replace(one, ", ".join([one] * rows), 1)


async def _execute_many(
    connection: AsyncConnection, sql: Callable[[Table, int], str], table: Table, records: Iterable[Record]
) -> int:
    """Execute `sql` for all `records`, many in a statement; how many rows it made or changed.

    The driver gives Python's lock up at every statement, and has to get it back after it: with a statement a row,
    whoever decodes meanwhile stops the storing (a hundred times slower), so that the two add up. SQLAlchemy is passed
    by: its parameter handling halves the rate of bulk rows, and each of its cursors is three ways to the driver's
    thread instead of one.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    listed, done, count = list(records), 0, 0
    for rows in ROWS_A_STATEMENT:
        times = (len(listed) - done) // rows
        if times:
            end = done + times * rows
            values = [tuple(chain.from_iterable(listed[at : at + rows])) for at in range(done, end, rows)]
            cursor = await driver.executemany(sql(table, rows), values)
            count += cursor.rowcount
            done = end
    return count
