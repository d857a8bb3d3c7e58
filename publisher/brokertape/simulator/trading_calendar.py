"""When the Hong Kong market trades: days, half days, and the states of a day in market time (UTC+8).

The hours are the exchange's; which of them the gateway reports as which state is read from its documents, not measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from brokertape.gateway.values import MarketState, TradeDate, TradeDateType

HKT = timezone(timedelta(hours=8), "HKT")
_LONGEST_CLOSURE_DAYS = 30

PRE_OPEN_S = 9 * 3600
OPEN_S = 9 * 3600 + 1800
NOON_S = 12 * 3600
REOPEN_S = 13 * 3600
CLOSE_S = 16 * 3600
CLOSING_AUCTION_S = 600

_MORNING = (
    (PRE_OPEN_S, MarketState.AUCTION),
    (PRE_OPEN_S + 1200, MarketState.WAITING_OPEN),
    (OPEN_S, MarketState.MORNING),
)
_WHOLE_DAY = (
    *_MORNING,
    (NOON_S, MarketState.REST),
    (REOPEN_S, MarketState.AFTERNOON),
    (CLOSE_S, MarketState.HK_CAS),
    (CLOSE_S + CLOSING_AUCTION_S, MarketState.CLOSED),
)
_HALF_DAY = (
    *_MORNING,
    (NOON_S, MarketState.HK_CAS),
    (NOON_S + CLOSING_AUCTION_S, MarketState.CLOSED),
)


def market_moment(day: date, second_of_day: float) -> float:
    """The moment (s since 1970) of a second of a market day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=HKT)
    return midnight.timestamp() + second_of_day


def market_date(at_s: float) -> date:
    """The market day of a moment in s since 1970."""
    return datetime.fromtimestamp(at_s, HKT).date()


def market_time(at_s: float) -> str:
    """A moment as the gateway prints it: `2026-05-08 16:00:21`."""
    return f"{datetime.fromtimestamp(int(at_s), HKT):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True)
class TradingCalendar:
    """Monday to Friday, but for `holidays`; on `half_days` the morning only."""

    holidays: frozenset[date] = frozenset()
    half_days: frozenset[date] = frozenset()

    def is_trading_day(self, day: date) -> bool:
        """Whether the market opens on `day` at all."""
        return day.weekday() < 5 and day not in self.holidays

    def state_at(self, at_s: float) -> MarketState:
        """The state of the market at a moment in s since 1970."""
        day = market_date(at_s)
        state = MarketState.CLOSED
        if not self.is_trading_day(day):
            return state
        second_of_day = at_s - market_moment(day, 0)
        for begins_s, begun in _HALF_DAY if day in self.half_days else _WHOLE_DAY:
            if second_of_day >= begins_s:
                state = begun
        return state

    def table_date(self, at_s: float) -> date:
        """The trading day whose tables show at a moment: a day's tables start empty at its pre-open, 09:00.

        The one place that says when a day rolls over; what a real gateway does is not known.
        """
        day = market_date(at_s)
        if self.is_trading_day(day) and at_s >= market_moment(day, PRE_OPEN_S):
            return day
        return self.days_before(day, 1)

    def days_before(self, day: date, count: int) -> date:
        """The `count`-th trading day before `day`."""
        for _ in range(count):
            day = next(earlier for earlier in _days_back(day) if self.is_trading_day(earlier))
        return day

    def trade_dates(self, begin: date, end: date) -> list[TradeDate]:
        """The trading days from `begin` to `end`, both included."""
        days = (begin + timedelta(days=n) for n in range((end - begin).days + 1))
        return [TradeDate(day.isoformat(), self._type(day)) for day in days if self.is_trading_day(day)]

    def last_opening(self, at_s: float) -> float:
        """The moment (s since 1970) of the last opening, 09:30, that is not later than `at_s`."""
        day = market_date(at_s)
        if not self.is_trading_day(day) or at_s < market_moment(day, OPEN_S):
            day = self.days_before(day, 1)
        return market_moment(day, OPEN_S)

    def _type(self, day: date) -> TradeDateType:
        return TradeDateType.MORNING if day in self.half_days else TradeDateType.WHOLE


def _days_back(day: date) -> Iterator[date]:
    for _ in range(_LONGEST_CLOSURE_DAYS):
        day -= timedelta(days=1)
        yield day
    raise ValueError(f"the calendar has no trading day in the {_LONGEST_CLOSURE_DAYS} days from {day}")
