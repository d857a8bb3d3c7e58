"""Workers for tests: quick settings, a handler that remembers, and running one for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys
from brokertape.workers import TAPE, Delivery, MemoryPositions, Positions, Start, Worker, WorkerSettings

GROUP = "g"


def quick(
    consumer: str = "w1",
    *,
    start: Start = "earliest",
    **limits: Any,
) -> WorkerSettings:
    """Settings under which everything happens within tens of milliseconds."""
    quick_ones = {
        "block_ms": 20,
        "min_idle_ms": 90,
        "retry_first_s": 0.01,
        "retry_most_s": 0.05,
        "upkeep_every_s": 0.03,
        "lease_s": 0.6,
    }
    return WorkerSettings(group=GROUP, consumer=consumer, start=start, **{**quick_ones, **limits})


@dataclass
class Recorder:
    """A handler that remembers what it was given, and raises what `fault` gives for a batch."""

    fault: Callable[[Sequence[Delivery]], Exception | None] = lambda _batch: None
    batches: list[Sequence[Delivery]] = field(default_factory=list)
    handled: list[Delivery] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Ids of the events it handled, in order."""
        return [delivery.event.id for delivery in self.handled]

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        """Remember `batch`, unless it fails."""
        self.batches.append(batch)
        if (error := self.fault(batch)) is not None:
            raise error
        self.handled.extend(batch)


def a_worker(
    client: RedisClient,
    keys: Keys,
    handler: Recorder,
    settings: WorkerSettings | None = None,
    positions: Positions | None = None,
) -> Worker:
    """A worker that remembers positions in memory unless told otherwise."""
    return Worker(client, keys, TAPE, handler, positions=positions or MemoryPositions(), settings=settings or quick())


@asynccontextmanager
async def running(worker: Worker[Any]) -> AsyncIterator[asyncio.Event]:
    """`worker` at work inside the block, stopped in good order after it; its stop event."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task
