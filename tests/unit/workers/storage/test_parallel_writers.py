"""Several workers on one PostgreSQL: each event once, and every book at its last event, however they overtake."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from brokertape.tape.events import TapeEvent
from brokertape.workers.storage.database import open_database
from brokertape.workers.storage.storage import Storage
from support.storages import Led, deliveries
from support.tape_database import assert_holds
from support.tape_factory import TapeFactory

STEPS = 7  # events, changes, closes, their rows, locks, books, commit
WORKERS = 4


def two_batches(number: int, *, is_sharing: bool) -> tuple[list[TapeFactory], list[TapeEvent], list[TapeEvent]]:
    """Events of two codes, torn into batches that need each other, and may share some; and their makers."""
    one, two = (TapeFactory(f"HK.{10 * number + code:05}") for code in (1, 2))
    first = [one.baseline(), one.change(), one.rollover(), one.change(), one.change(), one.rollover()]
    second = [two.baseline(), two.change(), two.change(), two.rollover()]
    here = [first[0], first[2], first[4], second[1], second[3]]
    there = [second[2], second[0], first[5], first[3], first[1]]
    return [one, two], here, [*there, first[2], second[3]] if is_sharing else there


# Sharing none, they meet at the books alone: an insert would wait for one of the same key.
@pytest.mark.parametrize("is_sharing", [False, True])
@pytest.mark.parametrize("before", range(STEPS + 1))
async def test_two_workers_interleaved_at_every_step(postgresql_url: str, before: int, is_sharing: bool) -> None:
    """One goes `before` steps, the other any number of steps, the first to its end, the other to its end."""
    async with AsyncExitStack() as stack:
        one, two, watcher = [await stack.enter_async_context(open_database(postgresql_url)) for _ in range(3)]
        factories: list[TapeFactory] = []
        events: dict[str, TapeEvent] = {}
        for between in range(STEPS + 1):
            codes, here, there = two_batches(10 * before + between, is_sharing=is_sharing)
            first, second = Led(one, watcher), Led(two, watcher)
            first.start(here)
            await first.advance(before)
            second.start(there)
            await second.advance(between)
            async with asyncio.timeout(10):
                await asyncio.gather(first.finish(), second.finish())
            factories += codes
            events |= {event.id: event for event in here + there}
    assert_holds(postgresql_url, events.values(), factories)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("seed", range(3))
async def test_many_workers_in_any_order(postgresql_url: str, seed: int, copies: int) -> None:
    """Events are handed to one or two of four workers, shuffled: no deadlock, one row each, books right."""
    rand = random.Random(seed)
    factories = [TapeFactory(f"HK.{number:05}", seed=seed) for number in range(1, 6)]
    events = [event for factory in factories for event in _day_with_everything(factory, rand)]
    queues: list[list[TapeEvent]] = [[] for _ in range(WORKERS)]
    for event in events:
        for queue in rand.sample(queues, copies):
            queue.append(event)
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(postgresql_url)) for _ in queues]
        storages = [Storage(database) for database in databases]
        async with asyncio.timeout(60):
            await asyncio.gather(*map(_store_shuffled, storages, queues, [rand] * WORKERS))
    assert_holds(postgresql_url, events, factories)
    assert sum(storage.counts.events for storage in storages) == len(events)
    assert sum(storage.counts.repeats for storage in storages) == (copies - 1) * len(events)


def _day_with_everything(factory: TapeFactory, rand: random.Random) -> list[TapeEvent]:
    makers = [factory.change] * 6 + [factory.rollover, factory.correction, factory.new_epoch]
    return [factory.baseline(), *(rand.choice(makers)() for _ in range(60))]


async def _store_shuffled(storage: Storage, queue: list[TapeEvent], rand: random.Random) -> None:
    rand.shuffle(queue)
    while queue:
        size = rand.randint(1, 40)
        batch, queue = queue[:size], queue[size:]
        await storage.handle(deliveries(batch))
