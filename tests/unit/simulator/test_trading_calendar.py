"""When the market trades."""

from datetime import date, datetime

import pytest

from brokertape.gateway.values import MarketState, TradeDate, TradeDateType
from brokertape.simulator.trading_calendar import HKT, TradingCalendar, market_date, market_time

FRIDAY = date(2026, 5, 8)
MONDAY = date(2026, 5, 11)
HALF_DAY = date(2026, 12, 24)
HOLIDAY = date(2026, 12, 25)
CALENDAR = TradingCalendar(holidays=frozenset({HOLIDAY}), half_days=frozenset({HALF_DAY}))


def moment(day: date, time: str) -> float:
    """A market time in s since 1970."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=HKT).timestamp()


@pytest.mark.parametrize(
    ("time", "state"),
    [
        ("08:59:59", MarketState.CLOSED),
        ("09:00:00", MarketState.AUCTION),
        ("09:20:00", MarketState.WAITING_OPEN),
        ("09:30:00", MarketState.MORNING),
        ("11:59:59", MarketState.MORNING),
        ("12:00:00", MarketState.REST),
        ("13:00:00", MarketState.AFTERNOON),
        ("16:00:00", MarketState.HK_CAS),
        ("16:10:00", MarketState.CLOSED),
    ],
)
def test_a_whole_day_goes_through_its_states(time: str, state: MarketState) -> None:
    """Each state begins at the second it is listed for."""
    assert CALENDAR.state_at(moment(FRIDAY, time)) is state


def test_a_half_day_closes_at_noon() -> None:
    """The closing auction of a half day follows its morning, and nothing follows that."""
    assert CALENDAR.state_at(moment(HALF_DAY, "12:05:00")) is MarketState.HK_CAS
    assert CALENDAR.state_at(moment(HALF_DAY, "14:00:00")) is MarketState.CLOSED


@pytest.mark.parametrize("day", [date(2026, 5, 9), date(2026, 5, 10), HOLIDAY])
def test_the_market_is_closed_on_weekends_and_holidays(day: date) -> None:
    """No trading at the hours of trading."""
    assert not CALENDAR.is_trading_day(day)
    assert CALENDAR.state_at(moment(day, "10:00:00")) is MarketState.CLOSED


def test_tables_show_the_last_trading_day_until_the_next_pre_open() -> None:
    """Friday's tables stand through the weekend and go at nine on Monday."""
    assert CALENDAR.table_date(moment(FRIDAY, "09:00:00")) == FRIDAY
    assert CALENDAR.table_date(moment(MONDAY, "08:59:59")) == FRIDAY
    assert CALENDAR.table_date(moment(MONDAY, "09:00:00")) == MONDAY


def test_days_before_skips_what_is_no_trading_day() -> None:
    """The trading day before a Monday is a Friday."""
    assert CALENDAR.days_before(MONDAY, 0) == MONDAY
    assert CALENDAR.days_before(MONDAY, 1) == FRIDAY
    assert CALENDAR.days_before(date(2026, 12, 28), 1) == HALF_DAY


def test_trade_dates_include_both_ends_and_name_half_days() -> None:
    """The answer to a request for a week around a half day and a holiday."""
    assert CALENDAR.trade_dates(date(2026, 12, 23), date(2026, 12, 28)) == [
        TradeDate("2026-12-23", TradeDateType.WHOLE),
        TradeDate("2026-12-24", TradeDateType.MORNING),
        TradeDate("2026-12-28", TradeDateType.WHOLE),
    ]
    assert CALENDAR.trade_dates(MONDAY, FRIDAY) == []


@pytest.mark.parametrize(
    ("now", "day"),
    [(moment(FRIDAY, "09:30:00"), FRIDAY), (moment(MONDAY, "09:29:59"), FRIDAY), (moment(MONDAY, "23:00:00"), MONDAY)],
)
def test_the_last_opening_is_never_in_the_future(now: float, day: date) -> None:
    """At half past nine it is this very moment, a second before it the one of the trading day before."""
    assert CALENDAR.last_opening(now) == moment(day, "09:30:00")


def test_a_calendar_without_trading_days_is_an_error_not_a_hang() -> None:
    """Looking back ends, with a line that says why."""
    empty = TradingCalendar(holidays=frozenset(date.fromordinal(FRIDAY.toordinal() - n) for n in range(60)))
    with pytest.raises(ValueError, match="no trading day"):
        empty.days_before(FRIDAY, 1)


def test_times_are_market_times() -> None:
    """Dates and texts are those of Hong Kong, whatever the machine's zone."""
    assert market_time(1778227221.9) == "2026-05-08 16:00:21"
    assert market_date(moment(MONDAY, "00:00:00")) == MONDAY
