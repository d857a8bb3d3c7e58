"""The list of one code as a subscriber holds it: immutable, and aware of how old it is."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from brokertape.tape.book import Book
from brokertape.tape.events import TapeEvent
from brokertape.tape.market_time import wall_clock_ms
from brokertape.tape.rows import ListView, Row

NowMs = Callable[[], int]


@dataclass(frozen=True)
class BookView:
    """Who bought and who sold most of a code, as of one event.

    `rows` has buyers first, by rank; volumes in shares, prices and turnover in HKD. `data_time` (s) is the gateway's
    own stamp, `observed_at` (ms) is when the list was last truly seen, changed or not: by the publisher's clock, but
    never in the future of ours, for that would hide that nobody looks. `max_age` is in seconds.
    """

    code: str
    epoch: int
    seq: int
    entry_id: str
    trading_date: str
    data_time: int | None
    observed_at: int
    rows: tuple[Row, ...]
    max_age: float | None = field(default=None, repr=False)
    now_ms: NowMs = field(default=wall_clock_ms, repr=False, compare=False)

    @classmethod
    def of(cls, book: Book, max_age: float | None, now_ms: NowMs) -> "BookView":
        """The book as it was read."""
        return cls(
            *(book.code, book.epoch, book.seq, book.entry_id, book.trading_date, book.data_time),
            *(min(book.observed_at, now_ms()), book.rows, max_age, now_ms),
        )

    @classmethod
    def after(
        cls, event: TapeEvent, entry_id: str, rows: tuple[Row, ...], max_age: float | None, now_ms: NowMs
    ) -> "BookView":
        """The list that `event` led to."""
        data = event.data
        return cls(
            *(data.code, data.epoch, data.seq, entry_id, data.trading_date, data.data_time),
            *(min(data.observed_at, now_ms()), rows, max_age, now_ms),
        )

    def seen(self, observed_at: int, data_time: int | None) -> "BookView":
        """The same list, seen again; neither stamp ever goes back."""
        data_time = max((stamp for stamp in (self.data_time, data_time) if stamp is not None), default=None)
        seen_at = max(self.observed_at, min(observed_at, self.now_ms()))
        return replace(self, observed_at=seen_at, data_time=data_time)

    @property
    def buyers(self) -> tuple[Row, ...]:
        """At most ten net buyers, the largest first."""
        return tuple(row for row in self.rows if row.side == "buy")

    @property
    def sellers(self) -> tuple[Row, ...]:
        """At most ten net sellers, the largest first; their `net_vol` is negative."""
        return tuple(row for row in self.rows if row.side == "sell")

    @cached_property
    def list(self) -> ListView:
        """How much of the market the list shows."""
        return ListView.of(self.rows)

    @property
    def unseen_low(self) -> int | None:
        """A broker that is not listed has sold no more than this (shares, 0 or negative); None if not known."""
        return self.list.unseen_low

    @property
    def unseen_high(self) -> int | None:
        """A broker that is not listed has bought no more than this (shares, 0 or positive); None if not known."""
        return self.list.unseen_high

    @property
    def version(self) -> tuple[int, int]:
        """Epoch and seq: which event of the code the list is after."""
        return self.epoch, self.seq

    @property
    def age(self) -> float:
        """Seconds since the list was last truly seen, by this machine's clock."""
        return max(0, self.now_ms() - self.observed_at) / 1000

    @property
    def is_stale(self) -> bool:
        """Whether it was not seen for longer than `max_age`; never, if that is None."""
        return self.max_age is not None and self.age > self.max_age
