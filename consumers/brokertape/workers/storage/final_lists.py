"""The final lists of a day that a database holds: ours, and the gateway's own."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.rows import Row, in_order
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.records import book_state
from brokertape.workers.storage.schema import books, close_rows, closes, history, history_rows

Origin = Literal["close", "book"]


@dataclass(frozen=True, slots=True)
class FinalLists:
    """Of one code and day: our list, where it comes from, and the gateway's; None for one that is not stored.

    `close` is the list that a rollover ended; `book` is the latest one, of a day that has not rolled over yet.
    """

    code: str
    ours: tuple[Row, ...] | None
    origin: Origin | None
    theirs: tuple[Row, ...] | None


async def latest_date(database: Database, codes: Collection[str]) -> str | None:
    """The latest trading date of which some code has both lists; among `codes`, unless there are none."""
    both = []
    for table in (closes, books):
        same = (table.c.code == history.c.code) & (table.c.trading_date == history.c.trading_date)
        both.append(select(history.c.trading_date).join(table, same).where(*_of(history, codes)))
    dates = union_all(*both).subquery()
    async with database.connect() as connection:
        found: str | None = await connection.scalar(select(func.max(dates.c.trading_date)))
    return found


async def final_lists(database: Database, trading_date: str, codes: Collection[str]) -> list[FinalLists]:
    """What is stored of `trading_date`, by code; of `codes`, unless there are none. In memory: 40 rows a code."""
    async with database.connect() as connection:
        of_books = await _books(connection, trading_date, codes)
        of_closes = await _lists(connection, closes, close_rows, trading_date, codes)
        theirs = await _lists(connection, history, history_rows, trading_date, codes)
    return [
        FinalLists(
            code,
            of_closes.get(code, of_books.get(code)),
            "close" if code in of_closes else "book" if code in of_books else None,
            theirs.get(code),
        )
        for code in sorted({*of_books, *of_closes, *theirs, *codes})
    ]


async def _books(connection: AsyncConnection, date: str, codes: Collection[str]) -> dict[str, tuple[Row, ...]]:
    query = select(books).where(books.c.trading_date == date, *_of(books, codes))
    return {row["code"]: book_state(row).rows for row in (await connection.execute(query)).mappings()}


async def _lists(
    connection: AsyncConnection, days: Table, rows: Table, date: str, codes: Collection[str]
) -> dict[str, tuple[Row, ...]]:
    """The lists of a day, by code: one that is there without rows was empty."""
    known = await connection.scalars(select(days.c.code).where(days.c.trading_date == date, *_of(days, codes)))
    lists: dict[str, list[Row]] = {code: [] for code in known}
    found = await connection.execute(select(rows).where(rows.c.trading_date == date, *_of(rows, codes)))
    for row in found.mappings():
        lists[row["code"]].append(_row(row))
    return {code: in_order(listed) for code, listed in lists.items()}


def _row(stored: Any) -> Row:
    """A row of either table; the gateway gives no totals for past days."""
    return Row(**{name: stored.get(name) for name in Row.__struct_fields__})


def _of(table: Table, codes: Collection[str]) -> Iterable[ColumnElement[bool]]:
    return [table.c.code.in_(codes)] if codes else []
