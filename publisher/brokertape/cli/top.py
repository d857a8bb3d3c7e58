"""`brokertape top CODE`: one book, live."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from brokertape.cli.book_table import book_table
from brokertape.cli.follow import Entry, follow, last_ids
from brokertape.cli.held_book import HeldBook, Verdict, advance
from brokertape.cli.lines import line_of
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings
from brokertape.tape.book import Book
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import DecodeError, StoreUnavailable
from brokertape.tape.events import (
    BaselineEvent,
    ChangeEvent,
    CorrectionEvent,
    Event,
    RolloverEvent,
    TapeEvent,
    WatermarkEntry,
    WatermarkEvent,
)
from brokertape.tape.keys import Keys, check_code

logger = logging.getLogger("brokertape.cli.top")

LAST_LINES = 8


async def top(settings: Settings, stop: asyncio.Event, *, code: str, once: bool = False) -> None:
    """Show the book of `code` until `stop` is set; once, if asked to or if nobody watches."""
    check_code(code)
    console = Console()
    async with open_redis(settings.redis) as client:
        keys = await find_keys(client, settings.redis)
        after = await last_ids(client, [keys.tape_of(code), keys.feed])
        follower = BookFollower(client, keys, code)
        await follower.reread()
        if once or not console.is_terminal:
            console.print(follower.view(_now_ms()))
            return
        with Live(follower.view(_now_ms()), console=console, auto_refresh=False, screen=True) as live:
            async for entries in follow(client, after, stop):
                await follower.take(entries, _now_ms())
                live.update(follower.view(_now_ms()), refresh=True)


class BookFollower:
    """Keeps the book of a code by its tape, and rereads it when the tape does not follow on from it."""

    def __init__(self, client: RedisClient, keys: Keys, code: str) -> None:
        self._client = client
        self._keys = keys
        self._code = code
        self._is_current = False
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self.held: HeldBook | None = None

    async def reread(self) -> None:
        """Take what is stored now. Raises StoreError, DecodeError."""
        with store_errors():
            fields = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.book(self._code)))
        book = Book.from_hash(fields)
        self.held = None if book is None else HeldBook.of(book)
        self._is_current = True

    async def take(self, entries: Iterable[Entry], now: int) -> None:
        """Move on by what came on the tape and the feed. A book that cannot be reread now is tried again next time."""
        for entry in entries:
            try:
                event = decode_entry(entry.fields)
            except DecodeError as error:
                logger.debug("entry %s: %s", entry.entry_id, error)
            else:
                self._follow(event, entry.entry_id, now)
        if not self._is_current:
            with contextlib.suppress(StoreUnavailable):
                await self.reread()

    def view(self, now: int) -> RenderableType:
        """What is shown at `now` (ms)."""
        return Group(book_table(self._code, self.held, now), Text("\n".join(self._lines)))

    def _follow(self, event: Event, entry_id: str, now: int) -> None:
        match event:
            case WatermarkEvent(data=data):
                self._see(data.codes.get(self._code), now)
            case BaselineEvent() | ChangeEvent() | RolloverEvent() | CorrectionEvent() if self._is_current:
                self._advance(event, entry_id)

    def _see(self, mark: WatermarkEntry | None, now: int) -> None:
        if mark is not None and self.held is not None:
            held = self.held.saw(mark, now)
            if held is None:
                self._lose("a watermark is ahead of it")
            else:
                self.held = held

    def _advance(self, event: TapeEvent, entry_id: str) -> None:
        if event.data.code != self._code:
            return
        self.held, verdict = advance(self.held, event, entry_id)
        if verdict is Verdict.APPLIED:
            self._lines.append(line_of(event))
        elif verdict is Verdict.REREAD:
            self._lose(f"{event.id} does not follow on from it")

    def _lose(self, why: str) -> None:
        self._is_current = False
        self._lines.append(f"the book is read again: {why}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
