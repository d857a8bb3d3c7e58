"""Whether workers do their work, from what their parts say of themselves. Pure: monotonic seconds as argument.

Unwell is a worker that, for longer than `PATIENCE_S`, does not read (Redis is away), cannot renew its leases, whose
sink does not answer, or whose handler does not come back from a call.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from brokertape.workers.counts import WorkerCounts, WorkerState

PATIENCE_S = 30.0  # a Redis or a database that restarts is back by then


class Observed(Protocol):
    """What can be observed: a `Service`."""

    counts: WorkerCounts
    state: WorkerState

    @property
    def labels(self) -> tuple[str, str]:
        """Group and channel."""


def unwell(state: WorkerState, now: float) -> list[str]:
    """What is wrong, a line each; empty if all is well."""
    found = [(trouble, now - since) for trouble, since in state.troubles.items()]
    late = [(what, age_s) for what, age_s in found if age_s > PATIENCE_S]
    if state.calls and (age_s := now - min(state.calls.values())) > state.call_patience_s:
        late.append(("a call of the handler does not come back", age_s))
    return [f"{what}, for {age_s:.0f} s" for what, age_s in late]


def report(observed: Sequence[Observed], now: float) -> dict[str, Any]:
    """Health for programs: `is_healthy`, and of every worker what is wrong and what it did."""
    workers = [
        {
            "group": one.labels[0],
            "channel": one.labels[1],
            "troubles": unwell(one.state, now),
            "lag": sum(one.state.lags.values()),
            "handled": one.counts.handled,
            "dead": one.counts.dead,
        }
        for one in observed
    ]
    return {"is_healthy": not any(one["troubles"] for one in workers), "workers": workers}
