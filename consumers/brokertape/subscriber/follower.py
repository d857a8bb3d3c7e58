"""One code, followed by the contract's rules (§9). Pure: entries and time come in, what to tell comes out.

A follower is *live* when it holds the list that the last event of its code led to. It is *catching up* while it reads
events older than the stored book (an explicit start in the past): then it holds a list as soon as an event brings a
complete one, or when it reaches the stored book, its anchor.
"""

from dataclasses import dataclass
from typing import get_args

from brokertape.subscriber.events import Event, Freshness, State, StateKind, Update, UpdateKind
from brokertape.subscriber.view import BookView, NowMs
from brokertape.tape.book import Book
from brokertape.tape.changes import apply
from brokertape.tape.errors import ApplyError
from brokertape.tape.events import ChangeEvent, TapeEvent, WatermarkEntry
from brokertape.tape.rows import Row, hash_rows
from brokertape.tape.start import FIRST_ID, id_order

ELSEWHERE_MS = 10_000  # a watermark that stands elsewhere than we for so long means that we have missed something

Version = tuple[int, int]  # epoch and seq


@dataclass(frozen=True, slots=True)
class Hole:
    """The event, or a watermark, does not follow from what is held: the book has to be read again."""

    reason: str


class Follower:
    """The state of one code, and what its events mean to it.

    Args:
        code: Whose events come in; others must not.
        max_age: Seconds after which the list counts as stale; None for never.
        now_ms: The clock that views count their age by.
    """

    def __init__(self, code: str, max_age: float | None, now_ms: NowMs) -> None:
        self.code = code
        self.book: BookView | None = None
        self._max_age = max_age
        self._now_ms = now_ms
        self._tip: Version | None = None  # the last event told, or the state we began with
        self._anchor: Book | None = None  # the stored book, while catching up
        self._elsewhere_since: int | None = None
        self._waiting_since = now_ms()
        self._is_stale = False

    # --- joining ------------------------------------------------------------------------------------------------

    def join(self, stored: Book | None) -> list[Event]:
        """Begin with what is stored, then what comes."""
        if stored is None:
            return []
        return [self._adopt(stored, "state")]

    def resume(self, stored: Book | None, after_id: str, tip: Version | None) -> list[Event]:
        """Begin with the events after `after_id`; `tip` is the last that was told before, if that is known."""
        self._tip = tip
        version = _version_of(stored)
        if tip is not None and (version is None or version < tip):
            return self.reread(stored, f"the store stands at {_name(version)}, the position at {_name(tip)}")
        if stored is None:
            return []
        if version == tip or (tip is None and _is_at_or_below(stored.entry_id, after_id)):
            return [self._adopt(stored, "state")]
        self._anchor = stored
        return []

    def reread(self, stored: Book | None, reason: str) -> list[Event]:
        """Take what is stored now, and say so."""
        self._anchor = None
        if stored is not None:
            return [self._adopt(stored, "resync", reason)]
        self.book, self._tip = None, None  # no subscriber keeps a state that the store does not have
        return [State("resync", self.code, None, reason)]

    def is_ahead_of(self, stored: Book | None) -> bool:
        """Whether we hold what the store does not have: it lost what it had acknowledged."""
        return self._tip is not None and self._tip > (_version_of(stored) or (0, 0))

    def stands_at(self, stored: Book | None) -> bool:
        """Whether the last event told is the one that `stored` is after."""
        return self._tip == _version_of(stored)

    def lose(self, reason: str) -> list[Event]:
        """An event of the past cannot be had: the list is not known again before the next complete one."""
        self.book, self._tip = None, None
        return [State("resync", self.code, None, reason)]

    def reach_end(self) -> list[Event]:
        """The tape has nothing more for now: what led to a stored book that is still ahead of us has gone from it."""
        if self._anchor is None:
            return []
        stored, self._anchor = self._anchor, None
        if self._tip is None:
            return [self._adopt(stored, "state")]
        return [self._adopt(stored, "resync", f"events up to {stored.epoch}/{stored.seq} are gone")]

    @property
    def is_catching_up(self) -> bool:
        """Whether older events than the stored book are being read."""
        return self._anchor is not None

    def _adopt(self, stored: Book, kind: StateKind, reason: str | None = None) -> State:
        self.book = BookView.of(stored, self._max_age, self._now_ms)
        self._tip = self.book.version
        self._elsewhere_since = None
        return State(kind, self.code, self.book, reason)

    # --- following ----------------------------------------------------------------------------------------------

    def take(self, event: TapeEvent, entry_id: str) -> list[Event] | Hole:
        """What the next entry of the code means. A `Hole` asks for `reread`; nothing was changed then."""
        data = event.data
        version = (data.epoch, data.seq)
        if self._is_known(version, entry_id):
            return []
        if self._anchor is not None:
            return self._catch_up(event, entry_id)
        if not self._follows(event):
            return Hole(f"{event.id} does not follow on from {_name(self._tip)}")
        rows = self._rows_after(event)
        if rows is None or hash_rows(rows) != data.hash:
            return Hole(f"{event.id} does not lead to the list it says")
        return [self._told(event, entry_id, rows)]

    def _is_known(self, version: Version, entry_id: str) -> bool:
        """Told already, in the book we began with, or of an epoch that is over."""
        if self.book is not None and _is_at_or_below(entry_id, self.book.entry_id):
            return True
        if self._tip is None:
            return False
        return version <= self._tip if self._anchor is not None else version[0] < self._tip[0]

    def _follows(self, event: TapeEvent) -> bool:
        data = event.data
        if self._tip is None or data.epoch > self._tip[0]:
            return data.prev_seq is None
        return data.prev_seq == self._tip[1]

    def _rows_after(self, event: TapeEvent) -> tuple[Row, ...] | None:
        if not isinstance(event, ChangeEvent):
            return event.data.rows
        try:
            return None if self.book is None else apply(self.book.rows, event.data.changes)
        except ApplyError:
            return None

    def _told(self, event: TapeEvent, entry_id: str, rows: tuple[Row, ...] | None) -> Update:
        data = event.data
        self._tip = (data.epoch, data.seq)
        self._elsewhere_since = None
        self.book = None if rows is None else BookView.after(event, entry_id, rows, self._max_age, self._now_ms)
        return Update(_KINDS[event.kind], self.code, event, entry_id, self.book)

    # --- catching up --------------------------------------------------------------------------------------------

    def _catch_up(self, event: TapeEvent, entry_id: str) -> list[Event] | Hole:
        """An event that is older than the stored book, or the first that is not.

        A hole is said, but nothing is read again: that would skip the events in between, which were asked for.
        """
        assert self._anchor is not None
        if not _is_at_or_below(entry_id, self._anchor.entry_id):
            return self._pass_anchor(event, entry_id)
        told: list[Event] = []
        if self._tip is not None and not self._follows(event):
            self.book = None
            told.append(State("resync", self.code, None, f"events between {_name(self._tip)} and {event.id} are gone"))
        told.append(self._told(event, entry_id, self._rows_caught(event)))
        if self._tip == _version_of(self._anchor):
            self._anchor = None
        return told

    def _rows_caught(self, event: TapeEvent) -> tuple[Row, ...] | None:
        """The rows after an event of the past, if they can be known."""
        if self._anchor is not None and _version_of(self._anchor) == (event.data.epoch, event.data.seq):
            return self._anchor.rows
        rows = self._rows_after(event)
        return rows if rows is not None and hash_rows(rows) == event.data.hash else None

    def _pass_anchor(self, event: TapeEvent, entry_id: str) -> list[Event] | Hole:
        """The entry of the stored book has gone from the tape: its state stands in for what led to it."""
        told = self.reach_end()
        rest = self.take(event, entry_id)
        return rest if isinstance(rest, Hole) else told + rest

    # --- how fresh it is ----------------------------------------------------------------------------------------

    def see(self, mark: WatermarkEntry, now: int) -> Hole | None:
        """A watermark: moves `observed_at`. A `Hole` when it has stood elsewhere than we for too long."""
        version = (mark.epoch, mark.seq)
        if version != self._tip:
            self._elsewhere_since = self._elsewhere_since or now
            is_lost = now - self._elsewhere_since > ELSEWHERE_MS
            return Hole(f"the watermark stands at {_name(version)}, we at {_name(self._tip)}") if is_lost else None
        self._elsewhere_since = None
        if self.book is not None:
            self.book = self.book.seen(mark.observed_at, mark.data_time)
        return None

    def check_age(self, now: int) -> list[Event]:
        """Told when the code passed `max_age` since it was asked last."""
        if self._max_age is None:
            return []
        is_stale = now > self._stale_at
        if is_stale == self._is_stale:
            return []
        self._is_stale = is_stale
        age = None if self.book is None else max(0, now - self.book.observed_at) / 1000
        return [Freshness("stale" if is_stale else "fresh", self.code, age)]

    @property
    def stale_at(self) -> int | None:
        """When (ms) it becomes stale unless it is seen before; None if never, or if it is already."""
        return None if self._max_age is None or self._is_stale else self._stale_at

    @property
    def _stale_at(self) -> int:
        seen_at = self._waiting_since if self.book is None else self.book.observed_at
        return seen_at + round((self._max_age or 0) * 1000)


_KINDS: dict[str, UpdateKind] = {kind: kind for kind in get_args(UpdateKind)}


def _version_of(book: Book | None) -> Version | None:
    return None if book is None else (book.epoch, book.seq)


def _is_at_or_below(entry_id: str, other: str) -> bool:
    return id_order(entry_id) <= id_order(other or FIRST_ID)


def _name(version: Version | None) -> str:
    return "nothing" if version is None else f"{version[0]}/{version[1]}"
