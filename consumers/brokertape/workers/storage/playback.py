"""A stretch of the stored tape, all codes together, in the order in which it happened.

Every code begins with its last complete state before the stretch, so that its list is known when the stretch begins.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from brokertape.tape.codec import load
from brokertape.tape.errors import DecodeError
from brokertape.tape.events import ChangeEvent, TapeEvent, tape_event_id
from brokertape.workers.storage.moments import Line, Moment, PlaybackCounts, StoredEvent
from brokertape.workers.storage.port import Database
from brokertape.workers.storage.schema import books, events

LOOK_BACK_DAYS = 14  # a polled code has a complete state every trading day; the longest holidays are shorter
READ_AHEAD = 4096  # events in memory, of all codes together
LEAST_AT_ONCE, MOST_AT_ONCE = 4, 500  # events of one code that a query asks for

_DAY_MS = 86_400_000
_CHANGE = ChangeEvent.type

Spans = Mapping[int, range]
"""Epoch → the seqs of it that are wanted."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is wanted: events observed from `begin` to before `end` (ms since 1970), of these codes; None for all."""

    begin: int
    end: int
    codes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the events of a stretch are, and of the states before it.

    `first_at` and `last_at` (ms since 1970) are when the first and the last one of the stretch itself were observed.
    """

    spans: Mapping[str, Spans]
    first_at: int
    last_at: int


async def plan_of(database: Database, stretch: Stretch) -> Plan | None:
    """Where everything of `stretch` is; None if nothing of it is stored."""
    async with database.connect() as connection:
        places = await _places(connection, stretch.begin, stretch.end, stretch.codes)
        if not places:
            return None
        parts = {place.code: _Part() for place in places}
        await _look_back(connection, stretch, parts)
    for place in places:
        parts[place.code].widen(place.epoch, place.first, place.last)
    return Plan(
        {code: part.spans for code, part in sorted(parts.items()) if part.spans},
        min(place.first_at for place in places),
        max(place.last_at for place in places),
    )


async def moments(
    database: Database, plan: Plan, counts: PlaybackCounts, *, read_ahead: int = READ_AHEAD
) -> AsyncIterator[Moment]:
    """What happened, in order: per code by (`epoch`, `seq`), all together by the time.

    Args:
        database: What a storage worker fills.
        plan: What of it is wanted.
        counts: To count into.
        read_ahead: How many events may be in memory, of all codes together; a few per code at least.
    """
    chunk = max(LEAST_AT_ONCE, min(MOST_AT_ONCE, read_ahead // max(1, len(plan.spans))))
    lines = [_moments_of(database, code, spans, chunk, counts) for code, spans in plan.spans.items()]
    heads = [(head.at, number, head) for number, line in enumerate(lines) if (head := await anext(line, None))]
    heapify(heads)
    while heads:
        _, number, moment = heads[0]
        yield moment
        head = await anext(lines[number], None)
        if head is None:
            heappop(heads)
        else:
            heapreplace(heads, (head.at, number, head))


@dataclass(frozen=True, slots=True)
class _Place:
    """The events of a code and epoch within a time: first and last `seq`, and that of the last complete state."""

    code: str
    epoch: int
    first: int
    last: int
    complete: int | None
    first_at: int
    last_at: int


@dataclass(slots=True)
class _Part:
    """The spans of one code, as they become known."""

    spans: dict[int, range] = field(default_factory=dict)
    has_base: bool = False

    def widen(self, epoch: int, first: int, last: int) -> None:
        """Everything from `first` to `last` as well, and what lies between that and what was wanted before."""
        known = self.spans.get(epoch, range(first, last + 1))
        self.spans[epoch] = range(min(first, known.start), max(last + 1, known.stop))

    def reach_back(self, places: Collection[_Place]) -> None:
        """Take on what lies before, the latest first, until a complete state is among it."""
        for place in sorted(places, key=lambda place: -place.epoch):
            if self.has_base:
                return
            self.has_base = place.complete is not None
            self.widen(place.epoch, place.complete or place.first, place.last)


async def _look_back(connection: AsyncConnection, stretch: Stretch, parts: dict[str, _Part]) -> None:
    """Find the last complete state of every code before the stretch; one that has none begins within it."""
    for code in await connection.scalars(select(books.c.code)):
        if stretch.codes is None or code in stretch.codes:
            parts.setdefault(code, _Part())
    for days in range(LOOK_BACK_DAYS):
        wanting = {code for code, part in parts.items() if not part.has_base}
        if not wanting:
            return
        end = stretch.begin - days * _DAY_MS
        found: dict[str, list[_Place]] = {}
        for place in await _places(connection, end - _DAY_MS, end, stretch.codes):
            found.setdefault(place.code, []).append(place)
        for code in wanting & found.keys():
            parts[code].reach_back(found[code])
    for part in parts.values():
        if not part.has_base:
            part.spans.clear()


async def _places(connection: AsyncConnection, begin: int, end: int, codes: frozenset[str] | None) -> list[_Place]:
    return [_Place(*row) for row in await connection.execute(_places_query(begin, end, codes))]


def _places_query(begin: int, end: int, codes: frozenset[str] | None) -> Select[Any]:
    columns = events.c
    query = (
        select(
            columns.code,
            columns.epoch,
            func.min(columns.seq),
            func.max(columns.seq),
            func.max(case((columns.type != _CHANGE, columns.seq))),
            func.min(columns.observed_at),
            func.max(columns.observed_at),
        )
        .where(columns.observed_at >= begin, columns.observed_at < end)
        .group_by(columns.code, columns.epoch)
    )
    return query if codes is None else query.where(columns.code.in_(codes))


async def _moments_of(
    database: Database, code: str, spans: Spans, chunk: int, counts: PlaybackCounts
) -> AsyncIterator[Moment]:
    line = Line(code, counts)
    for epoch in sorted(spans):
        for begin in range(spans[epoch].start, spans[epoch].stop, chunk):
            seqs = range(begin, min(begin + chunk, spans[epoch].stop))
            for event_id, payload in await _payloads(database, [tape_event_id(code, epoch, seq) for seq in seqs]):
                for stored in _readable(event_id, payload.encode()):
                    for moment in line.take(stored):
                        yield moment


async def _payloads(database: Database, ids: Collection[str]) -> list[tuple[str, str]]:
    """Id and JSON of what is stored of `ids`, in order. No transaction lasts from one chunk to the next.

    They are read into events one by one: as those they take ten times the memory.
    """
    query = select(events.c.id, events.c.payload).where(events.c.id.in_(ids)).order_by(events.c.seq)
    async with database.connect() as connection:
        return [(row.id, row.payload) for row in await connection.execute(query)]


def _readable(event_id: str, payload: bytes) -> Iterator[StoredEvent]:
    """What cannot be read is as if it were missing: the next event shows the hole."""
    try:
        event = load(payload)
    except DecodeError:
        return
    if isinstance(event, TapeEvent) and event.id == event_id:
        yield StoredEvent(event, payload)
