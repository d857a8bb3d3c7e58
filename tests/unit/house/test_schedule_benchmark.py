"""The schedule's benchmark: its day is what it says, and its measure is right."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from support.source_tree import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))

from schedule.market import DAY_S, PIN_S, Day, Events, Scenario, create_day
from schedule.measure import Measured, geometric_mean
from schedule.plot import delay_chart
from schedule.policies import RoundRobin, oracle_of
from schedule.run import INTERVAL_S, Outcome, Signals, heard, run_day, signalled_codes, sleepy_sends

pytestmark = pytest.mark.one_python  # days of numbers

SMALL = Scenario(codes=12, changes_per_s=1.0)


def events(*pairs: tuple[float, int]) -> Events:
    """Events as (moment, code's number)."""
    return Events(np.array([at_s for at_s, _ in pairs]), np.array([code for _, code in pairs], dtype=np.int64))


def hand_made() -> Day:
    """Two codes: the first changes at 10 s and at 11 s, the second a second before the end."""
    changes = events((10, 0), (11, 0), (DAY_S - 1, 1))
    return replace(
        create_day(Scenario(codes=2, changes_per_s=0.01), seed=1),
        trades=changes,
        settled=changes,
        changes=changes,
        touched=np.array([0b1, 0b11, 0b1]),
    )


class Told:
    """Polls what it is told to, and remembers what it heard."""

    def __init__(self, picks: dict[float, str]) -> None:
        self.picks = picks
        self.results: list[tuple[str, float, bool, int]] = []
        self.trades: list[tuple[str, float]] = []

    def pick(self, now: float) -> str | None:
        return self.picks.get(now)

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        self.results.append((code, now, changed, rows))

    def trade(self, code: str, now: float) -> None:
        self.trades.append((code, now))


def test_the_rates_of_all_codes_sum_to_the_total() -> None:
    """The total is that of list changes, of which there are fewer than trades."""
    day = create_day(Scenario(codes=300, changes_per_s=10, is_flat=True), seed=1)
    assert day.base_per_s.sum() == pytest.approx(10)
    assert len(day.changes) / DAY_S == pytest.approx(10, rel=0.02)
    assert len(day.trades) / DAY_S == pytest.approx((day.base_per_s / day.chances).sum(), rel=0.02)


def test_the_day_is_busiest_at_its_ends() -> None:
    """Rates move, about the same mean."""
    day = create_day(Scenario(codes=300, changes_per_s=10, zipf=0.0), seed=1)
    assert day.rates_per_s.mean() * 300 == pytest.approx(10, rel=0.1)
    begin, middle, end = (day.rates_per_s[part].mean() for part in (slice(20), slice(200, 300), slice(-20, None)))
    assert min(begin, end) > 2 * middle


def test_a_flat_day_keeps_its_rates() -> None:
    """Neither the hour nor the code's own wandering moves them."""
    day = create_day(replace(SMALL, is_flat=True), seed=1)
    assert (day.rates_per_s == day.base_per_s).all()


def test_a_seed_makes_the_same_day_again() -> None:
    """Two runs are comparable; another seed is another day."""
    first, again, other = create_day(SMALL, 1), create_day(SMALL, 1), create_day(SMALL, 2)
    assert first.changes.at_s.tolist() == again.changes.at_s.tolist()
    assert first.touched.tolist() == again.touched.tolist()
    assert first.changes.at_s.tolist() != other.changes.at_s.tolist()


def test_clustered_trades_come_four_at_a_time() -> None:
    """As many as on any other day, but many within a second of the one before."""
    plain, clustered = create_day(SMALL, 1), create_day(replace(SMALL, cluster=4.0), 1)
    assert len(clustered.trades) == pytest.approx(len(plain.trades), rel=0.1)
    soon = [np.mean(np.diff(day.trades.at_s[day.trades.code == 0]) < 1) for day in (plain, clustered)]
    assert soon[1] > 2 * soon[0]


def test_a_change_is_late_until_the_first_poll_after_it() -> None:
    """The second code's change is never found: it is late until the end of the day."""
    told = Told({9.0: "HK.00000", 12.0: "HK.00000", 13.0: "HK.00001", 15.0: "HK.00000"})
    outcome = run_day(hand_made(), lambda *arguments: told, sends=[9.0, 12.0, 13.0, 14.0, 15.0])
    assert outcome.mean_s == pytest.approx((2 + 1 + 1) / 3)
    assert outcome.worst_s == 2
    assert outcome.gap_s == DAY_S - 13
    assert [result[2:] for result in told.results] == [(False, 0), (True, 2), (False, 0), (False, 0)]


def test_a_push_tells_each_trade_and_a_bulk_look_each_code_once() -> None:
    """A look tells that a volume rose, not how often."""
    day = replace(hand_made(), trades=events((10.1, 0), (10.2, 0), (10.3, 1)))
    assert heard(day, Signals.NONE).at_s.tolist() == []
    assert heard(day, Signals.PUSH).at_s.tolist() == [10.1, 10.2, 10.3]
    assert heard(day, Signals.BULK).at_s.tolist() == [11.0, 11.0]


def test_the_quota_of_pushes_goes_to_the_busiest() -> None:
    """A hundred codes, those of the largest mean rates."""
    day = create_day(Scenario(codes=120, changes_per_s=1), seed=1)
    chosen = [day.number[code] for code in signalled_codes(day, Signals.PUSH)]
    assert len(chosen) == 100
    assert day.base_per_s[chosen].min() >= np.sort(day.base_per_s)[20]


def test_a_scheduler_hears_of_trades_before_it_picks() -> None:
    """Everything up to the moment of the poll, and no more."""
    told = Told({})
    run_day(hand_made(), lambda *arguments: told, Signals.PUSH, sends=[10.5])
    assert told.trades == [("HK.00000", 10.0)]


def test_a_round_robin_is_half_a_round_late() -> None:
    """The measure agrees with what can be known without it."""
    assert run_day(create_day(SMALL, 1), RoundRobin).mean_s == pytest.approx(12 * INTERVAL_S / 2, rel=0.03)


def test_the_loop_that_sleeps_is_later_than_a_round_robin() -> None:
    """It sends every 1.125 s on the average."""
    outcome = run_day(create_day(SMALL, 1), RoundRobin, sends=sleepy_sends(1))
    assert outcome.mean_s == pytest.approx(12 * 1.125 / 2, rel=0.03)


def test_who_knows_the_rates_is_sooner_and_who_sees_trades_sooner_still() -> None:
    """The order that everything else is measured in."""
    day = create_day(SMALL, 1)
    fair = run_day(day, RoundRobin).mean_s
    blind, seeing = (run_day(day, oracle_of(day), kind).mean_s for kind in (Signals.NONE, Signals.PUSH))
    assert seeing < 0.7 * blind < 0.7 * fair


def test_promises_are_drawn_with_the_weights() -> None:
    """One code in twenty is heavy, three others are pinned."""
    day = create_day(Scenario(codes=60, changes_per_s=1, has_pins=True), seed=1)
    assert len(day.weights) == 3
    assert list(day.max_staleness_s.values()) == [PIN_S] * 3
    assert not day.weights.keys() & day.max_staleness_s.keys()


def test_the_oracle_keeps_promises_too() -> None:
    """Else ours would be measured against one that has a third more polls to spend."""
    day = create_day(Scenario(codes=30, changes_per_s=0.5, has_pins=True), seed=1)
    assert run_day(day, oracle_of(day)).pinned_gap_s <= PIN_S


def test_the_chart_names_every_policy_and_draws_what_it_was_given() -> None:
    """A point a policy and number of codes, within the picture."""
    outcomes = {kind: Outcome(10.0, 0, 0, 0, 0) for kind in Signals}
    fair = Outcome(15.0, 0, 0, 0, 0)
    grid = [Measured(Scenario(codes, 1.0), fair, fair, outcomes, outcomes) for codes in (30, 300)]
    chart = delay_chart(grid)
    assert chart.count("<circle") == 2 * chart.count("<polyline")
    assert "round-robin" in chart


def test_ratios_are_averaged_as_ratios() -> None:
    """Half and double cancel."""
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
