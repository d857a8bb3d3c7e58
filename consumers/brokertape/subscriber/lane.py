"""One reader: joins its streams, follows them, and comes back after every loss exactly where it was."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from brokertape.subscriber.beginning import Beginning
from brokertape.subscriber.books import Books, Lost
from brokertape.subscriber.events import Event
from brokertape.subscriber.source import Entry, Source
from brokertape.tape.backoff import LONGEST_S, backoff
from brokertape.tape.book import Book
from brokertape.tape.errors import StoreUnavailable, TapeMismatch
from brokertape.tape.keys import Keys
from brokertape.tape.start import id_order

log = logging.getLogger("brokertape.subscriber")

BLOCK_MS = 1000  # how long a read waits at most; ages are checked as often

Emit = Callable[[Iterable[Event]], Awaitable[None]]


class Link(Protocol):
    """Hears that a reader lost Redis, and that it has it back."""

    async def lost(self, reader: object, reason: str) -> None:
        """`reader` cannot read."""

    async def found(self, reader: object) -> None:
        """`reader` reads."""


class Lane:
    """Reads `streams` in one blocked read and applies what comes to `books`: at most one read in hand.

    Redis lost: wait, look whether it still has what we have, and read on behind the last entry that was applied.
    """

    def __init__(
        self, streams: Sequence[str], keys: Keys, books: Books, source: Source, emit: Emit, beginning: Beginning
    ) -> None:
        self._keys = keys
        self._feed = keys.feed if keys.feed in streams else None
        self._codes = {code: keys.tape_of(code) for code in books.followers if keys.tape_of(code) in streams}
        self._streams = streams
        self._books = books
        self._source = source
        self._emit = emit
        self._beginning = beginning
        self._after: dict[str, str] = {}
        self.began: Mapping[str, str] = {}
        """Tape → the entry id after which reading began; empty until the lane has joined."""

    async def keep_following(self, link: Link) -> None:
        """Follow for ever, and let `link` know how it goes.

        Raises:
            StoreRefused: Redis answers but will not let us.
            TapeMismatch: The tape was made anew with other partitions.
        """
        loop = asyncio.get_running_loop()
        delays = backoff()
        while True:
            began = loop.time()
            try:
                await (self._recover() if self._after else self._join())
                await link.found(self)
                await self._follow()
            except StoreUnavailable as error:
                if loop.time() - began > LONGEST_S:  # it had worked: this is a new trouble, not the old one
                    delays = backoff()
                await link.lost(self, str(error))
                await self._rest(next(delays))

    async def _join(self) -> None:
        """Read the ends of the streams first, then the books: what is written between is read twice, never missed."""
        spans = await self._source.spans(self._streams)
        stored = await self._source.books(self._codes)
        last_ids = {stream: spans[stream].last_id for stream in self._streams}
        began = self._beginning.after_ids({tape: last_ids[tape] for tape in self._codes.values()})
        after = {**last_ids, **began}
        for code, stream in self._codes.items():
            follower = self._books.followers[code]
            if self._beginning.is_joined(code):
                await self._emit(follower.join(stored.get(code)))
            else:
                await self._emit(follower.resume(stored.get(code), after[stream], self._beginning.tip_of(code)))
        self.began, self._after = began, after
        await self._tell_statuses()

    async def _follow(self) -> None:
        """Read and apply until Redis is lost. Raises StoreUnavailable."""
        while True:
            for entry in await self._source.read(self._after, self._block_ms()):
                await self._take(entry)
                self._after[entry.stream] = entry.entry_id
            await self._look_into_suspects()
            await self._check_ages()

    async def _recover(self) -> None:
        """After a loss: what we hold and the store does not have is given up, loudly."""
        keys = await self._source.keys()
        if keys is not None and keys != self._keys:
            raise TapeMismatch(f"tape {keys.prefix!r} was made anew with other partitions: subscribe again")
        spans = await self._source.spans(self._after)
        stored = await self._source.books(self._codes)
        behind = {name for name, after in self._after.items() if id_order(spans[name].last_id) < id_order(after)}
        for stream in behind:
            log.warning("%s was rolled back from %s to %s", stream, self._after[stream], spans[stream].last_id)
            self._after[stream] = spans[stream].last_id
        for code, stream in self._codes.items():
            follower, book = self._books.followers[code], stored.get(code)
            if follower.is_ahead_of(book) or (stream in behind and not follower.stands_at(book)):
                await self._restate(code, book, "Redis lost the end of the tape")
        await self._tell_statuses()

    async def _rest(self, delay_s: float) -> None:
        """Let `delay_s` pass, and codes become stale meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + delay_s
        while (left_s := until - loop.time()) > 0:
            await asyncio.sleep(min(left_s, self._block_ms() / 1000))
            await self._check_ages()

    async def _check_ages(self) -> None:
        """Tell which codes became stale, or fresh again."""
        await self._emit(self._books.check_ages(self._source.now_ms()))

    async def _take(self, entry: Entry) -> None:
        now = self._source.now_ms()
        taken = self._books.take_feed(entry, now) if entry.stream == self._feed else self._books.take(entry, now)
        if isinstance(taken, Lost):
            await self._reread(taken.code, taken.reason)
        elif taken:
            await self._emit(taken)

    async def _look_into_suspects(self) -> None:
        """Behind a watermark: only if our tape has nothing more for us have we missed something; else we are slow."""
        for code in self._codes.keys() & self._books.suspects.keys():
            reason, stream = self._books.suspects.pop(code), self._codes[code]
            last_entry_id = (await self._source.spans([stream]))[stream].last_entry_id
            if last_entry_id is None or id_order(last_entry_id) <= id_order(self._after[stream]):
                await self._reread(code, reason)

    async def _reread(self, code: str, reason: str) -> None:
        stored = await self._source.books([code])
        await self._restate(code, stored.get(code), reason)

    async def _restate(self, code: str, stored: Book | None, reason: str) -> None:
        log.warning("%s: the book is read again: %s", code, reason)
        self._books.counts.resyncs += 1
        await self._emit(self._books.followers[code].reread(stored, reason))

    async def _tell_statuses(self) -> None:
        if self._feed is not None:
            await self._emit(self._books.tell_status(await self._source.statuses()))

    def _block_ms(self) -> int:
        stale_at = self._books.next_stale_at()
        return BLOCK_MS if stale_at is None else max(1, min(BLOCK_MS, stale_at - self._source.now_ms() + 1))
