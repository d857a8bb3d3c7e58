"""What can be exported: each table joined with what it says little without, in the order of time. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Column, FromClause, Select, and_, func, select
from sqlalchemy.types import Integer

from brokertape.tape.errors import InvalidPosition
from brokertape.tape.start import moment_ms
from brokertape.workers.storage.schema import changes, close_rows, closes, events, history, history_rows

_MS, _SHARES, _HKD, _HKD_A_SHARE = "ms since 1970", "shares", "HKD", "HKD a share"

# By the column's name, or what is left of it without `flow_` before it and `_before` or `_after` behind it.
_UNITS = {
    "data_time": "s since 1970",
    "since": _MS,
    "observed_at": _MS,
    "published_at": _MS,
    "epoch": "a number that rises; no time",
    "trading_date": "market date (UTC+8)",
    "net_vol": _SHARES,
    "buy_vol": _SHARES,
    "sell_vol": _SHARES,
    "total_vol": _SHARES,
    "avg_price": _HKD_A_SHARE,
    "vwap": _HKD_A_SHARE,
    "total_turnover": _HKD,
    "turnover": _HKD,
    "days_before": "trading days",
}


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both included; None is without an end.

    Args:
        first: A date, or a time such as `2026-05-08 14:30`, market time unless it has a zone.
        last: Likewise; a date is meant with its whole day.
    """

    first: str | None = None
    last: str | None = None

    def moments(self) -> tuple[int | None, int | None]:
        """As moments in ms since 1970, the last one included.

        Raises:
            InvalidPosition: One is neither a date nor a time.
        """
        first = None if self.first is None else moment_ms(self.first)
        if self.last is None:
            return first, None
        day = _date_of(self.last)
        if day is None:
            return first, moment_ms(self.last)
        if day == date.max:
            return first, None
        return first, moment_ms((day + timedelta(days=1)).isoformat()) - 1

    def dates(self) -> tuple[str | None, str | None]:
        """As market dates.

        Raises:
            InvalidPosition: One is no date.
        """
        return _market_date(self.first), _market_date(self.last)


@dataclass(frozen=True, slots=True)
class Export:
    """A table as it is exported.

    Args:
        name: What it is called.
        columns: Its columns.
        source: Where from.
        by: What the span is about, and what the rows are sorted by first.
        then_by: What they are sorted by next.
    """

    name: str
    columns: tuple[Column[Any], ...]
    source: FromClause
    by: Column[Any]
    then_by: tuple[Column[Any], ...]

    @property
    def is_by_date(self) -> bool:
        """Whether the span is about market dates, not moments."""
        return not isinstance(self.by.type, Integer)

    def rows(self, span: Span, codes: Collection[str]) -> Select[Any]:
        """The query for the rows of `codes`, of all if there are none. Raises InvalidPosition."""
        first, last = self._ends(span)
        code = self.columns[[column.name for column in self.columns].index("code")]
        conditions = [
            *([] if first is None else [self.by >= first]),
            *([] if last is None else [self.by <= last]),
            *([code.in_(codes)] if codes else []),
        ]
        return select(*self.columns).select_from(self.source).where(*conditions).order_by(self.by, *self.then_by)

    def ends(self, span: Span) -> Select[Any]:
        """The query for the first and the last value of `by` within `span`: two looks into its index."""
        first, last = self._ends(span)
        conditions = [*([] if first is None else [self.by >= first]), *([] if last is None else [self.by <= last])]
        ends = (select(end(self.by)).where(*conditions).scalar_subquery() for end in (func.min, func.max))
        return select(*ends)

    def _ends(self, span: Span) -> tuple[Any, Any]:
        return span.dates() if self.is_by_date else span.moments()


def unit_of(column: Column[Any]) -> str | None:
    """The unit of a column, if it has one."""
    bare = column.name.removeprefix("flow_").removesuffix("_before").removesuffix("_after")
    return _UNITS.get(column.name) or _UNITS.get(bare)


_PLACE = ("code", "epoch", "seq", "trading_date", "data_time", "since", "observed_at", "published_at")

EVENTS = Export("events", tuple(events.c), events, events.c.observed_at, (events.c.id,))
CHANGES = Export(
    "changes",
    (changes.c.event_id, *(events.c[name] for name in _PLACE), *(c for c in changes.c if c.name != "event_id")),
    events.join(changes, changes.c.event_id == events.c.id),
    events.c.observed_at,
    (events.c.id, changes.c.change_index),
)
# A list may have been empty: its day stands there all the same, without a row.
CLOSES = Export(
    "closes",
    (*closes.c, *(column for column in close_rows.c if column.name not in closes.c)),
    closes.outerjoin(
        close_rows, and_(close_rows.c.code == closes.c.code, close_rows.c.trading_date == closes.c.trading_date)
    ),
    closes.c.trading_date,
    (closes.c.code, close_rows.c.side, close_rows.c.rank),
)
HISTORY = Export(
    "history",
    (
        *(column for column in history.c if column.name != "payload"),
        *(column for column in history_rows.c if column.name not in history.c),
    ),
    history.outerjoin(
        history_rows, and_(history_rows.c.code == history.c.code, history_rows.c.trading_date == history.c.trading_date)
    ),
    history.c.trading_date,
    (history.c.code, history_rows.c.side, history_rows.c.rank),
)
EXPORTS = {export.name: export for export in (EVENTS, CHANGES, CLOSES, HISTORY)}


def _date_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _market_date(text: str | None) -> str | None:
    if text is None:
        return None
    day = _date_of(text)
    if day is None:
        raise InvalidPosition(f"{text!r} is no date such as 2026-05-08, and this table goes by trading_date")
    return day.isoformat()
