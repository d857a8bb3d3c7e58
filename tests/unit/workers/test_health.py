"""Whether a worker is well."""

import json

from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.health import PATIENCE_S, report, unwell
from brokertape.workers.service import worker


@worker(group="mine")
async def nothing(_batch: object) -> None:
    """Does nothing."""


def test_a_new_trouble_is_no_illness() -> None:
    """A Redis that restarts is back before anybody should worry."""
    state = WorkerState()
    state.begin("partitions 0 to 15 are not read", 100.0)
    assert unwell(state, 100.0 + PATIENCE_S) == []
    assert unwell(state, 141.0) == ["partitions 0 to 15 are not read, for 41 s"]


def test_a_trouble_counts_from_its_beginning_and_ends() -> None:
    """However often it is said."""
    state = WorkerState()
    state.begin("x", 0.0)
    state.begin("x", 50.0)
    assert unwell(state, 60.0) == ["x, for 60 s"]
    state.end("x")
    assert unwell(state, 60.0) == []


def test_a_handler_that_does_not_come_back_is_an_illness() -> None:
    """The oldest call counts."""
    assert unwell(WorkerState(calls={1: 0.0, 2: 90.0}), 100.0) == [
        "a call of the handler does not come back, for 100 s"
    ]


def test_the_report_is_for_programs() -> None:
    """It names every worker and says what is wrong with it."""
    nothing.state = WorkerState(troubles={"x": 0.0}, lags={0: 3, 1: 4})
    nothing.counts = WorkerCounts(handled=5, dead=1)
    assert json.loads(json.dumps(report([nothing], 100.0))) == {
        "is_healthy": False,
        "workers": [
            {"group": "mine", "channel": "tape", "troubles": ["x, for 100 s"], "lag": 7, "handled": 5, "dead": 1}
        ],
    }
