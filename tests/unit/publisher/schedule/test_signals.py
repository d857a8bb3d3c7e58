"""Codes whose trades are told: when they are polled, and what is learnt of how late their lists are."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.schedule import Reason, Schedule
from brokertape.publisher.schedule.maturity import FIRST_S, LONGEST_S, SHORTEST_S, Maturity
from brokertape.publisher.schedule.schedule import AUDITED_SHARE, CAP_ROUNDS, QUIET_CAPS

CODES = [f"HK.{number:05}" for number in range(1, 6)]


def signalled(codes: list[str] = CODES) -> Schedule:
    """A schedule that hears every code's trades, begun at 0."""
    schedule = Schedule(codes, 1.0, {}, {}, codes)
    assert schedule.pick(0.0) is None
    return schedule


def poll(schedule: Schedule, now: float, rows: int = 0) -> str | None:
    """One poll, answered at once."""
    code = schedule.pick(now)
    if code is not None:
        schedule.result(code, now, rows > 0, rows)
    return code


def test_a_trade_is_polled_for_once_the_list_can_show_it() -> None:
    """Not before, and not twice."""
    schedule = signalled()
    schedule.trade(CODES[2], 1.0)
    assert poll(schedule, 1.0 + FIRST_S - 0.01) is None
    assert 0 < schedule.next_due(1.0 + FIRST_S - 0.01) <= 0.02
    assert poll(schedule, 1.0 + FIRST_S, rows=2) == CODES[2]
    assert poll(schedule, 2.0 + FIRST_S) is None


def test_the_same_trades_are_worth_more_in_a_quiet_code() -> None:
    """It stays clean after the poll; the busy one will have traded again."""
    schedule = signalled()
    for second in range(1, 600):
        schedule.trade(CODES[0], second)
        if (code := schedule.pick(second)) is not None:
            schedule.result(code, second, changed=code == CODES[0], rows=int(code == CODES[0]))
    schedule.trade(CODES[1], 600.0)
    schedule.next_due(610.0)
    busy, quiet = schedule.views(610.0)[:2]
    assert busy.trades_waiting is not None
    assert busy.trades_waiting >= 3
    assert quiet.trades_waiting == 1
    assert busy.index is not None
    assert quiet.index is not None
    assert quiet.index > 2 * busy.index > 0


def test_what_matures_during_a_poll_is_not_taken_for_seen() -> None:
    """The answer shows the list as it was when it was asked for."""
    schedule = signalled()
    schedule.trade(CODES[0], 1.0)
    assert schedule.pick(4.0) == CODES[0]
    schedule.trade(CODES[0], 4.1)
    assert schedule.pick(8.0) is None  # in flight; the second trade is mature by now
    schedule.result(CODES[0], 9.0, changed=True, rows=1)
    assert poll(schedule, 9.5) == CODES[0]


def test_a_poll_that_fails_leaves_the_trades_waiting() -> None:
    """After the pause it is asked for them again."""
    schedule = signalled()
    schedule.trade(CODES[0], 1.0)
    assert schedule.pick(4.0) == CODES[0]
    schedule.failed(CODES[0], 4.0)
    assert schedule.pick(5.0) is None
    assert poll(schedule, 6.0, rows=1) == CODES[0]


def test_quiet_codes_are_looked_at_now_and_then() -> None:
    """A signal may be wrong: none is trusted for longer than twelve rounds."""
    schedule = signalled()
    last = dict.fromkeys(CODES, 0.0)
    longest = 0.0
    for second in range(1, 2_000):
        if (code := poll(schedule, second)) is not None:
            longest, last[code] = max(longest, second - last[code]), second
    assert len(CODES) < longest <= CAP_ROUNDS * (1 + QUIET_CAPS) * len(CODES)


def test_a_signal_that_is_lost_leaves_a_blind_schedule() -> None:
    """All are polled in turn again, and once more when it is back: they may have traded unheard."""
    schedule = signalled()
    schedule.signal((), 10.0)
    assert {poll(schedule, 10.0 + second) for second in range(15)} == set(CODES)
    schedule.trade(CODES[0], 30.0)  # nobody listens
    schedule.signal(CODES, 40.0)
    assert {poll(schedule, 45.0 + second, rows=1) for second in range(5)} == set(CODES)
    assert poll(schedule, 51.0) is None


def test_a_halted_code_is_not_asked_until_it_trades() -> None:
    """But once, if nobody has seen its list yet."""
    schedule = Schedule()
    schedule.add(CODES[0])
    schedule.halt(CODES[0])
    assert [poll(schedule, float(second)) for second in range(1_000)] == [CODES[0]] + 999 * [None]
    schedule.halt(CODES[0], is_halted=False)
    assert poll(schedule, 1_001.0) == CODES[0]


def test_a_start_with_many_codes_does_not_leave_the_busy_ones_waiting() -> None:
    """Who trades is asked first, and again while the others have not been asked at all."""
    codes = [f"HK.{number:05}" for number in range(100)]
    schedule = Schedule()
    for code in codes:
        schedule.add(code)
    schedule.signal(codes, 0.0)
    asked = []
    for second in range(60):
        schedule.trade(codes[80], second)
        asked.append(poll(schedule, float(second), rows=1))
    assert asked.index(codes[80]) <= 4
    assert asked.count(codes[80]) > 10
    assert len(set(asked)) >= 60 // 4


@pytest.mark.parametrize("late_s", [0.5, 8.0, 40.0])
def test_a_list_that_comes_late_is_learnt(late_s: float) -> None:
    """A poll that comes too early takes the trade for seen: its change would wait for the next one, for ever."""
    dice, schedule = random.Random(1), signalled()
    shown: dict[str, float] = {}
    found_after: list[float] = []
    for second in range(20_000):
        now = float(second)
        if dice.random() < 0.05:
            code = dice.choice(CODES)
            schedule.trade(code, now)
            shown.setdefault(code, now + late_s)
        asked = schedule.pick(now)
        if asked is not None:
            is_found = shown.get(asked, math.inf) <= now
            if is_found and second > 10_000:
                found_after.append(now - shown[asked])
            if is_found:
                del shown[asked]
            schedule.result(asked, now, is_found, int(is_found))
    assert sum(found_after) / len(found_after) < 12


@pytest.mark.one_python  # thousands of polls
def test_polls_for_trades_are_checked_now_and_then() -> None:
    """Two in a hundred polls ask a code again that has not traded since."""
    codes = [f"HK.{number:05}" for number in range(50)]
    schedule, reasons = signalled(codes), list[Reason | None]()
    for second in range(1, 5_000):
        if second % 2:
            schedule.trade(codes[second // 2 % 50], second)
        code = schedule.pick(float(second))
        reason = next((view.reason for view in schedule.views(second) if view.code == code), None)
        if code is not None:
            schedule.result(code, second, changed=reason is Reason.INDEX, rows=int(reason is Reason.INDEX))
            reasons.append(reason)
    assert 0.5 * AUDITED_SHARE < reasons.count(Reason.AUDIT) / len(reasons) <= AUDITED_SHARE


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 200)), max_size=400))
def test_the_lag_keeps_its_bounds(polls: list[tuple[bool, float]]) -> None:
    """Whatever is found, whenever."""
    maturity = Maturity()
    for changed, since_trade_s in polls:
        before = maturity.lag_s
        maturity.learn(changed, since_trade_s)
        assert SHORTEST_S <= maturity.lag_s <= LONGEST_S
        assert maturity.lag_s >= before if changed else maturity.lag_s <= before


Step = tuple[Callable[[Schedule, str, float], object], str, float]
STEPS = st.tuples(
    st.sampled_from(
        [
            lambda schedule, code, now: schedule.pick(now),
            lambda schedule, code, now: schedule.pick(now),
            lambda schedule, code, now: schedule.result(code, now, True, 3),
            lambda schedule, code, now: schedule.result(code, now, False, 0),
            lambda schedule, code, now: schedule.failed(code, now),
            lambda schedule, code, now: schedule.retry(code),
            lambda schedule, code, now: schedule.trade(code, now),
            lambda schedule, code, now: schedule.signal({code}, now),
            lambda schedule, code, now: schedule.add(code, 10.0, 2.0),
            lambda schedule, code, now: schedule.remove(code),
            lambda schedule, code, now: schedule.halt(code),
            lambda schedule, code, now: schedule.halt(code, is_halted=False),
            lambda schedule, code, now: schedule.rest(now),
            lambda schedule, code, now: schedule.wake(now),
        ]
    ),
    st.sampled_from(CODES),
    st.floats(0, 400),
)


@given(st.lists(STEPS, max_size=80))
def test_whatever_happens_what_is_due_can_be_picked(steps: list[Step]) -> None:
    """And what is in flight, halted or pausing is not picked; all it tells is finite."""
    schedule, now = Schedule(CODES[:3], 1.0, {}, {CODES[0]: 8.0}, CODES[1:2]), 0.0
    for act, code, wait_s in steps:
        now += wait_s
        act(schedule, code, now)
        in_flight = {view.code for view in schedule.views(now) if view.is_in_flight}
        wait_s = schedule.next_due(now)
        picked = schedule.pick(now)
        assert (picked is not None) == (wait_s == 0)
        assert picked not in in_flight
        if picked is not None:
            schedule.retry(picked)
        views = schedule.views(now)
        assert all(math.isfinite(view.index or 0) and math.isfinite(view.changes_per_h) for view in views)


def test_a_trade_that_is_told_late_does_not_make_the_list_late() -> None:
    """Of many codes a look shows a few: a poll in between may find what nobody has told yet."""
    dice, schedule = random.Random(1), Schedule(CODES, 1.0, {}, {CODES[0]: 5.0})
    schedule.next_due(0.0)
    schedule.signal(CODES, 0.0, round_s=9.5)
    told_at: list[tuple[float, str]] = []
    changed: set[str] = set()
    for second in range(4_000):
        now = float(second)
        for at, code in [one for one in told_at if one[0] <= now]:
            schedule.trade(code, now)
            told_at.remove((at, code))
        if dice.random() < 0.1:
            code = dice.choice(CODES)
            changed.add(code)
            told_at.append((now + dice.uniform(0, 7.5), code))
        if (asked := schedule.pick(now)) is not None:
            schedule.result(asked, now, asked in changed, int(asked in changed))
            changed.discard(asked)
    assert schedule.lag_s < 4


def test_after_days_without_a_trade_everything_is_finite() -> None:
    """A long weekend, with one trade left that nobody could ask for."""
    schedule = signalled()
    schedule.trade(CODES[0], 1.0)
    schedule.next_due(20.0)
    for hours in (0, 24, 48, 60, 72, 100):
        assert all(math.isfinite(view.index or 0) for view in schedule.views(20.0 + 3600 * hours))
    schedule.signal((), 3600 * 100.0)
    assert all(view.changes_per_h > 0 for view in schedule.views(3600 * 100.0))


def test_what_was_known_of_rates_is_not_lost_with_the_signal() -> None:
    """The time in which nobody was polled blind is no time in which nothing changed."""
    codes = [f"HK.{number:05}" for number in range(30)]
    schedule = signalled(codes)
    for second in range(1, 3_600):
        schedule.trade(codes[second % 30], second)
        poll(schedule, float(second), rows=1)
    schedule.signal((), 3_600.0)
    before = sum(view.changes_per_h for view in schedule.views(3_600.0))
    for second in range(3_600, 3_800):
        poll(schedule, float(second), rows=1)
    after = sum(view.changes_per_h for view in schedule.views(3_800.0))
    assert 0.3 < after / before < 3


def test_after_a_rest_those_that_trade_are_asked_first() -> None:
    """Nobody has waited while the market rested."""
    codes = [f"HK.{number:05}" for number in range(20)]
    schedule = signalled(codes)
    schedule.rest(10.0)
    for second in range(10, 60):
        poll(schedule, float(second))
    schedule.wake(3_600.0)
    schedule.trade(codes[7], 3_600.0)
    assert poll(schedule, 3_605.0, rows=1) == codes[7]
