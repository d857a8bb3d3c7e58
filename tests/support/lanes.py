"""A live list and past days on one window, on virtual time: who gets how much of it, and who waits how long."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from brokertape.publisher.budget import Budget, MemoryBudgetStore
from brokertape.publisher.lane import LIVE, Lane
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.virtual_time import VirtualClock

LIMIT = Limit()
PAST = Lane(headroom=3, quiet_s=5.0)
TIMEOUT_S = 5.0
Hours = Sequence[tuple[float, float]]  # when live has work without end, in s from the start


@dataclass
class Shares:
    """When the gateway received requests (s from the start), by lane, and how long live waited for each slot."""

    live: list[float] = field(default_factory=list)
    past: list[float] = field(default_factory=list)
    live_waits: list[tuple[float, float]] = field(default_factory=list)  # (when it got the slot, after how long)

    @property
    def received(self) -> list[float]:
        """All of them, in order."""
        return sorted([*self.live, *self.past])

    def count(self, lane: list[float], begin_s: float, end_s: float) -> int:
        """How many of a lane were received from `begin_s` to before `end_s`."""
        return sum(begin_s <= at < end_s for at in lane)

    def longest_wait_s(self, begin_s: float, end_s: float) -> float:
        """The longest that live waited for a slot that it got in that time."""
        return max((wait_s for at, wait_s in self.live_waits if begin_s <= at < end_s), default=0.0)


def budgets(count: int = 1, past: Lane = PAST) -> tuple[Budget, list[Budget]]:
    """A live budget, and `count` of past days, as processes of their own would have them, on one window."""
    clock = VirtualClock(0)
    store = MemoryBudgetStore(clock, LIMIT, TIMEOUT_S)
    behind = [Budget(store, clock, LIMIT, TIMEOUT_S, Pace(), past) for _ in range(count)]
    return Budget(store, clock, LIMIT, TIMEOUT_S, Pace(), LIVE), behind


async def share(
    live: Budget,
    behind: Sequence[Budget],
    seconds: float,
    hours: Hours,
    *,
    past_hours: Hours | None = None,
    jitter_s: float = 0.1,
    seed: int = 7,
) -> Shares:
    """Spend both for `seconds`: live in `hours`, past days in `past_hours`, by default always."""
    shares, rng, requests = Shares(), random.Random(seed), set[asyncio.Task[Any]]()
    loop = asyncio.get_running_loop()

    async def ask(slot: Any, received: list[float]) -> None:
        async with slot:
            await asyncio.sleep(rng.uniform(0, jitter_s))
            received.append(loop.time())
            await asyncio.sleep(rng.uniform(0, jitter_s))

    async def spend(budget: Budget, hours: Hours, received: list[float], waits: list[tuple[float, float]]) -> None:
        for begin_s, end_s in hours:
            await asyncio.sleep(max(0.0, begin_s - loop.time()))
            while (before_s := loop.time()) < end_s:
                slot = await budget.acquire()
                waits.append((loop.time(), loop.time() - before_s))
                task = loop.create_task(ask(slot, received))
                requests.add(task)
                task.add_done_callback(requests.discard)

    spending = [asyncio.create_task(spend(live, hours, shares.live, shares.live_waits))]
    spending += [asyncio.create_task(spend(one, past_hours or [(0, seconds)], shares.past, [])) for one in behind]
    await asyncio.sleep(seconds)
    for task in spending:
        task.cancel()
    await asyncio.gather(*requests)
    return shares
