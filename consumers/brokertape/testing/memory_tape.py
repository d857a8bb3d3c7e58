"""A tape in memory: what a subscriber's own tests push events into, in place of a Redis."""

import asyncio
import threading
from collections.abc import Collection, Mapping, Sequence

from brokertape.subscriber.source import Entry, Span
from brokertape.tape.book import Book
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.events import (
    Event,
    StatusData,
    StatusEvent,
    StatusScope,
    TapeEvent,
    WatermarkData,
    WatermarkEntry,
    WatermarkEvent,
)
from brokertape.tape.keys import Keys, check_code
from brokertape.tape.market_time import rfc3339, wall_clock_ms
from brokertape.tape.want import Want
from brokertape.testing.memory_store import MemoryStore
from brokertape.testing.trading import Trading

SOURCE = "/testing"
PUBLISHER = "testing"


class MemoryTape:
    """Give it to `subscribe` instead of a URL.

    Time stands still unless `advance` moves it, so that ages are what a test says; it begins at `now_ms` (ms since
    1970), by default now. Everything pushed is kept for the life of the tape.
    """

    is_live = True

    def __init__(self, *, now_ms: int | None = None) -> None:
        self._now_ms = wall_clock_ms() if now_ms is None else now_ms
        self._started_ms = self._now_ms
        self._keys = Keys()
        self._store = MemoryStore(self._keys)
        self._trading: dict[str, Trading] = {}
        self._wants: dict[tuple[str, str], Want] = {}
        self._lost: str | None = None
        self._lock = threading.Lock()  # entry and book are one step for readers in other threads as well
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._sent = 0

    # --- what a test does ---------------------------------------------------------------------------------------

    def trade(
        self, code: str, broker_name: str, *, bought: int = 0, sold: int = 0, price: float = 100.0
    ) -> TapeEvent | None:
        """A broker trades (shares, at HKD a share) and a poll finds it: the baseline of `code`, or a change.

        The first trade of a new trading date makes it a rollover. None if it does not show in the list of ten a side.

        Raises:
            InvalidCode: `code` is none.
            ValueError: Nothing is traded, or less than nothing.
        """
        trading = self._trading.get(code)
        if trading is None:
            known = self._store.books.get(check_code(code))
            epoch = self._started_ms if known is None else max(self._started_ms, known.epoch + 1)
            trading = self._trading[code] = Trading(code, SOURCE, epoch)
        trading.trade(broker_name, bought=bought, sold=sold, price=price, now_ms=self._now_ms)
        event = trading.poll(self._now_ms)
        if event is not None:
            self.push(event)
        return event

    def push(self, event: Event) -> None:
        """`event` as a publisher writes it: on its stream, and in the book or the latest statuses.

        Raises:
            ApplyError: A change does not follow on from what is there.
        """
        with self._lock:
            self._store.push(event, self._now_ms)
        self._wake()

    def lose(self, event: TapeEvent) -> None:
        """`event` happened, but its entry is gone before anybody read it: subscribers will see a hole."""
        with self._lock:
            self._store.lose(event, self._now_ms)

    def watermark(self) -> None:
        """A publisher says that it has just looked at every code, and nothing had changed."""
        marks = {
            code: WatermarkEntry(observed_at=self._now_ms, data_time=book.data_time, epoch=book.epoch, seq=book.seq)
            for code, book in self._store.books.items()
        }
        data = WatermarkData(codes=marks)
        self.push(
            WatermarkEvent(source=SOURCE, id=self._feed_id(), subject=PUBLISHER, time=rfc3339(self._now_ms), data=data)
        )

    def status(self, scope: StatusScope, name: str, state: str, reason: str | None = None) -> None:
        """A publisher says how something stands."""
        data = StatusData(scope=scope, name=name, state=state, reason=reason)
        self.push(StatusEvent(source=SOURCE, id=self._feed_id(), subject=name, time=rfc3339(self._now_ms), data=data))

    def advance(self, seconds: float) -> None:
        """Let time pass, without anybody looking at anything."""
        self.advance_to(self._now_ms + round(seconds * 1000))

    def advance_to(self, now_ms: int) -> None:
        """Let it be `now_ms` (ms since 1970); time never goes back."""
        self._now_ms = max(self._now_ms, now_ms)
        self._wake()

    def disconnect(self, reason: str = "disconnected by the test") -> None:
        """Be away, as a Redis that restarts."""
        self._lost = reason
        self._wake()

    def reconnect(self) -> None:
        """Be back, with everything that was there."""
        self._lost = None

    @property
    def wants(self) -> Mapping[str, Want]:
        """What subscribers ask for now, per code."""
        return {code: want for (code, _), want in self._wants.items()}

    # --- what a subscription reads (`brokertape.subscriber.source.Source`) --------------------------------------

    def now_ms(self) -> int:
        """The time of the tape."""
        return self._now_ms

    async def keys(self) -> Keys:
        """Those of a tape of the usual size."""
        self._check()
        return self._keys

    def lanes(self, streams: Sequence[str]) -> Sequence[Sequence[str]]:
        """All in one."""
        return [streams]

    async def spans(self, streams: Collection[str]) -> Mapping[str, Span]:
        """The ids of each stream."""
        self._check()
        with self._lock:
            return {stream: self._store.span(stream) for stream in streams}

    async def books(self, codes: Collection[str]) -> Mapping[str, Book]:
        """The books of `codes`."""
        self._check()
        with self._lock:
            return {code: book for code, book in self._store.books.items() if code in codes}

    async def statuses(self) -> Sequence[StatusEvent]:
        """The latest statuses."""
        self._check()
        return list(self._store.statuses.values())

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        """What comes behind the ids; returns early when time moves on, for ages to be looked at."""
        self._check()
        waiter = asyncio.get_running_loop(), asyncio.Event()
        self._waiting.add(waiter)  # before looking: another thread may push in between
        try:
            if entries := self._entries_after(after):
                return entries
            async with asyncio.timeout(block_ms / 1000):
                await waiter[1].wait()
        except TimeoutError:
            return []
        finally:
            self._waiting.discard(waiter)
        self._check()
        return self._entries_after(after)

    async def want(self, codes: Collection[str], subscriber: str, want: Want) -> None:
        """Remember what is asked for."""
        self._check()
        self._wants.update({(code, subscriber): want for code in codes})

    async def unwant(self, codes: Collection[str], subscriber: str) -> None:
        """Forget it."""
        self._check()
        for code in codes:
            self._wants.pop((code, subscriber), None)

    async def aclose(self) -> None:
        """The tape stays: the next subscription may read it too."""

    def _check(self) -> None:
        if self._lost is not None:
            raise StoreUnavailable(self._lost)

    def _entries_after(self, after: Mapping[str, str]) -> list[Entry]:
        with self._lock:
            return self._store.entries_after(after)

    def _wake(self) -> None:
        """Whoever waits looks again, in whatever thread: the one that pushes may be a script's, beside the loop's."""
        for loop, news in list(self._waiting):
            loop.call_soon_threadsafe(news.set)

    def _feed_id(self) -> str:
        self._sent += 1
        return f"{PUBLISHER}/{self._started_ms}/{self._sent}"
