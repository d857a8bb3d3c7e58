"""Processes on one window in Redis, killed over and over, in virtual time: the limit holds, and hardly any is lost."""

import pytest

from brokertape.simulator.virtual_time import run_virtual
from support.budget_load import (
    CountingGateway,
    OpenBudget,
    budgets_on_one_redis,
    budgets_that_forget,
    spend_together,
    use_of,
    violations,
)

HALF_AN_HOUR_S = 1800.0
SOME_MINUTES_S = 300.0


@pytest.mark.parametrize("processes", [1, 2])
def test_the_budget_is_kept_and_used_over_crashes(processes: int) -> None:
    """One every two minutes, jitter of up to 100 ms each way, stalls: no violation, 99 % used with down time in it."""
    gateway = CountingGateway(0.1, stall_chance=0.01)
    crashing = spend_together(budgets_on_one_redis(), gateway, HALF_AN_HOUR_S, processes, crash_every_s=120.0)
    received = run_virtual(crashing)
    assert violations(received) == 0
    assert use_of(received, HALF_AN_HOUR_S) >= 0.99


def violations_of_crashes(open_budget: OpenBudget) -> int:
    """Those of a process that hardly ever lives for ten seconds, on ways so slow that it leaves requests on them."""
    gateway = CountingGateway(jitter_s=1.0)
    return violations(run_virtual(spend_together(open_budget, gateway, SOME_MINUTES_S, 1, crash_every_s=5.0)))


def test_what_a_crash_leaves_on_its_way_counts() -> None:
    """The gateway receives it after its process has gone, and nobody ever sees the reply."""
    assert violations_of_crashes(budgets_on_one_redis()) == 0


def test_a_slot_that_counts_from_its_sending_is_caught() -> None:
    """The check that finds no violation above finds some when a crash leaves no high stamp."""
    assert violations_of_crashes(budgets_on_one_redis(stamp_ahead_s=0.0)) > 0


def test_a_process_that_forgets_what_it_sent_is_caught() -> None:
    """And when each start begins with an empty window."""
    assert violations_of_crashes(budgets_that_forget) > 0
