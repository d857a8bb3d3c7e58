"""PostgreSQL, 12 or newer: any number of workers write, each with connections of its own.

Deadlocks cannot be: every transaction takes what others may wait for in one order. First the keys that it inserts,
table by table (`events`, `changes`, `closes`, `close_rows`; `history`, `history_rows`) and sorted within a table: an
insert waits for whoever has put in the same key and not ended yet. Then the locks of books, sorted. Whoever waits thus
waits for somebody who is farther on in that order, and a ring of waiters would have to go back somewhere.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, Table, Text, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateTable

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
from brokertape.workers.storage.schema import books, changes, events

POOL_SIZE = 16  # at most; a worker has as many as it has transactions at once

# What the URL does not say otherwise. A server that vanished without a word is given up after 20 s.
DEFAULTS: dict[str, Any] = {
    "application_name": "brokertape",
    "connect_timeout": 5,  # s
    "keepalives_idle": 5,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms
}

# A worker that was frozen in a transaction does not hold up the others for longer than this.
_WRITER_SESSION = (
    "set idle_in_transaction_session_timeout = '30s'",
    "set lock_timeout = '30s'",
    "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
)
_READER_SESSION = ("set default_transaction_read_only = on",)

# Sorted by the hash and not by the code: two codes of one hash would turn the order round.
_LOCK_BOOKS = text(
    "select pg_advisory_xact_lock(hash) from (select distinct hashtextextended(code, 0) as hash"
    " from unnest(cast(:codes as text[])) as code order by hash) as hashes"
)
_LOCK_SCHEMA = text("select pg_advisory_xact_lock(hashtextextended('brokertape', 0))")

# Their staging tables stay with a connection. To empty one at every commit costs 0.4 ms, used or not, so the others'
# are made when there is something for them.
_EVERY_BATCH = (events, changes, books)

_COPY_TYPES = {Text: "text", BigInteger: "int8", Integer: "int4", Float: "float8"}


class PostgresqlDatabase(Database):
    """The default schema of a database on a server."""

    driver_error = psycopg.Error
    elsewhere = "choose another database, or another schema by ?options=-csearch_path%3DNAME"

    async def lock_schema(self, connection: AsyncConnection) -> None:
        """As Database has it, if it is one that can hold our tables."""
        encoding, schema = (await connection.execute(text("select getdatabaseencoding(), current_schema()"))).one()
        if encoding != "UTF8":
            raise NotOurDatabase(f"{self.name} has the encoding {encoding}: make one with UTF8")
        if schema is None:
            raise CannotOpen(f"{self.name} has no schema to put tables in: see its search_path")
        await connection.execute(_LOCK_SCHEMA)

    async def lock_books(self, connection: AsyncConnection, codes: Collection[str]) -> None:
        """As Database has it.

        Why a book ends at the last event, whichever worker stored it: whoever inserts an event of a code takes the
        code's lock after that and keeps it until the commit is seen by all. So put the transactions of a code in the
        order T1, T2, … in which they got the lock. Under READ COMMITTED each later statement of Tn sees all that
        T1…Tn-1 have committed: their events and the book they left. If that book was as far as their events reach,
        then Tn, which carries it on over its own events and the stored ones, leaves it as far as all events of T1…Tn
        reach. And no event is outside this order.
        """
        await connection.execute(_LOCK_BOOKS, {"codes": list(codes)})

    async def insert_new(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> int:
        """As Database has it."""
        return await _merge(connection, table, _insert_new(table), records)

    async def replace(self, connection: AsyncConnection, table: Table, records: Iterable[Record]) -> None:
        """As Database has it."""
        await _merge(connection, table, _replace(table), records)

    def translated(self, error: Any) -> WorkerError:
        """As Database has it, by SQLSTATE; of a connection that could not be made there is none."""
        message = " ".join((error.diag.message_primary or str(error)).split())
        return _kind_of(error, message)(f"{self.name}: {message}")


@asynccontextmanager
async def open_postgresql(url: str) -> AsyncIterator[PostgresqlDatabase]:
    """The database at `url`, to write.

    Raises:
        UnsupportedDatabase: The URL cannot be meant.
    """
    session = [*_WRITER_SESSION, *map(_staging_sql, _EVERY_BATCH)]
    async with _opened(url, "READ COMMITTED", session) as database:
        yield database


@asynccontextmanager
async def open_postgresql_readonly(url: str) -> AsyncIterator[PostgresqlDatabase]:
    """The database at `url`, without a way to write; a transaction sees one moment of it.

    Raises:
        UnsupportedDatabase: The URL cannot be meant.
    """
    async with _opened(url, "REPEATABLE READ", _READER_SESSION) as database:
        yield database


@asynccontextmanager
async def _opened(url: str, isolation: Any, session: Iterable[str]) -> AsyncIterator[PostgresqlDatabase]:
    options = _connection_options(url)

    async def connect() -> psycopg.AsyncConnection:
        connection = await psycopg.AsyncConnection.connect(**options)
        try:
            for statement in session:
                await connection.execute(statement.encode())
            await connection.commit()
        except BaseException:
            await connection.close()
            raise
        return connection

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        isolation_level=isolation,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,  # after a restart of the server the pool is full of dead connections
    )
    try:
        yield PostgresqlDatabase(engine, _name(options))
    finally:
        await engine.dispose()


def _connection_options(url: str) -> dict[str, Any]:
    """What `url` says, as libpq reads it, over our defaults. Nothing is quoted: it may be a part of the password."""
    fault = UnsupportedDatabase(
        f"database {redact(url)!r}: use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters of user and "
        "password written as %XX"
    )
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise fault from error
    is_torn = ("@" in url and "user" not in given) or any(
        "@" in str(given.get(name))[1:] for name in ("host", "dbname")
    )
    ports = str(given.get("port", "")).split(",")
    if is_torn or not all(port == "" or (port.isascii() and port.isdigit()) for port in ports):
        raise fault
    return {**DEFAULTS, **given, "client_encoding": "utf8"}


def _name(options: dict[str, Any]) -> str:
    port = f":{options['port']}" if "port" in options else ""
    return f"database {options.get('dbname', '(default)')} at {options.get('host', 'the default host')}{port}"


# By SQLSTATE or its class. What is in none of these is a fault of the statement: ours, or of altered tables.
_ERRORS: dict[type[WorkerError], tuple[str, ...]] = {
    DatabaseUnavailable: (
        "08",  # connection
        "25006",  # a server that became a standby
        "40",  # deadlock, serialization: the transaction was taken back
        "53",  # disk full, too many connections
        "55P03",  # a lock was not to be had
        "57",  # shut down, starting up, cancelled
        "58",  # I/O error
    ),
    CannotOpen: ("28", "3D000", "3F000", "42501"),  # login, no such database or schema, no rights
    NotOurDatabase: ("XX001", "XX002"),  # damaged
    Unstorable: ("22", "23", "54000"),
}
# How a server refuses a connection, in English: libpq passes on no SQLSTATE there. In another language such a refusal
# counts as one that may pass, and is said when the time for opening is over.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",  # database, role
    "permission denied for database",
    "is not permitted to log in",
    "SSL was required",
    "invalid sslmode",
    "certificate",
)


def _kind_of(error: psycopg.Error, message: str) -> type[WorkerError]:
    state = error.sqlstate
    if state is None:
        return _kind_of_stateless(error, message)
    return next((ours for ours, states in _ERRORS.items() if state.startswith(states)), DatabaseBroken)


def _kind_of_stateless(error: psycopg.Error, message: str) -> type[WorkerError]:
    if isinstance(error, psycopg.DataError):  # a NUL among the parameters of a query
        return Unstorable
    if not isinstance(error, psycopg.OperationalError):
        return DatabaseBroken
    return CannotOpen if any(refusal in message for refusal in _REFUSALS) else DatabaseUnavailable


_twins = MetaData()


@cache
def _staged(table: Table) -> Table:
    """The temporary twin of `table` in which a batch arrives. It has no key: a batch may repeat itself."""
    columns = (Column(column.name, column.type) for column in table.columns)
    on_commit = "DELETE ROWS" if table in _EVERY_BATCH else "DROP"
    return Table(f"staged_{table.name}", _twins, *columns, prefixes=["TEMPORARY"], postgresql_on_commit=on_commit)


def _staging_sql(table: Table) -> str:
    return str(CreateTable(_staged(table)).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


@cache
def _insert_new(table: Table) -> postgresql.Insert:
    return _insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))


@cache
def _replace(table: Table) -> postgresql.Insert:
    statement = _insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)


def _insert(table: Table) -> postgresql.Insert:
    staged = _staged(table)
    in_order = select(staged).order_by(*(staged.c[column.name] for column in table.primary_key))
    return postgresql.insert(table).from_select(table.columns.keys(), in_order)


async def _merge(
    connection: AsyncConnection, table: Table, statement: postgresql.Insert, records: Iterable[Record]
) -> int:
    """Stage `records` and run `statement`; how many rows it made or changed."""
    listed = list(records)
    if not listed:
        return 0
    if table not in _EVERY_BATCH:
        await connection.exec_driver_sql(_staging_sql(table))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with driver.cursor() as cursor, cursor.copy(_copy_sql(table)) as copy:
        copy.set_types([_COPY_TYPES[type(column.type)] for column in table.columns])
        for record in listed:
            await copy.write_row(record)
    result = await connection.execute(statement, execution_options={"preserve_rowcount": True})
    return result.rowcount


def _copy_sql(table: Table) -> str:
    return f"copy {_staged(table).name} from stdin (format binary)"
