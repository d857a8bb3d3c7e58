"""Storage workers killed at random points, over and over: every event stored exactly once at the end."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis.asyncio
from msgspec.structs import replace

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.codec import encode_entry
from brokertape.tape.events import ChangeEvent, HistoryEvent, TapeEvent
from brokertape.tape.keys import Keys
from support import store_process
from support.forking import Process
from support.storages import past_day
from support.tape_database import assert_holds, count, query
from support.tape_factory import TapeFactory, create_tape, dead_letters, pending, publish

pytestmark = pytest.mark.server

GROUP = "storage"
CODES = 12
SLICE = 10  # changes of every code published a round
LONGEST_BEGINNING_S = 1.0  # a process needs most of that to begin


@dataclass
class Planted:
    """What is on the tape: good events, past days, and entries that nobody can store."""

    client: redis.asyncio.Redis
    keys: Keys
    factories: list[TapeFactory]
    events: list[TapeEvent] = field(default_factory=list)
    days: list[HistoryEvent] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """The baselines."""
        await self._publish([factory.baseline() for factory in self.factories])

    async def go_on(self, round_: int) -> None:
        """A slice of the day, a past day, and in every fifth round poison of both kinds in the middle of it."""
        await self._publish([factory.change() for _ in range(SLICE) for factory in self.factories])
        if round_ % 5 == 0:
            await self._plant(round_)
        await self._publish([factory.change() for factory in self.factories])
        day = past_day(
            self.factories[0].code, f"2025-{round_ // 28 + 1:02}-{round_ % 28 + 1:02}", self.factories[0].rows
        )
        await self.client.xadd(self.keys.history, dict[Any, Any](encode_entry(day)))
        self.days.append(day)

    async def _publish(self, events: list[TapeEvent]) -> None:
        await publish(self.client, self.keys, events)
        self.events += events

    async def _plant(self, round_: int) -> None:
        tape = self.keys.tape(round_ % self.keys.partitions)
        unreadable: Any = await self.client.xadd(tape, {"payload": "{", "encoding": "json"})
        self.poison.append(unreadable.decode())
        data = replace(self.events[-1].data, data_time=2**63)  # more than a database can hold
        unstorable = replace(self.events[-1], data=data, id=f"HK.99999/{round_ + 1}/1")
        [entry_id] = await publish(self.client, self.keys, [unstorable])
        self.poison.append(entry_id)


@contextmanager
def mortals(url: str, database: str, workers: int) -> Iterator[list[Process]]:
    """So many storage workers; whoever is killed in the list is to be replaced there."""
    processes = [store_process.start(url, database, f"w{number}") for number in range(workers)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def kill_rounds(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str, workers: int, rounds: int
) -> None:
    """Publish, kill a worker at a random moment, start another in its place, and again; then let them finish."""
    dice = random.Random(f"{workers}{rounds}")
    keys = await create_tape(client)
    planted = Planted(client, keys, [TapeFactory(f"HK.{number:05}") for number in range(1, CODES + 1)])
    await planted.begin()
    kills_in_hand = 0
    with mortals(redis_server.url, database, workers) as processes:
        for round_ in range(rounds):
            await planted.go_on(round_)
            await moment_of_death(dice, database, planted)
            victim = dice.randrange(workers)
            processes[victim].kill()
            processes[victim].wait()
            kills_in_hand += await pending(client, keys, GROUP) > 0
            name = f"w{victim}" if dice.random() < 0.5 else f"x{round_}"  # the same again, or a stranger
            processes[victim] = store_process.start(redis_server.url, database, name)
        await until_all_stored(database, planted)
        for process in processes:
            assert await asyncio.to_thread(store_process.stop, process) == 0
    assert kills_in_hand > 0, "no kill hit a worker at work"
    print(
        f"{rounds} kills, {kills_in_hand} with entries in hand, {len(planted.events)} events, {len(planted.days)} days"
    )
    await assert_all_is_well(client, database, planted)


async def moment_of_death(dice: random.Random, database: str, planted: Planted) -> None:
    """A random one: while the worker begins, or while it stores what was published."""
    if dice.random() < 0.3:
        await asyncio.sleep(dice.random() * LONGEST_BEGINNING_S)
        return
    stored = count(database)
    least = stored + dice.random() * (len(planted.events) - stored) * 0.9
    async with asyncio.timeout(60):
        while count(database) < least:
            await asyncio.sleep(0.001)


async def until_all_stored(database: str, planted: Planted) -> None:
    """Everything is stored, acknowledged or buried."""
    async with asyncio.timeout(90):
        while count(database) < len(planted.events) or await unfinished(planted):
            await asyncio.sleep(0.1)


async def unfinished(planted: Planted) -> int:
    """Entries that nobody has settled."""
    history = await planted.client.xinfo_groups(planted.keys.history)
    left: int = sum(group["pending"] + (group["lag"] or 0) for group in history)
    dead = len(await dead_letters(planted.client, planted.keys, GROUP))
    return left + await pending(planted.client, planted.keys, GROUP) + int(dead < len(planted.poison))


async def assert_all_is_well(client: redis.asyncio.Redis, database: str, planted: Planted) -> None:
    """Exactly one row per event and past day, the books at their ends, nothing pending, no other dead letters."""
    assert_holds(database, planted.events, planted.factories)
    assert sorted(row["id"] for row in query(database, "SELECT id FROM history")) == sorted(d.id for d in planted.days)
    changes = sum(len(event.data.changes) for event in planted.events if isinstance(event, ChangeEvent))
    assert query(database, "SELECT count(*) AS n FROM changes")[0]["n"] == changes
    assert await pending(client, planted.keys, GROUP) == 0
    dead = [letter[b"entry_id"].decode() for letter in await dead_letters(client, planted.keys, GROUP)]
    assert sorted(dead) == sorted(planted.poison)


@pytest.mark.timeout(300)
async def test_twenty_kills_lose_and_double_nothing(
    redis_server: RedisServer, client: redis.asyncio.Redis, database_url: str
) -> None:
    """One worker on SQLite, three in parallel on PostgreSQL."""
    await kill_rounds(redis_server, client, database_url, workers_for(database_url), rounds=20)


@pytest.mark.soak
async def test_two_hundred_kills_lose_and_double_nothing(
    redis_server: RedisServer, client: redis.asyncio.Redis, database_url: str
) -> None:
    """The same for longer."""
    await kill_rounds(redis_server, client, database_url, workers_for(database_url), rounds=200)


def workers_for(database_url: str) -> int:
    """How many workers a database is for."""
    return 3 if database_url.startswith("postgresql") else 1
