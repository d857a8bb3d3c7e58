"""The latest state of a code, built from its events: a pure rule that bears repeats and any order of arrival.

Workers of a group, redeliveries and crashes bring events in any order and more than once. Every event is stored
first; the book then moves only along the order that (`epoch`, `seq`) gives:

- an event at or below the book's (`epoch`, `seq`) is old and leaves it as it is;
- a complete state (baseline, rollover, correction) above it replaces it, whatever is missing in between;
- a change applies if its `prev_seq` is the book's `seq` in the same epoch; else it waits, stored, for the missing one,
  after which the book is carried on over the stored events, one `next_id` after the other.

So the book depends on which events are stored and not on how they came. One that does not apply, or whose result
does not have its hash, moves nothing: the book stays at the last good state until a complete one comes. Of changes that
come in a row the last one's hash is enough: rows that have it are the right ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count

from brokertape.tape.changes import Table, apply
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import ChangeEvent, TapeEvent, tape_event_id
from brokertape.tape.rows import Row, hash_rows


@dataclass(frozen=True, slots=True)
class BookState:
    """The rows of a code after the event `event_id`."""

    code: str
    epoch: int
    seq: int
    event_id: str
    trading_date: str
    data_time: int | None
    observed_at: int
    hash: str
    rows: tuple[Row, ...]

    @property
    def next_id(self) -> str:
        """The id of the event that would follow in this epoch."""
        return tape_event_id(self.code, self.epoch, self.seq + 1)


class Refusal(Enum):
    """Why an event leaves the book as it is."""

    OLD = auto()
    WAITS = auto()
    BROKEN = auto()


def step(book: BookState | None, event: TapeEvent) -> BookState | Refusal:
    """The book after `event`, or why there is none."""
    data = event.data
    if book is not None and (data.epoch, data.seq) <= (book.epoch, book.seq):
        return Refusal.OLD
    if not isinstance(event, ChangeEvent):
        return _state(event, event.data.rows)
    if book is None or data.epoch != book.epoch or data.prev_seq != book.seq:
        return Refusal.WAITS
    try:
        return _state(event, apply(book.rows, event.data.changes))
    except ApplyError:
        return Refusal.BROKEN


def leap(book: BookState, run: Sequence[ChangeEvent]) -> BookState | None:
    """The book after all of `run`, changes of its epoch without a gap; None if that is not where the last one leads.

    Sorting and hashing the rows after every change takes four times as long.
    """
    table, reached = Table(book.rows), book.seq
    try:
        for event in run:
            if event.data.prev_seq != reached:
                return None
            table.apply(event.data.changes)
            reached = event.data.seq
        after = _state(run[-1], table.rows)
    except ApplyError:
        return None
    return after if isinstance(after, BookState) else None


def _state(event: TapeEvent, rows: tuple[Row, ...]) -> BookState | Refusal:
    data = event.data
    if hash_rows(rows) != data.hash:
        return Refusal.BROKEN
    return BookState(
        code=data.code,
        epoch=data.epoch,
        seq=data.seq,
        event_id=event.id,
        trading_date=data.trading_date,
        data_time=data.data_time,
        observed_at=data.observed_at,
        hash=data.hash,
        rows=rows,
    )


class Shelf:
    """The books of the codes in one batch of events, and how the batch moves them.

    Args:
        batch: The events, in any order.
        books: The books as they stand, of those codes that have one.
    """

    def __init__(self, batch: Sequence[TapeEvent], books: Iterable[BookState]) -> None:
        self._books = {book.code: book for book in books}
        self._batch = {event.id: event for event in batch}
        self._known = dict(self._batch)
        self._moved: set[str] = set()
        self.broken: set[str] = set()
        complete = (event for event in self._batch.values() if not isinstance(event, ChangeEvent))
        for event in sorted(complete, key=_place):
            self._take(event)
        self._walk({event.data.code for event in batch})

    @property
    def moved(self) -> list[BookState]:
        """The books that are not as they were."""
        return [self._books[code] for code in self._moved]

    @property
    def waiting(self) -> int:
        """How many events of the batch lie beyond their book, for want of one before them."""
        return sum(step(self._books.get(event.data.code), event) is Refusal.WAITS for event in self._batch.values())

    @property
    def wanted(self) -> set[str]:
        """Ids of events that would carry a book on, if they are stored."""
        codes = {event.data.code for event in self._batch.values()}
        return {self._books[code].next_id for code in codes if code in self._books} - self._known.keys()

    def carry_on(self, stored: Mapping[str, TapeEvent]) -> None:
        """Move the books on over `stored`, events by id."""
        self._known |= stored
        self._walk({event.data.code for event in stored.values()})

    def _walk(self, codes: Iterable[str]) -> None:
        for code in codes:
            if (book := self._books.get(code)) and not self._leap(code, list(self._following(book))):
                for event in self._following(book):
                    if not self._take(event):
                        break

    def _following(self, book: BookState) -> Iterator[TapeEvent]:
        """What is known of the events after `book`, up to the first one that is not."""
        for seq in count(book.seq + 1):
            if (event := self._known.get(tape_event_id(book.code, book.epoch, seq))) is None:
                return
            yield event

    def _leap(self, code: str, following: Sequence[TapeEvent]) -> bool:
        run = [event for event in following if isinstance(event, ChangeEvent)]
        if len(run) < 2 or len(run) < len(following):
            return False
        if (after := leap(self._books[code], run)) is None:
            return False
        self._books[code] = after
        self._moved.add(code)
        return True

    def _take(self, event: TapeEvent) -> bool:
        code = event.data.code
        after = step(self._books.get(code), event)
        if isinstance(after, BookState):
            self._books[code] = after
            self._moved.add(code)
            return True
        # A stored event that is met a second time, from a book that did not move, was reported the first time.
        if after is Refusal.BROKEN and (event.id in self._batch or code in self._moved):
            self.broken.add(event.id)
        return False


def _place(event: TapeEvent) -> tuple[int, int]:
    return event.data.epoch, event.data.seq
