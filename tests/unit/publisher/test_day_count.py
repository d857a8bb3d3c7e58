"""Which date `days_before` means, by the calendar and by what answers are stamped with."""

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.values import TopTenBrokers
from brokertape.publisher.day_count import DayCount, Undated
from brokertape.tape.market_time import HKT

# A week with a holiday on Wednesday, and the Monday after it.
DATES = ["2026-05-04", "2026-05-05", "2026-05-07", "2026-05-08", "2026-05-11"]
FINAL_AT = time(18)


def at(text: str) -> datetime:
    """A moment in market time."""
    return datetime.fromisoformat(text).replace(tzinfo=HKT)


def answer(stamp: str | None, *, is_real_time: bool = False) -> TopTenBrokers:
    """A list updated at `stamp`."""
    return TopTenBrokers("HK.00700", is_real_time, None if stamp is None else int(at(stamp).timestamp()), ())


@pytest.mark.parametrize(
    ("now", "one_before", "is_sure"),
    [
        ("2026-05-08 10:00", "2026-05-07", True),
        ("2026-05-08 23:59", "2026-05-07", True),
        ("2026-05-08 09:10", "2026-05-07", False),
        ("2026-05-08 08:59", "2026-05-05", False),  # Thursday still counts as the current day
        ("2026-05-06 12:00", "2026-05-04", False),
        ("2026-05-10 12:00", "2026-05-07", False),
        ("2026-05-11 09:30", "2026-05-08", True),
    ],
)
def test_days_are_counted_back_over_trading_days(now: str, one_before: str, is_sure: bool) -> None:
    """From today once it trades, else from the last trading day; only the former is beyond doubt."""
    count = DayCount.at(DATES, at(now))
    assert (count.date(1), count.is_sure) == (one_before, is_sure)


def test_before_the_calendar_there_is_nothing() -> None:
    """Rather no date than a wrong one."""
    assert DayCount.at(DATES, at("2026-05-05 10:00")).date(1) == "2026-05-04"
    assert DayCount.at(DATES, at("2026-05-05 10:00")).date(2) is None
    assert DayCount.at([], at("2026-05-05 10:00")).date(1) is None


@pytest.mark.parametrize(
    ("now", "stamp", "found"),
    [
        ("2026-05-08 10:00", "2026-05-07 16:08", "2026-05-07"),
        ("2026-05-08 10:00", "2026-05-05 16:08", "2026-05-05"),  # the stamp wins
        ("2026-05-10 10:00", "2026-05-09 00:20", "2026-05-08"),  # updated after midnight, on a Saturday
        ("2026-05-08 18:00", "2026-05-08 16:08", "2026-05-08"),
        ("2026-05-08 10:00", None, "2026-05-07"),
    ],
)
def test_an_answer_is_dated(now: str, stamp: str | None, found: str) -> None:
    """By its stamp, else by the count."""
    assert DayCount.at(DATES, at(now)).date_of(1, answer(stamp), at(now), FINAL_AT) == found


@pytest.mark.parametrize(
    ("now", "table", "is_general"),
    [
        ("2026-05-10 10:00", answer(None), True),
        ("2026-05-08 09:10", answer(None), True),
        ("2026-05-08 17:59", answer("2026-05-08 16:08"), False),  # not final yet
        ("2026-05-08 10:00", answer("2026-05-09 10:00"), False),
        ("2026-05-08 10:00", answer("2026-04-09 10:00"), False),
        ("2026-05-08 10:00", answer("2026-05-07 16:08", is_real_time=True), False),
    ],
)
def test_an_answer_without_a_certain_date_has_none(now: str, table: TopTenBrokers, is_general: bool) -> None:
    """It is not put under a guess."""
    found = DayCount.at(DATES, at(now)).date_of(1, table, at(now), FINAL_AT)
    assert isinstance(found, Undated)
    assert found.is_general == is_general


def test_stamps_tell_from_which_day_the_gateway_counts() -> None:
    """On a Saturday one day before may be Friday; then an answer without a stamp can be dated, too."""
    count = DayCount.at(DATES, at("2026-05-09 10:00")).voted("HK.00700", 1, "2026-05-08")
    assert (count.date(1), count.date(2)) == ("2026-05-08", "2026-05-07")
    assert count.date_of(2, answer(None), at("2026-05-09 10:00"), FINAL_AT) == "2026-05-07"


def test_most_codes_decide_and_a_tie_is_the_calendars() -> None:
    """One code with an old list does not move the count for all."""
    count = DayCount.at(DATES, at("2026-05-08 10:00"))
    odd = count.voted("HK.00001", 1, "2026-05-05")
    assert odd.date(1) == "2026-05-05"
    even = odd.voted("HK.00002", 1, "2026-05-07")
    assert even.date(1) == "2026-05-07"


def test_an_answer_far_from_the_day_asked_for_does_not_vote() -> None:
    """A code suspended for a week says nothing of the others."""
    count = DayCount.at(DATES, at("2026-05-11 10:00"))
    assert count.voted("HK.00700", 1, "2026-05-04") is count


@given(
    st.sets(st.dates(date(2026, 1, 1), date(2026, 6, 30)), min_size=1),
    st.integers(int(at("2026-01-01").timestamp()), int(at("2026-07-31").timestamp())),
)
def test_dates_fall_as_days_are_counted_back(days: set[date], now_s: int) -> None:
    """Each trading day before today once, but for the last one while it still counts as the current day."""
    dates, moment = sorted(day.isoformat() for day in days), datetime.fromtimestamp(now_s, HKT)
    count = DayCount.at(dates, moment)
    found = [counted for counted in map(count.date, range(1, 200)) if counted is not None]
    past = [day for day in reversed(dates) if day < moment.date().isoformat()]
    assert found in (past, past[1:])
