"""What is in hand, without Redis: when there is room for more."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from brokertape.tape.codec import encode_entry
from brokertape.tape.tasks import end_tasks
from brokertape.workers.counts import WorkerState
from brokertape.workers.delivery import Delivery, Entry
from brokertape.workers.desk import Desk
from brokertape.workers.settings import WorkerSettings
from support.tape_factory import TapeFactory
from support.waiting import until

BATCH = 50


class Settler:
    """Settles a batch once it is let; takes every entry for one to be handled."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.let = asyncio.Semaphore(0)

    async def examine(self, entries: Sequence[Entry]) -> list[Delivery]:
        """All of them, of one event."""
        event = TapeFactory().baseline()
        return [Delivery(entry, event) for entry in entries]

    async def settle(self, batch: Sequence[Delivery]) -> bool:
        """When it is let."""
        self.batches.append(len(batch))
        await self.let.acquire()
        return True


def entries(count: int) -> list[Entry]:
    """So many of them."""
    fields = encode_entry(TapeFactory().baseline())
    return [
        Entry(0, f"{number}-0", {key.encode(): value for key, value in fields.items()}, 1) for number in range(count)
    ]


async def test_there_is_room_while_the_second_half_is_handled() -> None:
    """Else reading and handling take turns: what is read next is decoded while the handler waits for its sink."""
    settler = Settler()
    settings = WorkerSettings(group="g", batch_size=BATCH, prefetch=2 * BATCH)
    desk: Desk[Any] = Desk(cast(Any, settler), settings, WorkerState())
    await desk.put(entries(2 * BATCH))
    working = asyncio.create_task(desk.work())
    await until(lambda: settler.batches == [BATCH])
    assert not await desk.has_room(0.0)
    room = asyncio.create_task(desk.has_room(30.0))
    settler.let.release()
    assert await room
    assert settler.batches == [BATCH, BATCH]
    assert desk.room == BATCH
    await end_tasks([working])
