"""`subscribe`: the live books of some codes, and what happens to them, one event after the other."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from brokertape.subscriber.beginning import Beginning, StartAt, beginning_of
from brokertape.subscriber.books import Books, Counts
from brokertape.subscriber.buffer import End, WhenSlow, buffer_for
from brokertape.subscriber.events import Event, State, Status, Update
from brokertape.subscriber.frames import frame
from brokertape.subscriber.interest import Interest
from brokertape.subscriber.lane import Lane
from brokertape.subscriber.link import Link
from brokertape.subscriber.position import Bookmark
from brokertape.subscriber.redis_source import RedisSource
from brokertape.subscriber.source import Source
from brokertape.subscriber.view import BookView
from brokertape.tape.backoff import backoff
from brokertape.tape.errors import EndOfTape, InvalidCode, StoreUnavailable
from brokertape.tape.keys import DEFAULT_PREFIX, Keys, check_code
from brokertape.tape.tasks import end_tasks
from brokertape.tape.want import Want

if TYPE_CHECKING:
    from pandas import DataFrame

log = logging.getLogger("brokertape.subscriber")

DEFAULT_BUFFER = 1000


def subscribe(
    source: str | Source,
    codes: str | Iterable[str],
    *,
    max_age: float | None = None,
    start: StartAt = "now",
    since: datetime | str | None = None,
    position: Mapping[str, Any] | None = None,
    when_slow: WhenSlow = "block",
    buffer: int = DEFAULT_BUFFER,
    weight: float = 1.0,
    max_staleness_s: float | None = None,
    asks: bool = True,
    name: str | None = None,
    prefix: str = DEFAULT_PREFIX,
) -> "Subscription":
    """A subscription to `codes`, to be entered with `async with` and iterated with `async for`.

    Args:
        source: URL of the Redis that holds the tape, or another source, such as a tape in memory.
        codes: As in `HK.00700`. One that cannot be had leads to a `status` event that says so.
        max_age: Seconds after which a book that nobody looked at counts as stale, and a change on arrival as late.
        start: `now`: the books as they stand, then what comes. `earliest`: all events that are still there.
        since: All events from a time (market time, unless it has a zone) or after an entry id.
        position: Go on where the subscription that gave this `position` was left. With None, as long as nothing was
            saved, `start` or `since` say where to begin.
        when_slow: When the handler is slow and `buffer` events wait: `block` reads no further until there is room;
            `conflate` merges what waits, so that of each code only the latest book comes.
        buffer: How many events may wait.
        weight: How urgently publishers should ask for these codes, against 1 for others.
        max_staleness_s: Ask publishers to look at each code at least so often, in seconds.
        asks: Whether publishers are asked to poll the codes while this subscription runs.
        name: Name of the subscriber, unique; made up by default.
        prefix: Key prefix of the tape.

    Raises:
        StoreRefused: The URL cannot be used.
        InvalidKeys: `prefix` or `name` cannot be used.
        InvalidPosition: `start`, `since` or `position` cannot be used.
        ValueError: Another argument is out of its range.
    """
    wanted = _listed(codes)
    _check(source, wanted, when_slow, buffer)
    _check_above_0(max_age=max_age, weight=weight, max_staleness_s=max_staleness_s)
    beginning = beginning_of(start, since, position)
    want = Want(weight=weight, max_staleness_s=max_staleness_s) if asks else None
    reads = RedisSource.at(source, prefix) if isinstance(source, str) else source
    return Subscription(reads, wanted, max_age, beginning, when_slow, buffer, want, name)


def _listed(codes: object) -> list[str]:
    """Each code once. What is no list of texts is a mistake of the caller's, often a missing variable."""
    if isinstance(codes, str):
        return [codes]
    given = list(codes) if isinstance(codes, Iterable) else [codes]
    texts = [code for code in given if isinstance(code, str)]
    if len(texts) < len(given):
        raise ValueError(f"codes = {codes!r}: give a list of texts, as in ['HK.00700', 'HK.00005']")
    return list(dict.fromkeys(texts))


def _check(source: object, codes: list[str], when_slow: str, buffer: int) -> None:
    if not isinstance(source, str) and not hasattr(source, "now_ms"):
        raise ValueError(f"source = {source!r}: give the URL of Redis, or a tape in memory")
    if not codes:
        raise ValueError("name at least one code, as in HK.00700")
    if when_slow not in ("block", "conflate"):
        raise ValueError(f"when_slow = {when_slow!r}: use 'block' or 'conflate'")
    if buffer < 1:
        raise ValueError(f"buffer = {buffer}: use at least 1")


def _check_above_0(**numbers: object) -> None:
    for name, number in numbers.items():
        if number is not None and not (isinstance(number, int | float) and 0 < number < math.inf):
            raise ValueError(f"{name} = {number!r}: use a number above 0")


class Subscription:
    """The live books of some codes. Made by `subscribe`.

    Iterating gives events across losses of Redis, for ever unless it is closed or plays a recording; the first of a
    code is its current state, unless it was asked to begin in the past. It raises StoreRefused or TapeMismatch when no
    waiting helps.
    """

    def __init__(
        self,
        source: Source,
        codes: Iterable[str],
        max_age: float | None,
        beginning: Beginning,
        when_slow: WhenSlow,
        buffer: int,
        want: Want | None,
        name: str | None,
    ) -> None:
        self._source = source
        self._max_age = max_age
        self._refused = {code: reason for code in codes if (reason := _refusal(code)) is not None}
        self.codes = tuple(code for code in codes if code not in self._refused)
        self._books = Books(self.codes, max_age, source.now_ms)
        self._beginning = beginning
        self._bookmark = Bookmark(beginning.position)
        self._buffer = buffer_for(when_slow, buffer)
        self._interest = Interest(source, self.codes, name, want) if want is not None else None
        self._link = Link(self._buffer)
        self._shown: dict[str, BookView | None] = {}
        self._keys = Keys()
        self._running: asyncio.Task[None] | None = None

    # --- what its owner sees ------------------------------------------------------------------------------------

    def book(self, code: str) -> BookView | None:
        """The list of `code` after the last event taken from this subscription; None until there is one.

        Its `observed_at` moves on with the publisher's polls even when nothing changes.

        Raises:
            InvalidCode: `code` is none of the subscription's.
        """
        if code not in self._books.followers:
            raise InvalidCode(f"{code!r} is not subscribed")
        shown, held = self._shown.get(code), self._books.followers[code].book
        return held if shown is not None and held is not None and held.version == shown.version else shown

    def frame(self, code: str) -> "DataFrame | None":
        """That list as the vendor's SDK gives it (see `frames.frame`); None until there is one. Raises InvalidCode."""
        book = self.book(code)
        return None if book is None else frame(book)

    @property
    def position(self) -> dict[str, Any] | None:
        """Where the owner of this subscription has come to: a small JSON value for `subscribe(position=…)`.

        None before there is any: it has not reached Redis yet.
        """
        return self._bookmark.value

    @property
    def counts(self) -> Counts:
        """What was read, told and skipped so far."""
        return self._books.counts

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self.take()
        self.show(event)
        return event

    async def take(self) -> Event:
        """The next event, for whoever hands it on and says so by `show`: books and position stay as they are."""
        if self._running is None:
            raise RuntimeError("enter the subscription first: async with subscribe(…) as tape")
        event = await self._buffer.get()
        if isinstance(event, End):
            raise StopAsyncIteration if event.error is None else event.error
        return replace(event, is_late=True) if isinstance(event, Update) and self._is_late(event) else event

    def show(self, event: Event) -> None:
        """`event` is handed over: the books and the position are those after it."""
        self._bookmark.give(event, self._keys)
        if isinstance(event, Update | State):
            self._shown[event.code] = event.book

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("a subscription is entered once: call subscribe again")
        self._running = asyncio.create_task(self._run(), name="brokertape subscription")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End: nothing is read any more, publishers are no longer asked, whoever iterates comes to the end."""
        if self._running is None:
            return
        self._buffer.end(End(None))
        try:
            await end_tasks([self._running])
            if self._interest is not None:
                await self._interest.leave()
        finally:
            await self._source.aclose()

    # --- what runs behind it ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Only an error ends this by itself, which comes out where events are taken, and the end of a recording."""
        try:
            await self._refuse()
            await self._follow()
        except* EndOfTape:
            self._buffer.end(End(None))
        except* Exception as group:
            self._buffer.end(End(_first_of(group)))

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self._interest is not None:
                tasks.create_task(self._interest.keep())
            self._keys = await self._find_tape()
            streams = [*sorted({self._keys.tape_of(code) for code in self.codes}), self._keys.feed]
            for lane in self._source.lanes(streams):
                tasks.create_task(self._lane(lane).keep_following(self._link))

    def _lane(self, streams: Sequence[str]) -> Lane:
        return Lane(
            streams,
            self._keys,
            self._books,
            self._source,
            self._beginning,
            self._bookmark,
            self._emit,
            self._buffer.wanted,
        )

    async def _find_tape(self) -> Keys:
        delays = backoff()
        while True:
            try:
                if (keys := await self._source.keys()) is not None:
                    await self._link.found(self)
                    return keys
                await self._link.lost(self, "there is no tape yet at this address and prefix: no publisher has made it")
            except StoreUnavailable as error:
                await self._link.lost(self, str(error))
            await asyncio.sleep(next(delays))

    async def _refuse(self) -> None:
        await self._emit(Status("status", "code", code, "refused", reason) for code, reason in self._refused.items())

    async def _emit(self, events: Iterable[Event]) -> None:
        for event in events:
            self._books.count(event)
            await self._buffer.put(event)

    def _is_late(self, update: Update) -> bool:
        """Judged when it is handed over: a handler that was away has made it late as well."""
        age_ms = self._source.now_ms() - update.event.data.observed_at
        return self._max_age is not None and age_ms > self._max_age * 1000


def _refusal(code: str) -> str | None:
    try:
        check_code(code)
    except InvalidCode as error:
        return str(error)
    return None


def _first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first error of those that tasks ended with: the others came of its cancelling them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
