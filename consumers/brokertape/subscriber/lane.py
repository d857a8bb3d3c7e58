"""One reader: joins its streams, follows them, and comes back after every loss exactly where it was."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from brokertape.subscriber.beginning import Beginning
from brokertape.subscriber.books import Books, Lost
from brokertape.subscriber.events import Event
from brokertape.subscriber.link import Link
from brokertape.subscriber.position import Bookmark
from brokertape.subscriber.source import Entry, Source, Span
from brokertape.tape.backoff import LONGEST_S, backoff
from brokertape.tape.book import Book
from brokertape.tape.errors import StoreUnavailable, TapeMismatch
from brokertape.tape.keys import Keys
from brokertape.tape.start import id_order

log = logging.getLogger("brokertape.subscriber")

BLOCK_MS = 1000  # how long a read waits at most; ages are checked as often

Emit = Callable[[Iterable[Event]], Awaitable[None]]


class Lane:
    """Reads `streams` in one blocked read and applies what comes to `books`: at most one read in hand.

    Redis lost: wait, look whether it still has what we have, and read on behind the last entry that was applied.
    """

    def __init__(
        self,
        streams: Sequence[str],
        keys: Keys,
        books: Books,
        source: Source,
        beginning: Beginning,
        bookmark: Bookmark,
        emit: Emit,
        wanted: Callable[[], Awaitable[None]],
    ) -> None:
        self._keys = keys
        self._feed = keys.feed if keys.feed in streams else None
        self._codes = {code: keys.tape_of(code) for code in books.followers if keys.tape_of(code) in streams}
        self._streams = streams
        self._books = books
        self._source = source
        self._beginning = beginning
        self._bookmark = bookmark
        self._emit = emit
        self._wanted = wanted
        self._after: dict[str, str] = {}

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
        self._bookmark.begin(began, self._codes)
        for code, stream in self._codes.items():
            follower, book = self._books.followers[code], stored.get(code)
            if self._beginning.is_joined(code):
                told = follower.join(book)
            else:
                told = follower.resume(book, after[stream], self._beginning.tip_of(code))
            await self._emit(told)
        self._after = after
        await self._tell_statuses()

    async def _follow(self) -> None:
        """Read and apply until Redis is lost. Raises StoreUnavailable."""
        while True:
            if not self._source.is_live:
                await self._wanted()
            entries = await self._source.read(self._after, self._block_ms())
            for entry in entries:
                await self._take(entry)
                self._after[entry.stream] = entry.entry_id
                await asyncio.sleep(0)  # the handler's turn: else it would have to wait until the next read is sent
            if not entries:
                await self._emit(event for code in self._codes for event in self._books.followers[code].reach_end())
            if suspects := {code: reason for code, reason in self._books.suspects.items() if code in self._codes}:
                await self._look_into(suspects)
            await self._check_ages()

    async def _recover(self) -> None:
        """After a loss: what we hold and the store does not have is given up, loudly."""
        keys = await self._source.keys()
        if keys is not None and keys != self._keys:
            raise TapeMismatch(f"tape {keys.prefix!r} was made anew with other partitions: subscribe again")
        await self._compare({})
        await self._tell_statuses()

    async def _look_into(self, suspects: Mapping[str, str]) -> None:
        """Codes of which a watermark says, for the reason given, that we are elsewhere than the store."""
        for code in suspects:
            del self._books.suspects[code]
        await self._compare(suspects)

    async def _compare(self, suspects: Mapping[str, str]) -> None:
        """See whether the store still has what we hold, and whether the tapes of `suspects` have what we miss.

        The books are read before the ends: a tape that is read to its end then has told us all that is in its books.
        """
        stored = await self._source.books(self._codes)
        spans = await self._source.spans(self._after)
        rolled_back = self._step_back(spans)
        for code, stream in self._codes.items():
            follower, book = self._books.followers[code], stored.get(code)
            if follower.stands_at(book):
                continue
            if stream in rolled_back or follower.is_ahead_of(book):
                await self._restate(code, book, "Redis lost the end of the tape")
            elif code in suspects and not spans[stream].has_more(self._after[stream]):
                await self._restate(code, book, suspects[code])

    def _step_back(self, spans: Mapping[str, Span]) -> Collection[str]:
        """The streams that end before we are: reading on behind their ends, we would skip what comes."""
        found = {name for name, after in self._after.items() if id_order(spans[name].last_id) < id_order(after)}
        for stream in found:
            log.warning("%s was rolled back from %s to %s", stream, self._after[stream], spans[stream].last_id)
            self._after[stream] = spans[stream].last_id
        return found

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
        now, is_feed = self._source.now_ms(), entry.stream == self._feed
        taken = self._books.take_feed(entry, now) if is_feed else self._books.take(entry)
        if isinstance(taken, Lost):
            await self._reread(taken)
        elif taken:
            await self._emit(taken)

    async def _reread(self, lost: Lost) -> None:
        """While older events are read, the book would skip those in between, which were asked for."""
        follower = self._books.followers[lost.code]
        if follower.is_catching_up:
            await self._emit(follower.lose(lost.reason))
            return
        stored = await self._source.books([lost.code])
        await self._restate(lost.code, stored.get(lost.code), lost.reason)

    async def _restate(self, code: str, stored: Book | None, reason: str) -> None:
        log.warning("%s: the book is read again: %s", code, reason)
        await self._emit(self._books.followers[code].reread(stored, reason))

    async def _tell_statuses(self) -> None:
        if self._feed is not None:
            await self._emit(self._books.tell_status(await self._source.statuses()))

    def _block_ms(self) -> int:
        stale_at = self._books.next_stale_at()
        return BLOCK_MS if stale_at is None else max(1, min(BLOCK_MS, stale_at - self._source.now_ms() + 1))
