"""What is asked of the past: newest first, nothing twice, and where going back ends."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.day_count import DayCount
from brokertape.publisher.past_days import Known, Marks, PastDays, is_settled
from brokertape.tape.market_time import HKT

DATES = [f"2026-06-{day:02}" for day in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
COUNT = DayCount.at(DATES, datetime(2026, 6, 12, 19, tzinfo=HKT))
CODES = ("HK.00005", "HK.00700")
PUBLISHED, TODAY = Known(), "2026-06-12"


def asked(past: PastDays, empty: frozenset[tuple[str, str]] = frozenset()) -> list[tuple[str, str]]:
    """(code, date) of every step, with the lists of `empty` missing."""
    found = []
    while (step := past.next()) is not None:
        found.append((step.code, step.date))
        if (step.code, step.date) in empty:
            past.absent(step, Known(TODAY))
        else:
            past.published(step, step.date)
    return found


def test_the_newest_day_of_every_code_comes_first() -> None:
    """An interrupted run has the most useful part."""
    assert asked(PastDays(CODES, 3, COUNT, {})) == [
        (code, date) for date in ("2026-06-11", "2026-06-10", "2026-06-09") for code in CODES
    ]


def test_what_is_there_is_not_asked_for() -> None:
    """And is counted as there."""
    past = PastDays(CODES, 3, COUNT, {"2026-06-10": {"HK.00700": PUBLISHED}})
    assert (past.wanted, past.already_there, past.left) == (6, 1, 5)
    assert ("HK.00700", "2026-06-10") not in asked(past)


def test_the_calendar_ends_it() -> None:
    """More days than it has are no fault."""
    past = PastDays(CODES, 100, COUNT, {})
    assert past.wanted == 2 * 9
    assert len(asked(past)) == 2 * 9


def test_days_without_a_list_end_going_back() -> None:
    """Two in a row; one alone is a suspension."""
    gone = [("HK.00700", date) for date in ("2026-06-11", "2026-06-09", "2026-06-08")]
    found = asked(PastDays(CODES, 9, COUNT, {}), frozenset(gone))
    assert [date for code, date in found if code == "HK.00700"] == DATES[-2:-6:-1]
    assert len([date for code, date in found if code == "HK.00005"]) == 9


def test_a_day_that_is_refused_ends_going_back_alone() -> None:
    """Now, and for a later run."""
    past, marks = PastDays(["HK.00700"], 9, COUNT, {}), {"2026-06-05": {"HK.00700": Known("2026-06-11", is_end=True)}}
    step = past.next()
    assert step is not None
    past.absent(step, Known(TODAY, is_end=True))
    assert past.next() is None
    assert asked(PastDays(["HK.00700"], 9, COUNT, marks))[-1] == ("HK.00700", "2026-06-08")


def test_days_known_to_be_missing_count_too() -> None:
    """A later run does not feel its way further back than the first."""
    marks = {date: {"HK.00700": Known("2026-06-11")} for date in ("2026-06-03", "2026-06-04")}
    found = asked(PastDays(["HK.00700"], 9, COUNT, marks))
    assert [date for _, date in found] == DATES[-2:3:-1]


@pytest.mark.parametrize(
    ("known", "date", "settled"),
    [
        (None, "2026-06-11", False),
        (PUBLISHED, "2026-06-11", True),
        (Known(TODAY), "2026-06-11", True),  # not twice a day
        (Known("2026-06-11"), "2026-06-10", False),  # it was late, perhaps
        (Known("2026-06-11"), "2026-06-08", True),
        (Known("2026-05-13"), "2026-06-01", False),  # long ago
        (Known("2026-06-09"), "2026-06-03", True),
    ],
)
def test_an_absence_is_believed_if_it_was_not_too_early_nor_too_long_ago(
    known: Known | None, date: str, settled: bool
) -> None:
    """The one place that says so."""
    assert is_settled(known, date, COUNT) == settled


def test_a_code_can_be_left_alone() -> None:
    """With what that leaves out counted."""
    past = PastDays(CODES, 3, COUNT, {})
    assert past.end("HK.00700") == 3
    assert {code for code, _ in asked(past)} == {"HK.00005"}
    assert PastDays(CODES, 3, COUNT, {}).end_all() == 6


def test_a_recount_asks_for_what_is_missing_by_the_new_dates_and_nothing_twice() -> None:
    """Days before that were asked with are not asked with again."""
    past = PastDays(["HK.00700"], 3, COUNT, {})
    step = past.next()
    assert step is not None
    past.published(step, "2026-06-12")  # by its stamp
    past.recount(past.count.voted("HK.00700", 1, "2026-06-12"))
    found = []
    while (step := past.next()) is not None:
        found.append((step.days_before, step.date))
        past.published(step, step.date)
    assert found == [(2, "2026-06-11"), (3, "2026-06-10")]


@given(
    st.dictionaries(
        st.sampled_from(DATES), st.dictionaries(st.sampled_from(CODES), st.sampled_from([PUBLISHED, Known(TODAY)]))
    ),
    st.sets(st.tuples(st.sampled_from(CODES), st.sampled_from(DATES))),
    st.integers(1, 12),
)
def test_nothing_is_asked_twice_and_a_second_run_asks_nothing(
    marks: Marks, empty: set[tuple[str, str]], days: int
) -> None:
    """Whatever is known before, and whatever is missing; on the same day."""
    found = asked(PastDays(CODES, days, COUNT, marks), frozenset(empty))
    assert len(found) == len(set(found))
    assert asked(PastDays(CODES, days, COUNT, marks)) == []
    for code in CODES:
        dates = [date for asked_code, date in found if asked_code == code]
        assert dates == sorted(dates, reverse=True)
