"""A stored week played again: subscribers are told the same, hash for hash."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio
from redis import Redis

from brokertape.cli.player import Progress, play
from brokertape.cli.redis_server import RedisServer
from brokertape.publisher.clock import SystemClock
from brokertape.publisher.commit import BookStore, Committed
from brokertape.publisher.replay_tape import Run, claim
from brokertape.publisher.step import Append
from brokertape.publisher.watch import open_tape
from brokertape.subscriber import Update, subscribe
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.tape.rows import Row
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.storage import Storage, StoreSettings, open_database, open_readonly, store
from brokertape.workers.storage.books import BookState, step
from brokertape.workers.storage.moments import PlaybackCounts
from brokertape.workers.storage.playback import Stretch, moments, plan_of
from support.commands import Ended, run_command, running
from support.simulated_week import CODES, DAYS, simulated_week
from support.storages import deliveries
from support.subscriptions import Listener, listening
from support.tape_database import alter, until_stored
from support.tape_factory import TapeFactory
from support.tape_writer import book_after
from support.waiting import until

# What a replay writes with is tested in tests/unit/publisher/test_replay_tape.py, and on a cluster.
pytestmark = pytest.mark.one_server

AGAIN = Keys("brokertape-replay")
WEEK = ("--from", "2026-05-04", "--to", "2026-05-12")
Told = dict[str, list[tuple[str, str, tuple[Row, ...]]]]


def told(listener: Listener) -> Told:
    """Per code the id, the hash and the rows of every update, in order."""
    found: Told = {code: [] for code in CODES}
    for event in listener.events:
        if isinstance(event, Update):
            rows = event.book.rows if event.book is not None else ()
            found[event.code].append((event.event.id, event.event.data.hash, rows))
    return found


async def all_told(listener: Listener, count: int) -> Told:
    """What was told once so many updates were."""
    await until(lambda: listener.count("baseline", "change", "rollover", "correction") >= count, 60)
    assert listener.count("resync") == 0
    return told(listener)


async def publish(client: redis.asyncio.Redis, keys: Keys, events: Sequence[TapeEvent]) -> None:
    """Commit `events` as their publisher did, the codes beside each other: every commit waits for the disk."""
    bookstore = BookStore(client, keys)

    async def publish_code(code: str) -> None:
        held, state = None, None
        for event in events:
            if event.data.code != code:
                continue
            after = step(state, event)
            assert isinstance(after, BookState)
            done = await bookstore.commit(held, Append(event, book_after(event, after.rows)))
            assert isinstance(done, Committed)
            held, state = done.book, after

    await asyncio.gather(*(publish_code(code) for code in CODES))


@asynccontextmanager
async def storing(url: str, database: str) -> AsyncIterator[None]:
    """A storage worker at work."""
    stop = asyncio.Event()
    worker = WorkerSettings(group="storage", block_ms=20)
    working = asyncio.create_task(store(StoreSettings(redis_url=url, database=database, worker=worker), stop))
    try:
        yield
    finally:
        stop.set()
        await working


@pytest.fixture
async def live(redis_server: RedisServer, database_url: str) -> Told:
    """The week as it was told live, on a real server, to who was there from the beginning; it is stored meanwhile."""
    week = simulated_week().events
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis.asyncio.Redis.from_url(redis_server.url))
        await open_tape(client, Keys())
        listener = await stack.enter_async_context(listening(subscribe(redis_server.url, CODES)))
        await until(lambda: listener.tape.position is not None)
        await stack.enter_async_context(storing(redis_server.url, database_url))
        await publish(client, Keys(), week)
        await until_stored(database_url, len(week))
        return await all_told(listener, len(week))


def replay(server: RedisServer, database: str, *flags: str, cwd: Path) -> Ended:
    """The command, as fast as it goes."""
    return run_command("replay", *flags, "--speed", "max", "--database", database, "--redis", server.url, cwd=cwd)


async def told_from_the_start(server: RedisServer, count: int) -> Told:
    """What somebody is told who reads the whole tape of the replay."""
    async with listening(subscribe(server.url, CODES, start="earliest", prefix=AGAIN.prefix)) as listener:
        return await all_told(listener, count)


async def test_who_reads_the_replay_from_the_start_is_told_what_was_told_live(
    redis_server: RedisServer, database_url: str, live: Told, tmp_path: Path
) -> None:
    """The same sequence of states, over rollovers, a correction and a second epoch."""
    ended = await asyncio.to_thread(replay, redis_server, database_url, *WEEK, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    count = len(simulated_week().events)
    assert f"replayed 4 codes: {count} events, 0 holes" in ended.out
    assert await told_from_the_start(redis_server, count) == live
    assert sum(map(len, live.values())) == count


async def test_who_was_there_before_the_first_event_is_told_the_same(
    redis_server: RedisServer, database_url: str, live: Told
) -> None:
    """Joined on the empty tape; every list is the event's, none is read anew."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis.asyncio.Redis.from_url(redis_server.url))
        database = await stack.enter_async_context(open_readonly(database_url))
        plan = await plan_of(database, Stretch(0, 4_000_000_000_000))
        assert plan is not None
        tape = await claim(client, AGAIN, Run.new(0, 1), may_replace=False)
        listener = await stack.enter_async_context(listening(subscribe(redis_server.url, CODES, prefix=AGAIN.prefix)))
        await until(lambda: listener.tape.position is not None)
        found = moments(database, plan, PlaybackCounts())
        await play(found, tape, plan.first_at, math.inf, SystemClock(), Progress())
        await tape.end("over")
        assert await all_told(listener, len(simulated_week().events)) == live


async def test_the_middle_of_a_day_begins_with_the_lists_of_then(
    redis_server: RedisServer, database_url: str, live: Told, tmp_path: Path
) -> None:
    """Every code's state is there first; what is told is the same part of the sequence."""
    day = DAYS[2].isoformat()
    flags = ("--from", f"{day} 13:00", "--to", f"{day} 15:00", "--code", CODES[0], "--code", CODES[1])
    ended = await asyncio.to_thread(replay, redis_server, database_url, *flags, cwd=tmp_path)
    played = int(ended.out.partition(": ")[2].split()[0])
    again = await told_from_the_start(redis_server, played)
    of_day = {event.id for event in simulated_week().events if event.data.trading_date == day}
    for code in CODES[:2]:
        ids = [event_id for event_id, _, _ in again[code]]
        first = [event_id for event_id, _, _ in live[code]].index(ids[0])
        assert again[code] == live[code][first : first + len(ids)]
        assert first > 0
        assert set(ids) < of_day
    assert [again[code] for code in CODES[2:]] == [[], []]


async def test_a_killed_replay_is_begun_again(
    redis_server: RedisServer, database_url: str, live: Told, tmp_path: Path
) -> None:
    """kill -9 in the middle leaves a tape that only --replace deletes; the next one is whole."""
    where = ("--database", database_url, "--redis", redis_server.url)
    with running("first", "replay", *WEEK, "--speed", "3600", *where, directory=tmp_path) as first:
        await asyncio.to_thread(first.until, lambda _: _entries(redis_server) > 20)
        first.process.kill()
        first.process.wait()
    refused = await asyncio.to_thread(replay, redis_server, database_url, *WEEK, cwd=tmp_path)
    assert "--replace" in refused.complaint
    ended = await asyncio.to_thread(replay, redis_server, database_url, *WEEK, "--replace", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert await told_from_the_start(redis_server, len(simulated_week().events)) == live


def _entries(server: RedisServer) -> int:
    with Redis.from_url(server.url) as client:
        return sum(int(client.xlen(tape)) for tape in AGAIN.tapes())


async def test_a_hole_is_said_and_passed_over(
    redis_server: RedisServer, database_url: str, live: Told, tmp_path: Path
) -> None:
    """What is told up to it and from the next complete list on is the same; one line names the code."""
    lost = next(n for n, (event_id, _, _) in enumerate(live[CODES[0]]) if event_id.endswith("/100"))
    alter(database_url, f"DELETE FROM events WHERE id = '{live[CODES[0]][lost][0]}'")
    ended = await asyncio.to_thread(replay, redis_server, database_url, *WEEK, cwd=tmp_path)
    assert (ended.code, ended.err.count("is not stored whole")) == (0, 1)
    assert CODES[0] in ended.err
    assert "1 holes" in ended.out
    async with listening(subscribe(redis_server.url, CODES[0], start="earliest", prefix=AGAIN.prefix)) as listener:
        last = live[CODES[0]][-1][0]
        await until(lambda: any(isinstance(one, Update) and one.event.id == last for one in listener.events), 30)
        ids = [event_id for event_id, _, _ in told(listener)[CODES[0]]]
    rollover = next(n for n, one in enumerate(live[CODES[0]]) if n > lost and _is_rollover(one[0]))
    expected = live[CODES[0]][:lost] + live[CODES[0]][rollover:]
    assert ids == [event_id for event_id, _, _ in expected]
    assert listener.count("resync") == 1


def _is_rollover(event_id: str) -> bool:
    return any(event.id == event_id and event.kind == "rollover" for event in simulated_week().events)


def test_ctrl_c_ends_a_replay_cleanly(redis_server: RedisServer, database_url: str, live: Told, tmp_path: Path) -> None:
    """Says how far it came; the feed says that nothing more comes, and the tape is free at once."""
    where = ("--database", database_url, "--redis", redis_server.url)
    with running("first", "replay", *WEEK, *where, directory=tmp_path) as first:
        first.until(lambda _: _entries(redis_server) >= 4)
        ended = first.interrupt()
    assert (ended.code, ended.err) == (130, "")
    assert "ended early, at 2026-05-04 09:30" in ended.out
    assert replay(redis_server, database_url, *WEEK, "--replace", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--day", "2026-05-09"), "has no event from 2026-05-09 00:00:00 to 2026-05-10 00:00:00"),
        (("--day", "2026-05-08", "--prefix", "brokertape"), "that is the live tape's"),
        (("--day", "2026-05-08", "--prefix", "taken"), "was not made by a replay"),
        (("--day", "2026-05-08", "--partitions", "3"), "power of two"),
        (("--day", "2026-05-08", "--prefix", "a b"), "key prefix"),
        (("--day", "8 May"), "write a date as 2026-05-08"),
        (("--day", "9999-12-31"), "write a date as 2026-05-08"),
        ((), "--from and --to"),
    ],
)
async def test_what_cannot_be_replayed_is_one_clear_line(
    redis_server: RedisServer, database_url: str, tmp_path: Path, flags: tuple[str, ...], line: str
) -> None:
    """And exit code 2; no tape is made."""
    async with open_database(database_url) as database:
        await Storage(database).handle(deliveries(TapeFactory().day(2)))
    with Redis.from_url(redis_server.url) as client:
        client.hset("taken:meta", mapping={"schema": "1", "partitions": "16"})
        assert line in replay(redis_server, database_url, *flags, cwd=tmp_path).complaint
        assert not client.exists(AGAIN.meta)
