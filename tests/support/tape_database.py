"""Looking into a storage worker's database as another process would: read-only."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from brokertape.tape.events import TapeEvent
from support.tape_factory import TapeFactory


def query(path: Path, sql: str) -> list[Any]:
    """All rows of a query, as dictionaries; none while there is no database or no table yet."""
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


def count(path: Path) -> int:
    """How many events are stored."""
    rows = query(path, "SELECT count(*) AS n FROM events")
    return int(rows[0]["n"]) if rows else 0


async def until_stored(path: Path, least: int, timeout_s: float = 30.0) -> None:
    """Return once so many events are stored. It looks seldom, for the sake of the process that stores them."""
    async with asyncio.timeout(timeout_s):
        while count(path) < least:
            await asyncio.sleep(0.02)


def assert_holds(path: Path, events: Iterable[TapeEvent], factories: Iterable[TapeFactory]) -> None:
    """Exactly one row per event, and every book at its publisher's last table."""
    assert sorted(row["id"] for row in query(path, "SELECT id FROM events")) == sorted(event.id for event in events)
    books = {row["code"]: json.loads(row["list_rows"]) for row in query(path, "SELECT * FROM books")}
    assert books == {factory.code: [row.model_dump() for row in factory.rows] for factory in factories}
