"""Work that a cancellation does not cut off."""

import asyncio

import pytest

from brokertape.tape.tasks import end_tasks
from brokertape.workers.storage import Storage, StoredPositions
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.whole import whole
from support.storages import deliveries
from support.tape_database import count
from support.tape_factory import TapeFactory


async def test_a_cancellation_waits_for_the_end() -> None:
    """However often it is asked for; then it is obeyed."""
    may_end, ended = asyncio.Event(), asyncio.Event()

    @whole
    async def work() -> None:
        await may_end.wait()
        ended.set()

    task = asyncio.ensure_future(work())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_failure_and_a_result_come_through() -> None:
    """As if nothing were around them."""

    @whole
    async def divide(number: int) -> float:
        return 1 / number

    assert await divide(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        await divide(0)


async def test_a_cancelled_transaction_leaves_no_lock(database_url: str) -> None:
    """At whatever point it was: others write at once, and what it wrote is whole or not there."""
    events = TapeFactory().day(60)
    async with open_database(database_url) as database:
        for turns in range(0, 60, 3):
            storing = asyncio.ensure_future(Storage(database).handle(deliveries(events)))
            saving = asyncio.ensure_future(StoredPositions(database, "h").save({0: f"{turns}-1"}))
            for _ in range(turns):
                await asyncio.sleep(0.0002)
            await end_tasks([storing, saving])
            async with asyncio.timeout(10):
                await StoredPositions(database, "g").save({0: f"{turns}-0"})
            assert count(database_url) in (0, len(events))
