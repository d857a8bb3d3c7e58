"""Looking at the demo from outside: Redis, the gateway's log, the database. Nothing here changes anything."""

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import cast

from brokertape.cli.budget_use import budget_used
from brokertape.cli.demo_screen import DemoState
from brokertape.cli.follow import follow
from brokertape.cli.held_book import HeldBook
from brokertape.cli.lines import line_of
from brokertape.cli.settings import BudgetGroup
from brokertape.tape.book import Book
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.keys import Keys
from brokertape.tape.start import FIRST_ID

LINES = 10


class DemoWatcher:
    """Knows how the demo stands."""

    def __init__(
        self, client: RedisClient, keys: Keys, codes: tuple[str, ...], account: str, answers: Path, database: Path
    ) -> None:
        self._client = client
        self._keys = keys
        self._codes = codes
        self._account = account
        self._answers = answers
        self._database = database
        self._budget = BudgetGroup()
        self._began_s = time.monotonic()
        self._polls = 0
        self._read_bytes = 0
        self._lines: deque[str] = deque(maxlen=LINES)  # the oldest goes

    async def follow_tape(self, stop: asyncio.Event) -> None:
        """Keep a line for every event, until `stop` is set."""
        after = dict.fromkeys(self._keys.tapes(), FIRST_ID)
        async for entries in follow(self._client, after, stop):
            self._lines.extend(line_of(decode_entry(entry.fields)) for entry in entries)

    def take_lines(self) -> list[str]:
        """The lines kept, which are forgotten with it."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    async def look(self) -> DemoState:
        """How things stand now."""
        books = {code: await self._book(code) for code in self._codes}
        return DemoState(
            now=time.time_ns() // 1_000_000,
            elapsed_s=time.monotonic() - self._began_s,
            budget_used=await budget_used(self._client, self._keys, self._account, self._budget),
            budget_limit=self._budget.limit,
            polls=self._count_polls(),
            stored=self._count_stored(),
            books={code: book for code, book in books.items() if book is not None},
            lines=tuple(self._lines),
        )

    async def _book(self, code: str) -> HeldBook | None:
        with store_errors():
            fields = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.book(code)))
        book = Book.from_hash(fields)
        return None if book is None else HeldBook.of(book)

    def _count_polls(self) -> int:
        """Lines of the gateway's log, of which only what is new is read."""
        with self._answers.open("rb") as log:
            log.seek(self._read_bytes)
            new = log.read()
        self._polls += new.count(b"\n")
        self._read_bytes += len(new)
        return self._polls

    def _count_stored(self) -> int:
        with (
            contextlib.suppress(sqlite3.Error),  # there is no database yet, or no table in it
            closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection,
        ):
            return int(connection.execute("select count(*) from events").fetchone()[0])
        return 0
