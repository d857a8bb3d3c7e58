"""Opening a database by its URL, to write or to read, with tables that are ours."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.backoff import backoff
from brokertape.workers.storage.errors import DatabaseUnavailable, NotOurDatabase, WrongSchema
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.schema import SCHEMA_VERSION, metadata, schema_version
from brokertape.workers.storage.sqlite import database_path, open_sqlite, open_sqlite_readonly

POSTGRESQL_SCHEMES = ("postgresql://", "postgres://")
OPEN_TIMEOUT_S = 5.0


@asynccontextmanager
async def open_database(url: str | Path) -> AsyncIterator[Database]:
    """The database at `url`, to write; its tables are made if there are none.

    Args:
        url: A file, `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` with what libpq takes behind
            it, as `?sslmode=verify-full`.

    Raises:
        UnsupportedDatabase, CannotOpen, NotOurDatabase, WrongSchema: As they say.
        DatabaseUnavailable: It may be there but does not answer now.
    """
    async with _writer(os.fspath(url)) as database:
        await _prepare(database)
        yield database


@asynccontextmanager
async def open_readonly(url: str | Path) -> AsyncIterator[Database]:
    """The database at `url`, made by a storage worker, to read beside it. Raises as `open_database` does."""
    async with _reader(os.fspath(url)) as database:
        async with database.connect() as connection:
            await _check_version(database, connection, await _tables(connection))
        yield database


def _writer(url: str) -> AbstractAsyncContextManager[Database]:
    if not url.startswith(POSTGRESQL_SCHEMES):
        return open_sqlite(database_path(url))
    from brokertape.workers.storage.postgresql import open_postgresql  # its driver is loaded only for who needs it

    return open_postgresql(url)


def _reader(url: str) -> AbstractAsyncContextManager[Database]:
    if not url.startswith(POSTGRESQL_SCHEMES):
        return open_sqlite_readonly(database_path(url))
    from brokertape.workers.storage.postgresql import open_postgresql_readonly

    return open_postgresql_readonly(url)


async def _prepare(database: Database) -> None:
    """Check the tables, made if need be. Two workers that start at once may find it locked, whatever the timeout."""
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    for delay_s in backoff():
        try:
            async with database.begin() as connection:
                await _check_schema(database, connection)
            return
        except DatabaseUnavailable:
            if time.monotonic() + delay_s > deadline:
                raise
            await asyncio.sleep(delay_s)


async def _check_schema(database: Database, connection: AsyncConnection) -> None:
    """Make the tables in an empty database, or see that they are ours; in one transaction, against a second worker."""
    await database.lock_schema(connection)
    tables = await _tables(connection)
    if not tables:
        await connection.run_sync(metadata.create_all)
        await connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
        return
    await _check_version(database, connection, tables)


async def _check_version(database: Database, connection: AsyncConnection, tables: list[str]) -> None:
    if not tables:
        raise NotOurDatabase(f"{database.name} is empty: `brokertape store` fills it")
    if schema_version.name not in tables:
        raise NotOurDatabase(f"{database.name} holds other tables ({', '.join(tables[:3])}): {database.elsewhere}")
    version = await connection.scalar(select(schema_version.c.version))
    if version != SCHEMA_VERSION:
        raise WrongSchema(f"{database.name} has schema version {version}, this program needs {SCHEMA_VERSION}")
    if missing := metadata.tables.keys() - set(tables):
        raise WrongSchema(f"{database.name} lacks the table {min(missing)}: it was made by another version")


async def _tables(connection: AsyncConnection) -> list[str]:
    def names(sync: Connection) -> list[str]:
        return inspect(sync).get_table_names()

    return await connection.run_sync(names)
