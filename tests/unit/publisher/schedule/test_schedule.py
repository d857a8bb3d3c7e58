"""The schedule: a fair round, promises, pauses, rest."""

import itertools
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.schedule import Schedule

CODES = ["HK.00001", "HK.00002", "HK.00003", "HK.00005"]


def drive(schedule: Schedule, seconds: int, *, start: float = 0.0) -> list[tuple[float, str]]:
    """One request a second, each answered at once; who was asked when."""
    asked = []
    for tick in range(seconds):
        now = start + tick
        code = schedule.pick(now)
        if code is not None:
            schedule.result(code, now, changed=False, rows=0)
            asked.append((now, code))
    return asked


def longest_gap(asked: list[tuple[float, str]], code: str) -> float:
    """The longest time between two polls of `code`."""
    at = [now for now, asked_code in asked if asked_code == code]
    return max(later - earlier for earlier, later in itertools.pairwise(at))


@given(st.integers(1, 40), st.integers(0, 200))
def test_every_code_has_its_turn(count: int, seconds: int) -> None:
    """No code is asked twice before every other was asked once."""
    asked = Counter(code for _, code in drive(Schedule([f"HK.{n:05d}" for n in range(count)]), seconds))
    assert max(asked.values(), default=0) - (min(asked.values()) if len(asked) == count else 0) <= 1


def test_a_promise_is_kept_and_the_rest_shares_what_is_left() -> None:
    """Among 30 codes, one of 10 s is asked in time, always, and no other starves."""
    codes = [f"HK.{n:05d}" for n in range(30)]
    asked = drive(Schedule(codes, 1.0, {}, {codes[7]: 10.0}), 1000)
    assert longest_gap(asked, codes[7]) <= 10
    assert max(longest_gap(asked, code) for code in codes) <= 36


def test_promises_beyond_the_budget_are_not_made() -> None:
    """Three in 4 s of one poll a second fit, a fourth does not; what one gives up another may have."""
    schedule = Schedule()
    assert [schedule.add(code, 4.0) for code in CODES] == [True, True, True, False]
    assert schedule.add(CODES[3])
    assert not schedule.add(CODES[3], 4.0)
    schedule.remove(CODES[0])
    assert schedule.add(CODES[3], 4.0)


def test_a_code_in_flight_is_not_asked_again() -> None:
    """Until its result, its failure or its retry is told."""
    schedule = Schedule(CODES[:1])
    assert schedule.pick(0.0) == CODES[0]
    assert schedule.pick(1.0) is None
    assert schedule.next_due(1.0) == math.inf
    schedule.retry(CODES[0])
    assert schedule.pick(1.0) == CODES[0]


def test_age_counts_from_the_send() -> None:
    """A change during the round trip is not yet seen."""
    schedule = Schedule(CODES[:2])
    first = schedule.pick(0.0)
    second = schedule.pick(1.0)
    schedule.result(str(second), 2.0, changed=False, rows=0)
    schedule.result(str(first), 9.0, changed=True, rows=3)
    assert schedule.pick(10.0) == first


def test_a_failing_code_pauses_ever_longer_and_never_takes_the_budget() -> None:
    """2 s doubling to 60; a success makes it an ordinary code again."""
    schedule = Schedule(CODES)
    pauses, now = [], 0.0
    for _ in range(8):
        while (code := schedule.pick(now)) != CODES[0]:
            if code is not None:
                schedule.result(code, now, changed=False, rows=0)
            now += 1
        schedule.failed(CODES[0], now)
        due = round(schedule._entries[CODES[0]].resume_at - now)
        pauses.append(due)
        now += 1
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    while (code := schedule.pick(now)) != CODES[0]:
        schedule.result(str(code), now, changed=False, rows=0) if code else None
        now += 1
    schedule.result(CODES[0], now, changed=False, rows=0)
    schedule.pick(now)
    assert schedule.failed(CODES[0], now) == 1


def test_a_resting_market_is_swept_once_and_then_has_a_pulse() -> None:
    """After the close every code is asked once more, then each once a heartbeat, and all at the open again."""
    schedule = Schedule(CODES, heartbeat_s=900)
    drive(schedule, 100)
    schedule.rest(100.0)
    asked = drive(schedule, 2000, start=100.0)
    assert Counter(code for _, code in asked) == dict.fromkeys(CODES, 3)
    assert {code for now, code in asked if now < 104} == set(CODES)
    assert 0 < schedule.next_due(2100.0) <= 900
    schedule.wake(2100.0)
    assert schedule.next_due(2100.0) == 0
    assert len(drive(schedule, 10, start=2100.0)) == 10


def test_codes_come_and_go_while_it_runs() -> None:
    """A new code is asked first; a removed one no more, even if its poll is still in flight."""
    schedule = Schedule(CODES[:2])
    drive(schedule, 10)
    schedule.add(CODES[2])
    assert schedule.pick(10.0) == CODES[2]
    schedule.remove(CODES[2])
    schedule.result(CODES[2], 11.0, changed=True, rows=1)
    assert schedule.failed(CODES[2], 11.0) == 0
    assert schedule.codes == set(CODES[:2])


def test_codes_that_always_fail_leave_the_others_their_polls() -> None:
    """However many they are, and though nobody has ever seen their lists."""
    good, bad = [f"HK.{number:05}" for number in range(30)], [f"HK.1{number:04}" for number in range(70)]
    schedule, asked = Schedule(), Counter[str]()
    for code in (*bad, *good):
        schedule.add(code)
    for second in range(2_000):
        picked = schedule.pick(float(second))
        assert picked is not None
        asked[picked] += 1
        if picked in bad:
            schedule.failed(picked, second)
        else:
            schedule.result(picked, second, changed=False, rows=0)
    assert sum(asked[code] for code in good) > 1_200
    assert min(asked[code] for code in bad) >= 2


def test_a_code_that_others_have_seen_is_asked_when_its_age_says_so() -> None:
    """It is no new one: it comes between those that were seen before and after it."""
    schedule = Schedule(CODES[:2], 0.1)
    assert [code for _, code in drive(schedule, 2)] == CODES[:2]
    for code, seen_at in ((CODES[2], -5.0), (CODES[3], 1.5)):
        schedule.add(code)
        schedule.take_over(code, seen_at, 2.0)
    assert [code for _, code in drive(schedule, 4, start=100.0)] == [CODES[2], CODES[0], CODES[1], CODES[3]]


def test_a_code_seen_elsewhere_teaches_by_all_the_time_since() -> None:
    """A change since a minute before it was taken over is one a minute, not one a second."""
    rates = []
    for seen_at in (0.0, 59.0):
        schedule = Schedule(CODES[:1], 1.0)
        drive(schedule, 1)
        schedule.add(CODES[1])
        schedule.take_over(CODES[1], seen_at, 60.0)
        assert schedule.pick(61.0) is not None
        for code in CODES[:2]:
            schedule.result(code, 61.0, changed=True, rows=3)
        rates.append({view.code: view.changes_per_h for view in schedule.views(61.0)}[CODES[1]])
    assert rates[0] < rates[1] / 2


def test_its_promise_counts_from_when_it_was_seen() -> None:
    """Also by another."""
    schedule = Schedule(CODES[:3], 1.0)
    drive(schedule, 3)
    schedule.add(CODES[3], 10.0)
    schedule.take_over(CODES[3], -6.0, 3.0)
    assert schedule.pick(3.0) == CODES[3]


def test_the_budget_may_change_while_it_runs() -> None:
    """Promises and caps go by what there is now."""
    schedule = Schedule(CODES, 1.0, {}, {CODES[0]: 10.0})
    assert schedule.add(CODES[1], 5.0)
    schedule.budget_per_s = 0.2
    assert schedule.budget_per_s == 0.2
    assert schedule.pick(0.0) is not None  # although for a moment more is promised than there is
    assert not schedule.add(CODES[1], 5.0)
