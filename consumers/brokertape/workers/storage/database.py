"""Opening the database, and its failures in our words.

SQLite in WAL mode: readers go on while one connection writes, from other processes too; open those read-only. Let one
process write a file: SQLite before 3.51.3 has a rare race between two connections that write or checkpoint.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, exc, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from brokertape.tape.backoff import backoff
from brokertape.tape.connection import redact
from brokertape.workers.errors import WorkerError
from brokertape.workers.storage.errors import (
    CannotOpen,
    DatabaseBroken,
    DatabaseUnavailable,
    NotOurDatabase,
    Unstorable,
    UnsupportedDatabase,
    WrongSchema,
)
from brokertape.workers.storage.schema import SCHEMA_VERSION, metadata, schema_version

SQLITE_SCHEME = "sqlite:///"
BUSY_TIMEOUT_S = 5.0
OPEN_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 60.0

# synchronous=FULL: what is acknowledged must survive a power cut; it costs one fsync per batch.
PRAGMAS = (
    f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-131072",  # KiB
    "PRAGMA wal_autocheckpoint=8000",  # pages
)


def database_path(database: str) -> Path:
    """The file that a database setting names: `sqlite:///PATH` or a path.

    Raises:
        UnsupportedDatabase: It is a URL of something else, or names no file.
    """
    path = database.removeprefix(SQLITE_SCHEME)
    if "://" in path or path in {"", ":memory:"}:
        raise UnsupportedDatabase(f"database {redact(database)!r}: use a file path or sqlite:///PATH")
    return Path(path)


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[AsyncEngine]:
    """The database in the file `path`, made there (mode 0600) if there is none, with one writing connection.

    Raises:
        CannotOpen, NotOurDatabase, WrongSchema: As they say.
        DatabaseUnavailable: It is there but does not answer now.
    """
    _make_private_file(path)
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        # One connection: whoever comes second waits for it here.
        pool_size=1,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    try:
        await _prepare(engine, path)
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def database_errors(engine: AsyncEngine) -> Iterator[None]:
    """Translates what the driver raises into our errors, cause kept."""
    name = f"database {engine.url.database}"
    try:
        yield
    except (OverflowError, UnicodeError) as error:
        raise Unstorable(f"{name} cannot hold a value: {error}") from error
    except exc.TimeoutError as error:
        raise DatabaseUnavailable(f"{name}: no connection within {POOL_TIMEOUT_S:.0f} s") from error
    except exc.DBAPIError as error:
        raise _translated(name, error.orig) from error
    except sqlite3.Error as error:
        raise _translated(name, error) from error


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


def _translated(name: str, error: BaseException | None) -> WorkerError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    ours = next((ours for ours, codes in _ERRORS.items() if code in codes), DatabaseBroken)
    return ours(f"{name}: {error}")


def _make_private_file(path: Path) -> None:
    """SQLite itself would let everybody read it; its companions (`-wal`, `-shm`) take after this file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise CannotOpen(f"database {path}: {error.strerror}") from error


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


async def _prepare(engine: AsyncEngine, path: Path) -> None:
    """Check the tables, made if need be. Two workers that start at once may find it locked, whatever the timeout."""
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    for delay_s in backoff():
        try:
            with database_errors(engine):
                async with engine.begin() as connection:
                    await _check_schema(connection, path)
            return
        except DatabaseUnavailable:
            if time.monotonic() + delay_s > deadline:
                raise
            await asyncio.sleep(delay_s)


async def _check_schema(connection: AsyncConnection, path: Path) -> None:
    """Make the tables in an empty database, or see that they are ours; in one transaction, against a second worker."""
    await connection.exec_driver_sql("BEGIN IMMEDIATE")
    tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    if not tables:
        await connection.run_sync(metadata.create_all)
        await connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
        return
    if schema_version.name not in tables:
        raise NotOurDatabase(f"database {path} holds other tables ({', '.join(tables[:3])}): choose another file")
    version = await connection.scalar(select(schema_version.c.version))
    if version != SCHEMA_VERSION:
        raise WrongSchema(f"database {path} has schema version {version}, this program writes {SCHEMA_VERSION}")
