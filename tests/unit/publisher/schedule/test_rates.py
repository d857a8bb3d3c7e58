"""What is learnt of codes that nobody speaks for: rows, rates, the market's own time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.schedule.activity import FASTEST, SLOWEST, ActivityClock
from brokertape.publisher.schedule.deadlines import most_urgent
from brokertape.publisher.schedule.rates import Rate, UsualRate
from brokertape.publisher.schedule.rows import ROWS, changes_of


@pytest.mark.parametrize("changes", [1, 5, 20, 40])
def test_the_rows_that_differ_tell_how_often_a_list_changed(changes: int) -> None:
    """On average, if every change meets any row."""
    dice = random.Random(changes)
    rows = [len({dice.randrange(ROWS) for _ in range(changes)}) for _ in range(4_000)]
    assert sum(changes_of(one, changed=True) for one in rows) / len(rows) == pytest.approx(changes, rel=0.12)


def test_a_change_is_one_row_at_least_and_a_whole_list_is_finite() -> None:
    """A rank may move without a number."""
    assert changes_of(0, changed=False) == 0
    assert changes_of(0, changed=True) == changes_of(1, changed=True) > 1
    assert changes_of(40, changed=True) == changes_of(ROWS, changed=True) < 80


def test_a_rate_is_learnt_and_follows_a_burst() -> None:
    """From polls a minute apart."""
    rate = Rate(0.0)
    for _ in range(200):
        rate.learn(6.0, 60.0, 60.0)
    assert rate.per_s(0.01, 0.0) == pytest.approx(0.1, rel=0.05)
    for _ in range(10):
        rate.learn(60.0, 60.0, 60.0)
    assert 0.5 < rate.per_s(0.01, 0.0) < 1.0
    assert rate.per_s(0.01, 3_600.0) < 0.3  # what it did an hour ago says little about now


def test_of_a_new_code_the_usual_is_expected() -> None:
    """Or what was known of it yesterday."""
    assert Rate(0.0).per_s(0.02, 0.0) == pytest.approx(0.02)
    assert Rate(0.0, known_per_s=0.2).per_s(0.02, 0.0) > 0.05
    usual = UsualRate()
    usual.begin(10)
    assert usual.per_s == 0.1


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 100)), max_size=300))
def test_the_market_s_clock_never_stands_and_never_goes_back(polls: list[tuple[float, float]]) -> None:
    """Whatever is found."""
    clock, read = ActivityClock(), 0.0
    for second, (found, expected) in enumerate(polls):
        clock.learn(found, expected)
        assert SLOWEST <= clock.speed <= FASTEST
        before, read = read, clock.read(float(second))
        assert read >= before


def test_the_market_s_clock_runs_with_the_market() -> None:
    """Three times as much as expected everywhere is three times the speed, and a rest is no time."""
    clock = ActivityClock()
    clock.read(0.0)
    for _ in range(500):
        clock.learn(3.0 * 1.0, clock.speed)
    assert clock.speed == pytest.approx(3.0, rel=0.05)
    assert clock.read(10.0) == pytest.approx(30.0, rel=0.05)
    clock.stop(10.0)
    assert clock.read(1_000.0) == clock.read(10.0)


@given(st.lists(st.floats(0, 40), min_size=1, max_size=12))
def test_deadlines_that_can_be_kept_are_kept(deadlines: list[float]) -> None:
    """One poll a second: if every j-th deadline leaves time for j polls, none is missed, and nothing is asked early."""
    waiting = {f"c{number}": deadline for number, deadline in enumerate(deadlines)}
    can_be_kept = all(deadline >= place for place, deadline in enumerate(sorted(deadlines), 1))
    now = 0.0
    while waiting and now < 100:
        code = most_urgent(((deadline, code) for code, deadline in waiting.items()), now, 1.0)
        if code is not None:
            assert not can_be_kept or waiting[code] >= now
            del waiting[code]
        now += 1.0
    assert not waiting
