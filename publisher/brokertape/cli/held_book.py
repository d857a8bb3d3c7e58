"""The book of one code as a reader holds it: joined once, then moved on by the tape (the contract's §9). Pure."""

from dataclasses import dataclass, replace
from enum import Enum, auto

from brokertape.tape.book import Book
from brokertape.tape.changes import apply
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import ChangeEvent, TapeEvent, WatermarkEntry
from brokertape.tape.rows import Row, hash_rows
from brokertape.tape.start import FIRST_ID, id_order

BEHIND_MS = 10_000  # a watermark ahead of us for so long means that we have missed something


class Verdict(Enum):
    """What an event did to the book."""

    APPLIED = auto()
    DROPPED = auto()
    """It was in the book already, or is of an epoch that is over."""
    REREAD = auto()
    """It does not follow from what we hold: the book has to be read again."""


@dataclass(frozen=True, slots=True)
class HeldBook:
    """What is held of a code. `observed_at` (ms) is when it was last truly seen."""

    epoch: int
    seq: int
    entry_id: str
    trading_date: str
    data_time: int | None
    observed_at: int
    rows: tuple[Row, ...]
    behind_since: int | None = None

    @classmethod
    def of(cls, book: Book) -> "HeldBook":
        """The book as it was read."""
        return cls(book.epoch, book.seq, book.entry_id, book.trading_date, book.data_time, book.observed_at, book.rows)

    def saw(self, mark: WatermarkEntry, now: int) -> "HeldBook | None":
        """The book after a watermark; None when it has been ahead of us for too long."""
        if (mark.epoch, mark.seq) == (self.epoch, self.seq):
            observed_at = max(self.observed_at, mark.observed_at)
            return replace(self, observed_at=observed_at, data_time=mark.data_time, behind_since=None)
        if (mark.epoch, mark.seq) < (self.epoch, self.seq):
            return self
        behind_since = self.behind_since or now
        return None if now - behind_since > BEHIND_MS else replace(self, behind_since=behind_since)


def advance(held: HeldBook | None, event: TapeEvent, entry_id: str) -> tuple[HeldBook | None, Verdict]:
    """The book after an entry of its tape, and what became of the entry. Without a book, a new epoch begins one."""
    data = event.data
    if held is not None and (id_order(entry_id) <= id_order(held.entry_id or FIRST_ID) or data.epoch < held.epoch):
        return held, Verdict.DROPPED
    follows = held is not None and data.epoch == held.epoch and data.prev_seq == held.seq
    begins = data.prev_seq is None and (held is None or data.epoch > held.epoch)
    if not (follows or begins):
        return held, Verdict.REREAD
    rows = _rows_after(held, event)
    if rows is None or hash_rows(rows) != data.hash:
        return held, Verdict.REREAD
    after = HeldBook(data.epoch, data.seq, entry_id, data.trading_date, data.data_time, data.observed_at, rows)
    return after, Verdict.APPLIED


def _rows_after(held: HeldBook | None, event: TapeEvent) -> tuple[Row, ...] | None:
    if not isinstance(event, ChangeEvent):
        return event.data.rows
    try:
        return apply(held.rows if held is not None else (), event.data.changes)
    except ApplyError:
        return None
