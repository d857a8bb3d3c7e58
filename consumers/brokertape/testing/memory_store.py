"""Streams, books and statuses as Redis would hold them. Pure."""

from bisect import bisect_right
from collections.abc import Mapping

from msgspec.structs import replace

from brokertape.subscriber.source import Entry, Span
from brokertape.tape.book import Book, Snapshot
from brokertape.tape.changes import apply
from brokertape.tape.codec import encode_entry
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import (
    ChangeEvent,
    Event,
    HistoryEvent,
    StatusEvent,
    TapeEvent,
    WatermarkEntry,
    WatermarkEvent,
)
from brokertape.tape.keys import Keys
from brokertape.tape.rows import Row
from brokertape.tape.start import FIRST_ID, id_order


class MemoryStore:
    """What was pushed, all of it, for as long as the store lives."""

    def __init__(self, keys: Keys) -> None:
        self.books: dict[str, Book] = {}
        self.statuses: dict[tuple[str, str], StatusEvent] = {}
        self._keys = keys
        self._streams: dict[str, list[Entry]] = {}
        self._last_ids: dict[str, str] = {}

    def push(self, event: Event, now_ms: int) -> None:
        """`event` on its stream, and in the book or the latest statuses. Raises ApplyError."""
        match event:
            case StatusEvent():
                self.statuses[event.data.scope, event.data.name] = event
                self._append(self._keys.feed, event, now_ms)
            case WatermarkEvent():
                self._see(event.data.codes)
                self._append(self._keys.feed, event, now_ms)
            case HistoryEvent():
                self._append(self._keys.history, event, now_ms)
            case _:
                self.lose(event, now_ms)
                stream = self._keys.tape_of(event.data.code)
                self._put(stream, self._last_ids[stream], event)

    def lose(self, event: TapeEvent, now_ms: int) -> None:
        """`event` in the book alone: its entry has an id, and is gone."""
        rows = self._rows_after(event)
        entry_id = self._next_id(self._keys.tape_of(event.data.code), now_ms)
        self.books[event.data.code] = _book(event, entry_id, rows)

    def span(self, stream: str) -> Span:
        """The ids of `stream`."""
        entries = self._streams.get(stream)
        return Span(self._last_ids.get(stream, FIRST_ID), entries[-1].entry_id if entries else None)

    def entries_after(self, after: Mapping[str, str]) -> list[Entry]:
        """What came on each stream behind the id, in the order it came."""
        found: list[Entry] = []
        for stream, entry_id in after.items():
            entries = self._streams.get(stream, [])
            found += entries[bisect_right(entries, id_order(entry_id), key=_order_of) :]
        return sorted(found, key=_order_of)

    def _append(self, stream: str, event: Event, now_ms: int) -> None:
        self._put(stream, self._next_id(stream, now_ms), event)

    def _put(self, stream: str, entry_id: str, event: Event) -> None:
        fields = {name.encode(): value for name, value in encode_entry(event).items()}
        self._streams.setdefault(stream, []).append(Entry(stream, entry_id, fields))

    def _next_id(self, stream: str, now_ms: int) -> str:
        """As Redis makes them: the time, or the last id and one more if time has not moved on."""
        last_ms, last_seq = id_order(self._last_ids.get(stream, FIRST_ID))
        entry_id = f"{now_ms}-0" if now_ms > last_ms else f"{last_ms}-{last_seq + 1}"
        self._last_ids[stream] = entry_id
        return entry_id

    def _rows_after(self, event: TapeEvent) -> tuple[Row, ...]:
        if not isinstance(event, ChangeEvent):
            return event.data.rows
        book = self.books.get(event.data.code)
        if book is None or (book.epoch, book.seq) != (event.data.epoch, event.data.prev_seq):
            raise ApplyError(f"{event.id} does not follow on from what was pushed before it")
        return apply(book.rows, event.data.changes)

    def _see(self, marks: Mapping[str, WatermarkEntry]) -> None:
        for code, mark in marks.items():
            book = self.books.get(code)
            if book is not None and (book.epoch, book.seq) == (mark.epoch, mark.seq):
                self.books[code] = replace(book, observed_at=mark.observed_at)


def _order_of(entry: Entry) -> tuple[int, int]:
    return id_order(entry.entry_id)


def _book(event: TapeEvent, entry_id: str, rows: tuple[Row, ...]) -> Book:
    data = event.data
    return Book(
        epoch=data.epoch,
        seq=data.seq,
        entry_id=entry_id,
        commit=event.id,
        server="memory",
        asked_at=data.observed_at,
        observed_at=data.observed_at,
        data_time=data.data_time,
        hash=data.hash,
        repeated=(),
        snapshot=Snapshot(code=data.code, trading_date=data.trading_date, rows=rows),
    )
