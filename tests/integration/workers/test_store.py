"""The storage worker as a whole on real servers: crashes of everything, and one row per event at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from msgspec import structs

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.errors import StoreRefused, TapeMismatch
from brokertape.tape.events import TapeEvent
from brokertape.workers import TAPE, Worker
from brokertape.workers.storage import (
    CannotOpen,
    Storage,
    StoreCounts,
    StoredPositions,
    StoreSettings,
    UnsupportedDatabase,
    store,
)
from brokertape.workers.storage.database import open_database
from support import store_process
from support.tape_database import assert_holds, count, query, until_stored
from support.tape_factory import TapeFactory, create_tape, dead_letters, pending, publish, settled
from support.waiting import until
from support.workers import quick, running

pytestmark = pytest.mark.server

GROUP = "storage"


@pytest.fixture
def database(database_url: str) -> str:
    """Where the worker is told to store: every test runs on SQLite and on PostgreSQL."""
    return database_url


def settings(url: str, database: str, consumer: str = "w1") -> StoreSettings:
    """A quick storage worker."""
    worker = replace(quick(consumer), group=GROUP, min_idle_ms=150, upkeep_every_s=0.05)
    return StoreSettings(redis_url=url, database=database, worker=worker)


@asynccontextmanager
async def storing(given: StoreSettings) -> AsyncIterator[StoreCounts]:
    """A storage worker inside the block, stopped in good order after it; its counts."""
    stop, counts = asyncio.Event(), StoreCounts()
    task = asyncio.create_task(store(given, stop, counts))
    try:
        yield counts
    finally:
        stop.set()
        await task


def days(changes: int, codes: int = 6) -> tuple[list[TapeFactory], list[TapeEvent]]:
    """Events of several codes, mixed as a publisher polls them, and their makers."""
    factories = [TapeFactory(f"HK.{number:05}") for number in range(1, codes + 1)]
    each = [factory.day(changes) for factory in factories]
    return factories, [event for round_ in zip(*each, strict=True) for event in round_]


async def test_a_tape_is_stored_event_by_event(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """What was there before, and what comes while it runs; worker first, tape later."""
    factories, events = days(40)
    async with storing(settings(redis_server.url, database)) as counts:
        keys = await create_tape(client)
        await publish(client, keys, events[:100])
        await until(lambda: counts.storage.events == 100)
        await publish(client, keys, events[100:])
        await until(lambda: counts.storage.events == len(events))
        await until(lambda: len(query(database, "SELECT * FROM positions")) == keys.partitions + 1)  # and history's
    assert_holds(database, events, factories)
    assert await pending(client, keys, GROUP) == 0


async def test_events_delivered_again_make_no_second_row(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """The whole tape once more, by a group that begins anew."""
    factories, events = days(40)
    keys = await create_tape(client)
    await publish(client, keys, events)
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.storage.events == len(events))
    for tape in keys.tapes():
        await client.xgroup_setid(tape, GROUP, "0")
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.storage.repeats == len(events))
    assert counts.storage.events == 0
    assert_holds(database, events, factories)


async def test_the_same_event_twice_on_the_tape_is_one_row(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """Its id counts, not the entry's."""
    factories, events = days(5)
    keys = await create_tape(client)
    await publish(client, keys, events + events)
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.worker.handled == 2 * len(events))
    assert_holds(database, events, factories)


async def test_poison_does_not_keep_its_neighbours_out(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """A number the database cannot hold: that event becomes a dead letter, all others become rows."""
    factories, events = days(10)
    data = structs.replace(events[20].data, data_time=2**63)
    poison = structs.replace(events[20], data=data, id="HK.00001/1/1")
    keys = await create_tape(client)
    await publish(client, keys, [*events[:20], poison, *events[20:]])
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.storage.events == len(events))
        await until(lambda: counts.worker.dead == 1)
    assert_holds(database, events, factories)
    [dead] = await dead_letters(client, keys, GROUP)
    assert dead[b"error"].startswith(b"Unstorable: database ")
    assert await pending(client, keys, GROUP) == 0


async def test_a_flushed_redis_is_followed_on(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """The group is rebuilt and everything after the loss is stored."""
    factories, events = days(10)
    keys = await create_tape(client)
    await publish(client, keys, events)
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.storage.events == len(events))
        await client.flushall()
        later = [event for factory in factories for event in (factory.new_epoch(), factory.change())]
        await publish(client, keys, later)
        await until(lambda: counts.storage.events == len(events + later))
    assert counts.worker.groups_lost >= 1
    assert_holds(database, events + later, factories)


async def test_a_killed_redis_is_awaited(redis_server: RedisServer, client: redis.asyncio.Redis, database: str) -> None:
    """In the middle of the work, twice, once for a while; afterwards it goes on exactly where it was."""
    factories, events = days(200)
    keys = await create_tape(client)
    await publish(client, keys, events[:600])
    async with storing(settings(redis_server.url, database)) as counts:
        await until(lambda: counts.storage.events > 0)
        redis_server.kill()
        await until(lambda: counts.worker.reconnects > 2)
        redis_server.start()
        await publish(client, keys, events[600:])
        redis_server.kill()
        redis_server.start()
        await until(lambda: counts.storage.events == len(events))
        await settled(client, keys, GROUP)
    assert_holds(database, events, factories)
    assert counts.worker.groups_lost == 0


async def test_two_workers_of_a_group_share_one_storage(client: redis.asyncio.Redis, database: str) -> None:
    """Each event is stored by one of them; books come out right though batches overtake each other."""
    factories, events = days(60)
    keys = await create_tape(client)
    async with open_database(database) as opened:
        storage, positions = Storage(opened), StoredPositions(opened, GROUP)
        first, second = (
            Worker(client, keys, TAPE, storage.handle, positions=positions, settings=quick(name, min_idle_ms=60_000))
            for name in ("w1", "w2")
        )
        async with running(first), running(second):
            for start in range(0, len(events), 10):
                await publish(client, keys, events[start : start + 10])
                published = min(start + 10, len(events))
                await until(lambda published=published: storage.counts.events == published)  # type: ignore[misc]
    assert first.counts.handled > 0
    assert second.counts.handled > 0
    assert storage.counts.repeats == 0
    assert_holds(database, events, factories)


@pytest.mark.parametrize("death", ["die_before_ack", "die_before_commit"])
@pytest.mark.parametrize("heir", ["w1", "w2"], ids=["restarted", "claimed by another"])
async def test_a_crash_at_the_worst_moment_is_made_good(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str, death: str, heir: str
) -> None:
    """Between effect and acknowledgement, or inside the transaction; by the same worker or by another one."""
    factories, events = days(60)
    keys = await create_tape(client)
    await publish(client, keys, events)
    process = store_process.start(redis_server.url, database, "w1", death)
    assert await asyncio.to_thread(process.wait, 30) == -9
    assert await pending(client, keys, GROUP) > 0
    process = store_process.start(redis_server.url, database, heir)
    await until_stored(database, len(events))
    await settled(client, keys, GROUP)  # a stored entry that was never acknowledged must lie idle before it is claimed
    assert store_process.stop(process) == 0
    assert_holds(database, events, factories)
    assert await dead_letters(client, keys, GROUP) == []


async def test_a_stop_leaves_nothing_in_hand(
    redis_server: RedisServer, client: redis.asyncio.Redis, database: str
) -> None:
    """SIGTERM while it stores: what it read is stored and acknowledged, the rest was never taken."""
    _, events = days(400)
    keys = await create_tape(client)
    await publish(client, keys, events)
    process = store_process.start(redis_server.url, database)
    await until_stored(database, 50)
    assert await asyncio.to_thread(store_process.stop, process) == 0
    assert count(database) < len(events)
    assert await pending(client, keys, GROUP) == 0


@pytest.mark.parametrize(
    ("field", "value", "error", "line"),
    [
        ("database", "mysql://me:secret@host/tape", UnsupportedDatabase, "use a file path"),
        ("database", "/nowhere/tape.db", CannotOpen, "database /nowhere/tape.db: No such file or directory"),
        ("redis_url", "http://me:secret@host", StoreRefused, "start it with redis://"),
        ("prefix", "taken", TapeMismatch, "tape 'taken' has schema 9, this version reads 1"),
    ],
)
async def test_bad_settings_are_one_clear_line(
    redis_server: RedisServer,
    client: redis.asyncio.Redis,
    tmp_path: Path,
    field: str,
    value: str,
    error: type[Exception],
    line: str,
) -> None:
    """Said before anything is read, and without passwords."""
    await client.hset("taken:meta", mapping={"schema": "9", "partitions": "16"})
    values: dict[str, Any] = {
        "redis_url": redis_server.url,
        "database": str(tmp_path / "tape.db"),
        "prefix": "brokertape",
        field: value,
    }
    with pytest.raises(error) as raised:
        await store(StoreSettings(**values), asyncio.Event())
    assert line in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_settings_do_not_show_passwords() -> None:
    """A settings object ends up in logs and tracebacks."""
    assert "secret" not in repr(StoreSettings(redis_url="redis://me:secret@host", database="x://me:secret@host"))


async def test_a_wrong_password_is_one_clear_line(redis_program: Path, short_dir: Path) -> None:
    """It is no outage: waiting for it to pass would hide it."""
    arguments = ("--requirepass", "right")
    with RedisServer(short_dir / "r", program=redis_program, arguments=arguments) as server:
        given = settings(f"unix://:wrong@{server.socket}", str(short_dir / "tape.db"))
        async with asyncio.timeout(5):
            with pytest.raises(StoreRefused, match="Redis refused the login") as raised:
                await store(given, asyncio.Event())
    assert "wrong@" not in str(raised.value)
