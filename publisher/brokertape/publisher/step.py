"""What one good or bad poll does to the book of its code: decided here, pure, before anything is written.

A poll is judged against the book that was held when its request was sent, never against a newer one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from brokertape.publisher.snapshot import Snapshot
from brokertape.tape import book as tape_book
from brokertape.tape.book import Book
from brokertape.tape.changes import Change
from brokertape.tape.diff import broken_totals, diff, repeated_names
from brokertape.tape.events import (
    BaselineData,
    BaselineReason,
    Broken,
    ChangeData,
    Closing,
    CorrectionData,
    RolloverData,
    TapeEvent,
    tape_event,
)
from brokertape.tape.market_time import trading_date_of
from brokertape.tape.rows import ListView, hash_rows

BACKWARD_REPLIES_BELIEVED = 3  # so many in a row with an older stamp on the same date are a restatement


@dataclass(frozen=True, slots=True)
class Base:
    """What a poll is judged against: the book held when its request was sent.

    `restart` says that the next good poll begins a new epoch, and why; `epoch_floor` is then the highest epoch
    ever seen for the code. `backward_replies` counts the last replies in a row whose stamp lay before the book's.
    """

    book: Book | None
    restart: BaselineReason | None = None
    epoch_floor: int = 0
    backward_replies: int = 0


@dataclass(frozen=True, slots=True)
class Append:
    """The poll found something: this event, and the book after it, are to be committed together.

    `payload` is the event in JSON, of one that was published before: it goes out byte for byte as it was.
    """

    event: TapeEvent
    book: Book
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """The poll found nothing new: only the stamps of the book move."""

    book: Book


@dataclass(frozen=True, slots=True)
class Drop:
    """The reply lies before the book: no good poll, nothing is written. `base` remembers the run of such replies."""

    base: Base
    why: str


Step = Append | Touch | Drop


def next_step(base: Base, snapshot: Snapshot, *, commit: str, source: str, now: int) -> Step:
    """What `snapshot` does to `base`.

    Args:
        base: The book held at sending, and what is known besides it.
        snapshot: The answered poll.
        commit: Random id of this poll's commit, kept when the commit is repeated.
        source: The event source, `/opend/<gateway>`.
        now: ms since 1970; becomes `published_at` (never before `observed_at`).
    """
    book, date = base.book, _trading_date(snapshot, base.book)
    draft = _Draft(base, snapshot, date, _repeated(snapshot, book, date), commit, source, now)
    if book is None:
        return draft.baseline(base.restart or "first_seen")
    back = _lies_before(snapshot, date, book)
    if back is not None:
        run = base.backward_replies + 1 if date == book.trading_date else 0
        if run < BACKWARD_REPLIES_BELIEVED:
            return Drop(replace(base, backward_replies=run), back)
    if base.restart is not None:
        return draft.baseline(base.restart)
    if date > book.trading_date:
        return draft.rollover(book)
    return draft.same_date(book, is_back=back is not None)


def _trading_date(snapshot: Snapshot, book: Book | None) -> str:
    """The market date of the table: by its own stamp, else the book's, else today's."""
    if snapshot.data_time is not None:
        return trading_date_of(snapshot.data_time)
    return book.trading_date if book is not None else trading_date_of(snapshot.observed_at / 1000)


def _repeated(snapshot: Snapshot, book: Book | None, date: str) -> frozenset[str]:
    """Names that cannot tell one broker on this date, seen now or before."""
    before = book.repeated if book is not None and book.trading_date == date else ()
    return repeated_names(snapshot.rows).union(before)


def _lies_before(snapshot: Snapshot, date: str, book: Book) -> str | None:
    if date < book.trading_date:
        return f"trading date {date} lies before the book's {book.trading_date}"
    stamps = snapshot.data_time, book.data_time
    if stamps[0] is not None and stamps[1] is not None and stamps[0] < stamps[1]:
        return f"data_time {stamps[0]} lies before the book's {stamps[1]}"
    return None


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event and a book in the making. `repeated` names cannot tell one broker on `date`."""

    base: Base
    snapshot: Snapshot
    date: str
    repeated: frozenset[str]
    commit: str
    source: str
    now: int

    def baseline(self, reason: BaselineReason) -> Append:
        """Complete state in a new epoch."""
        known = self.base.epoch_floor if self.base.book is None else max(self.base.epoch_floor, self.base.book.epoch)
        common = self._common(epoch=max(self.now, known + 1), seq=1, prev_seq=None, since=None)
        return self._append(BaselineData(**common, reason=reason, rows=self.snapshot.rows))

    def rollover(self, book: Book) -> Append:
        """The first state of a new trading date, and the last one of the old."""
        closing = Closing(trading_date=book.trading_date, data_time=book.data_time, rows=book.rows)
        return self._append(RolloverData(**self._following(book), closing=closing, rows=self.snapshot.rows))

    def same_date(self, book: Book, *, is_back: bool) -> Append | Touch:
        """What changed, what was restated, or nothing. `is_back` says that an older stamp is to be believed."""
        changes = diff(book.rows, self.snapshot.rows, self.repeated)
        if broken := tuple(self._broken(book, changes, is_back=is_back)):
            return self._append(CorrectionData(**self._following(book), rows=self.snapshot.rows, broken=broken))
        if changes:
            return self._append(ChangeData(**self._following(book), changes=changes))
        return Touch(structs.replace(book, **self._stamps(book)))

    def _broken(self, book: Book, changes: Iterable[Change], *, is_back: bool) -> Iterator[Broken]:
        yield from broken_totals(changes, self.repeated)
        if book.rows and not self.snapshot.rows:
            yield Broken(what="emptied", broker_name=None, from_=len(book.rows), to=0)
        if is_back:
            yield Broken(what="data_time_back", broker_name=None, from_=book.data_time, to=self.snapshot.data_time)

    def _append(self, data: BaselineData | RolloverData | CorrectionData | ChangeData) -> Append:
        """`data` as an event, with the book as it will stand; entry id and server are the commit's to fill in."""
        book = Book(
            epoch=data.epoch,
            seq=data.seq,
            entry_id="",
            commit=self.commit,
            server="",
            hash=data.hash,
            repeated=tuple(sorted(self.repeated)),
            snapshot=tape_book.Snapshot(code=data.code, trading_date=self.date, rows=self.snapshot.rows),
            **self._stamps(self.base.book),
        )
        return Append(tape_event(self.source, data), book)

    def _following(self, book: Book) -> dict[str, Any]:
        return self._common(epoch=book.epoch, seq=book.seq + 1, prev_seq=book.seq, since=book.asked_at)

    def _common(self, *, epoch: int, seq: int, prev_seq: int | None, since: int | None) -> dict[str, Any]:
        observed_at = self._stamps(self.base.book)["observed_at"]
        return {
            "code": self.snapshot.code,
            "epoch": epoch,
            "seq": seq,
            "prev_seq": prev_seq,
            "trading_date": self.date,
            "data_time": self.snapshot.data_time,
            "since": since,
            "observed_at": observed_at,
            "published_at": max(self.now, observed_at),
            "list": ListView.of(self.snapshot.rows),
            "hash": hash_rows(self.snapshot.rows),
        }

    def _stamps(self, book: Book | None) -> dict[str, Any]:
        """The stamps of the book after this poll: no clock that steps back ever lowers one."""
        data_time = self.snapshot.data_time
        if book is None:
            return {
                "asked_at": self.snapshot.asked_at,
                "observed_at": self.snapshot.observed_at,
                "data_time": data_time,
            }
        return {
            "asked_at": max(self.snapshot.asked_at, book.asked_at),
            "observed_at": max(self.snapshot.observed_at, book.observed_at),
            "data_time": book.data_time if data_time is None and self.date == book.trading_date else data_time,
        }
