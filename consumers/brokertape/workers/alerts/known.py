"""What is remembered of one code between two events: its list, its day, and who was last seen on which side."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from brokertape.tape.diff import repeated_names
from brokertape.tape.rows import Row, Side

Version = tuple[int, int]


@dataclass(slots=True)
class Known:
    """A code's latest list and what its day has shown. Bounded by the brokers that its list shows in one day."""

    rows: tuple[Row, ...] = ()
    trading_date: str = ""
    event_id: str = ""
    version: Version | None = None
    """Epoch and seq of that event."""
    looked_at: int = 0
    """When the list was last known to have been looked at, ms since 1970."""
    attended_ms: int = 0
    """How long codes had been looked at by then."""
    last_sides: dict[str, Side] = field(default_factory=dict)
    """The side on which each broker was last listed on this date."""
    repeated: set[str] = field(default_factory=set)
    """Names that do not tell one broker on this date: they stood twice in one list, or are empty."""

    def begin_anew(self) -> None:
        """The list is stated anew: what was seen of sides before says nothing about trading."""
        self.last_sides.clear()

    def meet(self, rows: Sequence[Row], trading_date: str) -> None:
        """A list of that date comes: which of its names tell a broker has to be known before it is judged."""
        if trading_date != self.trading_date:
            self.repeated.clear()
        self.repeated |= repeated_names(rows)

    def learn(self, rows: Sequence[Row], trading_date: str, event_id: str, version: Version) -> None:
        """The list is now `rows`."""
        self.rows, self.trading_date, self.event_id, self.version = tuple(rows), trading_date, event_id, version
        self.last_sides |= {row.broker_name: row.side for row in rows}
