"""Looking at the demo from outside: Redis, the gateway's log, the database. Nothing here changes anything."""

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from contextlib import closing
from pathlib import Path

from brokertape.cli.budget_use import budget_used
from brokertape.cli.demo_screen import DemoState
from brokertape.cli.follow import follow
from brokertape.cli.lines import line_of
from brokertape.cli.settings import BudgetGroup
from brokertape.subscriber import BookView
from brokertape.subscriber.redis_source import RedisSource
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys
from brokertape.tape.market_time import wall_clock_ms
from brokertape.tape.start import FIRST_ID

LINES = 10


class DemoWatcher:
    """Knows how the demo stands."""

    def __init__(
        self, client: RedisClient, keys: Keys, codes: tuple[str, ...], account: str, answers: Path, database: Path
    ) -> None:
        self._client = client
        self._source = RedisSource(client, keys)
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
        async for entries in follow(self._source, after, stop):
            self._lines.extend(line_of(decode_entry(entry.fields)) for entry in entries)

    def take_lines(self) -> list[str]:
        """The lines kept, which are forgotten with it."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    async def look(self) -> DemoState:
        """How things stand now."""
        books = await self._source.books(self._codes)
        return DemoState(
            now=wall_clock_ms(),
            elapsed_s=time.monotonic() - self._began_s,
            budget_used=await budget_used(self._client, self._keys, self._account, self._budget),
            budget_limit=self._budget.limit,
            polls=self._count_polls(),
            stored=self._count("events"),
            past_days=self._count("history"),
            books={code: BookView.of(book, None, wall_clock_ms) for code, book in books.items()},
            lines=tuple(self._lines),
        )

    def _count_polls(self) -> int:
        """Lines of the gateway's log, of which only what is new is read."""
        with self._answers.open("rb") as log:
            log.seek(self._read_bytes)
            new = log.read()
        self._polls += new.count(b"\n")
        self._read_bytes += len(new)
        return self._polls

    def _count(self, table: str) -> int:
        with (
            contextlib.suppress(sqlite3.Error),  # there is no database yet, or no table in it
            closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection,
        ):
            return int(connection.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608 - names of ours
        return 0
