"""Whether an event follows what is known of its code, and the list it leads to. Pure."""

from enum import Enum, auto

from brokertape.tape.book import Book
from brokertape.tape.changes import apply
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import ChangeEvent, TapeEvent, tape_event_id
from brokertape.tape.rows import Row
from brokertape.workers.alerts.known import Known
from brokertape.workers.alerts.state import CodeState


class NoList(Enum):
    """Why an event leads to no list."""

    OLD = auto()
    """It is in what is known already."""
    GAP = auto()
    """What it builds on was missed: the book tells how it stands by now."""


def rows_after(known: Known, event: TapeEvent) -> tuple[Row, ...] | NoList:
    """The list after `event`."""
    data = event.data
    if known.version is not None and (data.epoch, data.seq) <= known.version:
        return NoList.OLD
    if not isinstance(event, ChangeEvent):
        return event.data.rows
    if known.version is None or (data.epoch, data.prev_seq) != known.version:
        return NoList.GAP
    try:
        return apply(known.rows, event.data.changes)
    except ApplyError:
        return NoList.GAP


def begin_with(code: CodeState, book: Book) -> bool:
    """Take the list of `book` for what is known of its code, unless more is; what led to it was not seen.

    Returns whether it was taken.
    """
    version = (book.epoch, book.seq)
    if code.known.version is not None and version <= code.known.version:
        return False
    if code.known.version is not None:
        code.restate(book.observed_at, is_new_date=book.trading_date != code.known.trading_date, is_correction=False)
    code.known.meet(book.rows, book.trading_date)
    code.known.repeated |= set(book.repeated)
    code.known.learn(book.rows, book.trading_date, tape_event_id(book.code, book.epoch, book.seq), version)
    code.known.looked_at = max(code.known.looked_at, book.observed_at)
    return True
