"""What a schedule has learnt outlives it: remembered, recalled, and never trusted."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.publisher.schedule import CodeLearned, Learned, Schedule
from brokertape.publisher.schedule.learned import MOST_CODES, Memory

BUSY, QUIET, LATER = "HK.00700", "HK.00005", "HK.00001"
NAMES = st.integers(0, 99_999).map(lambda number: f"HK.{number:05d}")
PER_S, EACH = st.none() | st.floats(1e-7, 20), st.none() | st.floats(1e-3, 40)
KNOWN = st.builds(CodeLearned, per_s=PER_S, changes_each=EACH).filter(lambda one: one != CodeLearned())
LEARNED = st.builds(Learned, codes=st.dictionaries(NAMES, KNOWN, max_size=20), lag_s=st.floats(0.5, 90))


def taught(*codes: str, seconds: int = 600) -> Schedule:
    """A schedule that has asked these codes, of which only the busy one changes, at every poll."""
    schedule = Schedule(codes)
    for now in range(seconds):
        code = schedule.pick(float(now))
        if code is not None:
            schedule.result(code, float(now), changed=code == BUSY, rows=3 * (code == BUSY))
    return schedule


def heard(schedule: Schedule, code: str, trades: int, rows: int) -> None:
    """Each trade of `code` leads to so many changed rows."""
    schedule.signal([code], 0.0)
    for now in range(0, 20 * trades, 20):
        schedule.trade(code, now)
        assert schedule.pick(now + 10.0) == code
        schedule.result(code, now + 11.0, changed=True, rows=rows)


def changes_per_h(schedule: Schedule, code: str, now: float = 0.0) -> float:
    """What is expected of `code`."""
    return next(view.changes_per_h for view in schedule.views(now) if view.code == code)


@given(LEARNED, st.booleans())
def test_what_is_known_comes_back_as_it_was(learned: Learned, is_asked_for: bool) -> None:
    """Through JSON and through a schedule that finds nothing new, of codes that it asks for and of all others."""
    assert msgspec.json.decode(msgspec.json.encode(learned), type=Learned) == learned
    schedule = Schedule()
    schedule.recall(learned)
    for code in learned.codes if is_asked_for else ():
        schedule.add(code)
    again = schedule.learned()
    assert again.lag_s == learned.lag_s
    assert again.codes.keys() == learned.codes.keys()
    for code, one in learned.codes.items():
        assert again.codes[code].per_s == (None if one.per_s is None else pytest.approx(one.per_s))
        assert again.codes[code].changes_each == one.changes_each


@given(st.floats(), st.floats(), st.floats())
def test_values_that_cannot_be_are_ignored(per_s: float, changes_each: float, lag_s: float) -> None:
    """Whatever numbers they are: the schedule stays one that picks."""
    schedule = Schedule()
    schedule.recall(Learned(codes={BUSY: CodeLearned(per_s=per_s, changes_each=changes_each)}, lag_s=lag_s))
    schedule.add(BUSY)
    schedule.signal([BUSY], 0.0)
    assert schedule.pick(0.0) == BUSY
    schedule.result(BUSY, 0.0, changed=False, rows=0)
    assert all(math.isfinite(view.index or 0.0) for view in schedule.views(1.0))
    assert 0.5 <= schedule.lag_s <= 90


@pytest.mark.parametrize("per_s", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-8, 21.0])
def test_a_rate_that_cannot_be_is_none(per_s: float) -> None:
    """Not finite, not positive, absurd."""
    assert CodeLearned(per_s=per_s, changes_each=1.0).checked() == CodeLearned(changes_each=1.0)


def test_the_next_schedule_expects_what_this_one_has_learnt() -> None:
    """Before its first poll, of given codes and of one that is added later."""
    learned = taught(BUSY, QUIET).learned()
    schedule = Schedule([QUIET])
    schedule.recall(learned)
    schedule.next_due(0.0)
    schedule.add(BUSY)
    assert changes_per_h(schedule, BUSY) > 10 * changes_per_h(schedule, QUIET)


def test_a_code_that_taught_nothing_is_not_remembered() -> None:
    """A usual rate is no knowledge."""
    assert Schedule([BUSY]).learned().codes == {}
    schedule = Schedule(f"HK.{number:05d}" for number in range(60))
    code = schedule.pick(0.0)
    schedule.result(str(code), 0.0, changed=False, rows=0)
    assert schedule.learned().codes == {}


def test_restarts_alone_change_nothing() -> None:
    """A busy code does not become a usual one a little at a time."""
    learned = taught(BUSY, QUIET).learned()
    per_s = learned.codes[BUSY].per_s
    for _ in range(20):
        schedule = Schedule()
        schedule.recall(learned)
        schedule.add(BUSY)
        learned = schedule.learned()
    assert learned.codes[BUSY].per_s == pytest.approx(per_s)


def test_what_a_trade_leads_to_is_remembered() -> None:
    """Also when its trades are not told for a while, and when nobody asks for the code for a while."""
    schedule = Schedule([BUSY])
    heard(schedule, BUSY, trades=30, rows=5)
    changes_each = schedule.learned().codes[BUSY].changes_each
    assert changes_each is not None
    assert changes_each > 3
    schedule.signal([], 700.0)
    schedule.remove(BUSY)
    assert schedule.learned().codes[BUSY].changes_each == changes_each
    schedule.add(BUSY)
    schedule.signal([BUSY], 800.0)
    assert schedule.learned().codes[BUSY].changes_each == changes_each


def test_what_polls_have_taught_stands() -> None:
    """Knowledge that comes late is for codes that have not been looked at."""
    schedule = taught(BUSY, QUIET)
    before = changes_per_h(schedule, BUSY, 600.0)
    schedule.add(LATER)
    known = CodeLearned(per_s=0.001)
    schedule.recall(Learned(codes={BUSY: known, LATER: known}))
    assert changes_per_h(schedule, BUSY, 600.0) == pytest.approx(before, rel=0.2)
    assert schedule.learned().codes[LATER].per_s == pytest.approx(0.001)


def test_a_night_teaches_nothing() -> None:
    """Lists that stand still while the market rests say nothing of the next day."""
    schedule = taught(BUSY, QUIET)
    evening = schedule.learned().codes[BUSY].per_s
    schedule.rest(600.0)
    for now in range(600, 60_000, 450):
        while (code := schedule.pick(float(now))) is not None:
            schedule.result(code, float(now), changed=False, rows=0)
    assert schedule.learned().codes[BUSY].per_s == pytest.approx(evening, rel=0.1)


def test_the_memory_is_bounded() -> None:
    """The codes told longest ago are forgotten."""
    memory = Memory()
    memory.keep_all({f"HK.{number:05d}": CodeLearned(per_s=1.0) for number in range(MOST_CODES + 1)})
    assert len(memory.codes) == MOST_CODES
    assert "HK.00000" not in memory.codes
