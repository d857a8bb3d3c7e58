"""A gateway that only counts, on virtual time: how much of the limit a budget uses, and how often it breaks it."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import fakeredis

from brokertape.publisher.budget import Budget, BudgetStore, MemoryBudgetStore, RedisBudgetStore, Slot
from brokertape.publisher.lane import LIVE, Lane
from brokertape.publisher.window import Limit, Pace
from brokertape.simulator.virtual_time import VirtualClock
from brokertape.tape import Keys
from support.fake_redis import fake_redis
from support.windows import fixed_window

LIMIT = Limit()
WINDOW_S = LIMIT.window_s
TIMEOUT_S = 5.0
START_UP_S = 1.0  # from a crash to the first request that the next process may send
REDIS_WAY_S = 0.002  # to Redis, and back, at most

OpenBudget = Callable[[], AbstractAsyncContextManager[Budget]]


class CountingGateway:
    """Notes when it receives requests. What was sent goes on travelling, whatever becomes of its sender."""

    def __init__(self, jitter_s: float, stall_chance: float = 0.0, seed: int = 7) -> None:
        self.received: list[float] = []
        self._jitter_s = jitter_s
        self._stall_chance = stall_chance
        self._rng = random.Random(seed)
        self._travelling = set[asyncio.Task[None]]()

    async def ask(self) -> None:
        """Send a request and wait for its reply."""
        travel = asyncio.create_task(self._travel())
        self._travelling.add(travel)
        travel.add_done_callback(self._travelling.discard)
        await asyncio.shield(travel)

    async def _travel(self) -> None:
        """Each way takes up to the jitter; some replies stall 1 s more."""
        await asyncio.sleep(self._rng.uniform(0, self._jitter_s))
        self.received.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._rng.uniform(0, self._jitter_s) + (self._rng.random() < self._stall_chance))

    async def all_arrived(self) -> list[float]:
        """The receipt times, once nothing travels any more."""
        await asyncio.gather(*self._travelling)
        return self.received


class FarStore:
    """A store a network away, so that a crash also falls between the slot and its request."""

    def __init__(self, store: BudgetStore) -> None:
        self._store = store
        self._rng = random.Random(7)

    async def reserve(self, request_id: str, guard_s: float, lane: Lane = LIVE) -> float:
        """See BudgetStore."""
        await self._way()
        wait_s = await self._store.reserve(request_id, guard_s, lane)
        await self._way()
        return wait_s

    async def pause_s(self) -> float:
        """As the near one."""
        return await self._store.pause_s()

    async def settle(self, request_id: str, hold_s: float = 0.0) -> None:
        """See BudgetStore."""
        await self._way()
        await self._store.settle(request_id, hold_s)
        await self._way()

    async def _way(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, REDIS_WAY_S))


def virtual_budget(limit: Limit = LIMIT, timeout_s: float = TIMEOUT_S) -> Budget:
    """A budget in memory on virtual time."""
    clock = VirtualClock(0)
    return Budget(MemoryBudgetStore(clock, limit, timeout_s), clock, limit, timeout_s, Pace())


def budgets_on_one_redis(stamp_ahead_s: float = TIMEOUT_S) -> OpenBudget:
    """Opens budgets, one for the life of a process, that share a new Redis and nothing else; its TIME is virtual too.

    An unanswered slot counts from `stamp_ahead_s` on, which only a test that breaks the rule sets otherwise.
    """
    server, clock, keys = fakeredis.FakeServer(), VirtualClock(1_700_000_000_000), Keys()

    @asynccontextmanager
    async def open_budget() -> AsyncIterator[Budget]:
        async with fake_redis(server, clock.now_s) as client:
            store = RedisBudgetStore(
                client, keys, fixed_window(keys.budget("a")), LIMIT, stamp_ahead_s, tape_existed=False
            )
            yield Budget(FarStore(store), clock, LIMIT, TIMEOUT_S, Pace())

    return open_budget


def budgets_that_forget() -> AbstractAsyncContextManager[Budget]:
    """Opens a budget on a Redis of its own: a process that begins with an empty window."""
    return budgets_on_one_redis()()


async def spend(budget: Budget, seconds: float, jitter_s: float, stall_chance: float = 0.0) -> list[float]:
    """Ask without end and give the receipt times."""
    gateway = CountingGateway(jitter_s, stall_chance)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ask_without_end(budget, gateway)
    return await gateway.all_arrived()


async def spend_together(
    open_budget: OpenBudget,
    gateway: CountingGateway,
    seconds: float,
    processes: int,
    *,
    crash_every_s: float = math.inf,
    seed: int = 7,
) -> list[float]:
    """Processes ask without end, of which one crashes every so often, each in its turn. Gives the receipt times."""
    crashes = crash_times(seconds, crash_every_s, random.Random(seed))
    async with asyncio.TaskGroup() as lives:
        for number in range(processes):
            lives.create_task(live(open_budget, gateway, [*crashes[number::processes], seconds]))
    return await gateway.all_arrived()


def crash_times(seconds: float, every_s: float, rng: random.Random) -> list[float]:
    """One at a random moment of every `every_s`."""
    return [(number + rng.random()) * every_s for number in range(int(seconds / every_s))]


async def live(open_budget: OpenBudget, gateway: CountingGateway, ends: list[float]) -> None:
    """A process that is killed at each of `ends` and started again, knowing nothing; the last ends it."""
    for end_s in ends:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end_s), open_budget() as budget:
                await ask_without_end(budget, gateway)
        await asyncio.sleep(START_UP_S)


async def ask_without_end(budget: Budget, gateway: CountingGateway) -> None:
    """Cancelled, it leaves its requests as a crash would: none is settled."""

    async def ask(slot: Slot) -> None:
        async with slot:
            await gateway.ask()

    async with asyncio.TaskGroup() as requests:
        while True:
            requests.create_task(ask(await budget.acquire()))


def use_of(received: list[float], seconds: float) -> float:
    """Share of the limit used, from the end of the first window, whose slots were all free.

    The second and the last one fade in and out: a whole window's requests may come in its first half, and it must not
    matter where in a window the count begins.
    """
    faded = sum(max(0.0, min(1.0, at / WINDOW_S - 1, (seconds - at) / WINDOW_S)) for at in received)
    return faded / (seconds - 2 * WINDOW_S) * WINDOW_S / LIMIT.requests


def violations(received: list[float], requests: int = 30, window_s: float = 30.0) -> int:
    """How many requests a gateway would refuse: the 1st and the 31st not more than 30 s apart."""
    return sum(later - earlier <= window_s for earlier, later in zip(received, received[requests:], strict=False))
