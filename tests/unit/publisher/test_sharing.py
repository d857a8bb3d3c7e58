"""Live and past days on one window, in virtual time: live loses nothing, past days get what it leaves."""

import asyncio

import pytest

from brokertape.gateway.errors import OverBudget
from brokertape.publisher.lane import Lane
from brokertape.simulator.virtual_time import run_virtual
from support.budget_load import violations
from support.lanes import PAST, Hours, Shares, budgets, share

HOUR_S = 3600.0
OPENS_S = 600.0


def shares(fillers: int, seconds: float, live: Hours, past: Hours | None = None, lane: Lane = PAST) -> Shares:
    """What came of `seconds` with so many processes that fill past days."""

    async def main() -> Shares:
        first, behind = budgets(fillers, lane)
        return await share(first, behind, seconds, live, past_hours=past)

    return run_virtual(main())


@pytest.mark.parametrize("fillers", [1, 3])
def test_live_that_always_has_work_loses_nothing(fillers: int) -> None:
    """Not a request in an hour, at up to 100 ms of jitter each way, and the gateway's limit holds."""
    alone, beside = shares(0, HOUR_S, [(0, HOUR_S)]), shares(fillers, HOUR_S, [(0, HOUR_S)])
    assert len(beside.live) == len(alone.live)
    assert beside.past == []
    assert violations(beside.received) == 0


@pytest.mark.parametrize("fillers", [1, 3])
def test_past_days_get_what_the_headroom_leaves_of_an_idle_budget(fillers: int) -> None:
    """27 of 30, less the round trip that each window costs; never more, by however many processes."""
    idle = shares(fillers, HOUR_S, [])
    a_window = len(idle.past) / HOUR_S * 30
    assert 26.7 < a_window <= 27
    assert violations(idle.received) == 0


@pytest.mark.parametrize("fillers", [1, 3])
@pytest.mark.parametrize("lead_s", [0.01, 1, 5, 15, 25, OPENS_S])
def test_live_that_wakes_up_has_its_first_minute(lead_s: float, fillers: int) -> None:
    """However long past days had been asked for: one request less at the most, and no wait longer by more than one."""
    alone = shares(0, OPENS_S + 120, [(OPENS_S, OPENS_S + 120)])
    beside = shares(fillers, OPENS_S + 120, [(OPENS_S, OPENS_S + 120)], [(OPENS_S - lead_s, OPENS_S + 120)])
    for seconds in (30, 60, 120):
        end_s = OPENS_S + seconds
        assert beside.count(beside.live, OPENS_S, end_s) >= alone.count(alone.live, OPENS_S, end_s) - 1
    assert beside.longest_wait_s(OPENS_S, OPENS_S + 120) <= alone.longest_wait_s(OPENS_S, OPENS_S + 120) + 0.7
    assert beside.count(beside.past, OPENS_S + 1, OPENS_S + 120) == 0
    assert violations(beside.received) == 0


def test_the_headroom_alone_would_not_do() -> None:
    """A live list that begins beside past days, none of them told of the other's work, loses a third of a minute."""
    hours = [(OPENS_S, OPENS_S + 120)]
    alone = shares(0, OPENS_S + 120, hours)
    beside = shares(1, OPENS_S + 120, hours, hours, Lane(headroom=3, quiet_s=1e-6))
    lost = alone.count(alone.live, OPENS_S, OPENS_S + 60) - beside.count(beside.live, OPENS_S, OPENS_S + 60)
    assert lost > 15


def test_a_refusal_of_live_holds_past_days_too() -> None:
    """In their own process, which did not hear of it; a refusal of theirs does not hold live."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        live, (past,) = budgets()
        with pytest.raises(OverBudget):
            async with await past.acquire():
                raise OverBudget(-1, "too often")
        await live.acquire()
        live_at_s = loop.time()
        await asyncio.sleep(60)
        with pytest.raises(OverBudget):
            async with await live.acquire():
                raise OverBudget(-1, "too often")
        refused_at_s = loop.time()
        await past.acquire()
        return live_at_s, loop.time() - refused_at_s

    live_at_s, held_s = run_virtual(main())
    assert live_at_s == 0
    assert held_s == pytest.approx(3.0)


def test_past_days_go_on_between_heartbeats() -> None:
    """A minute of live work every ten takes that minute, a pause and no more."""
    beats = [(start, start + 60.0) for start in range(0, 3600, 600)]
    beside = shares(1, HOUR_S, beats)
    assert len(beside.past) > 0.85 * (27 / 30) * (HOUR_S - 6 * 60)
    assert beside.count(beside.past, 601, 660) == 0
