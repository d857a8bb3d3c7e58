"""A gateway that only counts, on virtual time: how much of the limit a budget uses, and how often it breaks it."""

import asyncio
import random
from typing import Any

from brokertape.publisher.budget import Budget, MemoryBudgetStore, Slot
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.virtual_time import VirtualClock


def virtual_budget(limit: Limit = Limit(), timeout_s: float = 5.0) -> Budget:  # noqa: B008 - frozen
    """A budget in memory on virtual time."""
    clock = VirtualClock(0)
    return Budget(MemoryBudgetStore(clock, limit, timeout_s), clock, limit, timeout_s, Pace())


async def spend(budget: Budget, seconds: float, jitter_s: float, stall_chance: float = 0.0) -> list[float]:
    """Ask for ever and give the receipt times: each way takes up to `jitter_s`, some replies stall 1 s more."""
    received: list[float] = []
    rng, requests = random.Random(7), set[asyncio.Task[Any]]()
    loop = asyncio.get_running_loop()

    async def ask(slot: Slot) -> None:
        async with slot:
            await asyncio.sleep(rng.uniform(0, jitter_s))
            received.append(loop.time())
            await asyncio.sleep(rng.uniform(0, jitter_s) + (rng.random() < stall_chance))

    while loop.time() < seconds:
        task = loop.create_task(ask(await budget.acquire()))
        requests.add(task)
        task.add_done_callback(requests.discard)
    await asyncio.gather(*requests)
    return sorted(received)


def violations(received: list[float], requests: int = 30, window_s: float = 30.0) -> int:
    """How many requests a gateway would refuse: the 1st and the 31st not more than 30 s apart."""
    return sum(later - earlier <= window_s for earlier, later in zip(received, received[requests:], strict=False))
