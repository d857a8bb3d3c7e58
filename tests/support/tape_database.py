"""Looking into a storage worker's database as another process would: read-only."""

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from msgspec.structs import asdict
from psycopg.rows import dict_row

from brokertape.tape.events import TapeEvent
from brokertape.workers.storage.sqlite import database_path
from support.tape_factory import TapeFactory

READ_ONLY = "-c default_transaction_read_only=on"


def query(database: str | Path, sql: str) -> list[Any]:
    """All rows of a query, as dictionaries; none while there is no database or no table yet."""
    url = os.fspath(database)
    return _query_postgresql(url, sql) if url.startswith("postgres") else _query_sqlite(database_path(url), sql)


def count(database: str | Path) -> int:
    """How many events are stored."""
    rows = query(database, "SELECT count(*) AS n FROM events")
    return int(rows[0]["n"]) if rows else 0


async def until_stored(database: str | Path, least: int, timeout_s: float = 30.0) -> None:
    """Return once so many events are stored. It looks seldom, for the sake of the process that stores them."""
    async with asyncio.timeout(timeout_s):
        while count(database) < least:
            await asyncio.sleep(0.02)


def assert_holds(database: str | Path, events: Iterable[TapeEvent], factories: Iterable[TapeFactory]) -> None:
    """Exactly one row per event, and every book at its publisher's last table."""
    assert sorted(row["id"] for row in query(database, "SELECT id FROM events")) == sorted(event.id for event in events)
    books = {row["code"]: json.loads(row["list_rows"]) for row in query(database, "SELECT * FROM books")}
    assert books == {factory.code: [asdict(row) for row in factory.rows] for factory in factories}


def alter(database: str | Path, statement: str) -> None:
    """Change the database behind the worker's back."""
    url = os.fspath(database)
    if url.startswith("postgres"):
        with psycopg.connect(url) as server:
            server.execute(statement.encode())
        return
    with contextlib.closing(sqlite3.connect(database_path(url))) as file, file:
        file.execute(statement)


def _query_sqlite(path: Path, sql: str) -> list[Any]:
    if not path.exists():
        return []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    with contextlib.closing(connection):
        try:
            return [dict(row) for row in connection.execute(sql)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def _query_postgresql(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, options=READ_ONLY) as connection:
        try:
            return connection.cursor(row_factory=dict_row).execute(sql.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return []
