"""Workers for tests: quick settings, a handler that remembers, and running one for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys
from brokertape.tape.start import Start
from brokertape.workers import Delivery, MemoryPositions, Positions, Worker, WorkerSettings

GROUP = "g"


def quick(
    consumer: str = "w1",
    *,
    start: Start = Start.EARLIEST,
    batch_size: int = 500,
    min_idle_ms: int = 60,
    stop_timeout_s: float = 10.0,
) -> WorkerSettings:
    """Settings under which everything happens within tens of milliseconds."""
    return WorkerSettings(
        group=GROUP,
        consumer=consumer,
        start=start,
        batch_size=batch_size,
        block_ms=20,
        min_idle_ms=min_idle_ms,
        upkeep_every_s=0.03,
        stop_timeout_s=stop_timeout_s,
    )


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
    return Worker(client, keys, handler, positions=positions or MemoryPositions(), settings=settings or quick())


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[asyncio.Event]:
    """`worker` at work inside the block, stopped in good order after it; its stop event."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task
