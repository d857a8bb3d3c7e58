"""What one event says of its code, as rules look at it: broker by broker. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec import Struct

from brokertape.tape.changes import Change, Flow, Kind
from brokertape.tape.diff import diff
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.tape.rows import ListView, Row, Side
from brokertape.workers.alerts.known import Known
from brokertape.workers.alerts.state import Key
from brokertape.workers.alerts.window import NOTHING, Part, Sums

CHANGE = "change"
_NOTHING = Flow(net_vol=0, buy_vol=0, sell_vol=0, turnover=0.0, vwap=None)


class Record(Struct, eq=False, gc=False):
    """One broker in an event: its row before and after, and its own trading in between, None where it is not known."""

    key: Key
    """Its name, and which of that name it is in the order of the list, as far as that can be told, from 0."""
    kinds: tuple[Kind, ...]
    before: Row | None
    after: Row | None
    flow: Flow | None
    has_turned: bool = False
    """Whether it was last listed on the other side, on this date; it may have been off the list in between."""
    part: Part | None = None
    """What it traded, as windows add it up; None if nothing, or if no trading connects the two rows."""

    @property
    def broker(self) -> str:
        """Its name, as the gateway writes it."""
        return self.key[0]

    @property
    def side(self) -> Side | None:
        """The side it is listed on, or, off the list, was."""
        row = self.after or self.before
        return None if row is None else row.side


@dataclass(frozen=True)
class News:
    """An event with the lists around it. `since` and `at` in ms since 1970: what changed, changed in between."""

    kind: str
    event_id: str
    code: str
    trading_date: str
    since: int | None
    at: int
    view: ListView
    rows: tuple[Row, ...]
    records: tuple[Record, ...]
    repeated: frozenset[str]
    """Names that do not tell one broker."""

    @classmethod
    def of(cls, event: TapeEvent, rows: Sequence[Row], known: Known) -> "News":
        """What `event` says, whose list is then `rows`; `known` is what was known before it, and has met these."""
        data = event.data
        records = _changed(event, known) if isinstance(event, ChangeEvent) else _restated(known.rows, rows)
        return cls(
            kind=event.kind,
            event_id=event.id,
            code=data.code,
            trading_date=data.trading_date,
            since=data.since,
            at=data.observed_at,
            view=data.list,
            rows=tuple(rows),
            records=tuple(records),
            repeated=frozenset(known.repeated),
        )

    def before(self, known: Known) -> "News | None":
        """How it was at `since`, when somebody looked and nothing had moved since the event before; None at a start."""
        if self.since is None:
            return None
        return News(
            kind=self.kind,
            event_id=known.event_id,
            code=self.code,
            trading_date=known.trading_date,
            since=None,
            at=self.since,
            view=ListView.of(known.rows),
            rows=known.rows,
            records=(),
            repeated=self.repeated,
        )

    @property
    def is_change(self) -> bool:
        """Whether it tells of trading; any other event states the list anew."""
        return self.kind == CHANGE

    @cached_property
    def everybody(self) -> list[Record]:
        """The records, and one of everybody else on the list: nothing moved, so it traded nothing."""
        moved = {record.after.place for record in self.records if record.after}
        rest = (self._unmoved(row, nth) for row, nth in _numbered(self.rows) if row.place not in moved)
        return [*self.records, *rest]

    def _unmoved(self, row: Row, ordinal: int) -> Record:
        is_known = row.broker_name not in self.repeated and None not in row.numbers
        return Record((row.broker_name, ordinal), (), row, row, _NOTHING if is_known else None)


def gone(key: Key) -> Record:
    """A broker that is not listed, and was not before."""
    return Record(key, (), None, None, None)


def _numbered(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Rows, each with how many of its name stand before it."""
    seen: dict[str, int] = {}
    for row in rows:
        ordinal = seen.get(row.broker_name, 0)
        seen[row.broker_name] = ordinal + 1
        yield row, ordinal


def _changed(event: ChangeEvent, known: Known) -> Iterable[Record]:
    since, at = event.data.since, event.data.observed_at
    return [_record(change, known, since, at) for change in event.data.changes]


def _record(change: Change, known: Known, since: int | None, at: int) -> Record:
    name, ordinal = change.broker_name, change.ordinal or 0
    was = None if name in known.repeated or ordinal else known.last_sides.get(name)
    has_turned = change.after is not None and was is not None and was != change.after.side
    sums = Sums.of(change.flow)
    part = None if since is None or sums == NOTHING else Part(since, at, sums)
    return Record((name, ordinal), change.kinds, change.before, change.after, change.flow, has_turned, part)


def _restated(before: Sequence[Row], after: Sequence[Row]) -> Iterable[Record]:
    """Who differs between two lists that no trading connects: of nobody the flow is known."""
    names = {row.broker_name for row in (*before, *after)}
    return [
        Record((one.broker_name, one.ordinal or 0), one.kinds, one.before, one.after, None)
        for one in diff(before, after, names)
    ]
