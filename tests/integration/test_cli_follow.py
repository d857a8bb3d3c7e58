"""Following streams, and one book, for the commands that show them."""

import asyncio
import os
import pty
import select
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from brokertape.cli.follow import follow, last_ids
from brokertape.cli.redis_server import RedisServer
from brokertape.publisher.commit import BookStore, Committed
from brokertape.publisher.step import Append, Base, next_step
from brokertape.subscriber.redis_source import RedisSource
from brokertape.subscriber.source import Entry
from brokertape.tape.book import Book
from brokertape.tape.connection import RedisClient, connect
from brokertape.tape.keys import Keys
from brokertape.tape.rows import Row
from brokertape.tape.start import FIRST_ID
from support.cluster import three_nodes
from support.commands import COMMAND, START_TIMEOUT_S
from support.tables import row, snapshot
from support.tape_factory import create_tape

KEYS = Keys()
CODE = "HK.00700"
START_MS = 1_778_227_221_000


@asynccontextmanager
async def reading(client: RedisClient, *streams: str) -> AsyncIterator[AsyncIterator[list[Entry]]]:
    """The batches that come on `streams` from their first entry on."""
    stop = asyncio.Event()
    batches = follow(RedisSource(client, KEYS), dict.fromkeys(streams, FIRST_ID), stop)
    try:
        async with asyncio.timeout(20):
            yield batches
    finally:
        stop.set()
        await batches.aclose()  # type: ignore[attr-defined]


async def values(batches: AsyncIterator[list[Entry]], count: int) -> list[bytes]:
    """The field `n` of the next `count` entries."""
    found: list[bytes] = []
    while len(found) < count:
        found += [entry.fields[b"n"] for entry in await anext(batches)]
    return found


async def test_several_streams_come_in_the_order_of_their_ids(any_redis: redis.asyncio.Redis) -> None:
    """As far as they are read together."""
    for number, stream in enumerate("abab", 9):
        await any_redis.xadd(stream, {"n": number}, id=f"{number}-0")
    async with reading(any_redis, "a", "b", "none") as batches:
        assert await values(batches, 4) == [b"9", b"10", b"11", b"12"]
        await any_redis.xadd("b", {"n": "new"})
        assert await values(batches, 1) == [b"new"]


async def test_it_can_begin_with_what_comes_now(any_redis: redis.asyncio.Redis) -> None:
    """Also on a stream that nobody has written yet."""
    await any_redis.xadd("a", {"n": 1}, id="5-1")
    assert await last_ids(RedisSource(any_redis, KEYS), ["a", "none"]) == {"a": "5-1", "none": FIRST_ID}


@pytest.mark.server
async def test_a_redis_that_lost_its_end_is_followed_from_there(redis_server: RedisServer) -> None:
    """Entries with ids below those that were read, as a clock that was set back gives them, are not skipped."""
    client = connect(redis_server.url)
    async with client, reading(client, "a") as batches:
        await client.xadd("a", {"n": "old"}, id="9-0")
        assert await values(batches, 1) == [b"old"]
        redis_server.kill()
        for file in (redis_server.directory / "appendonlydir").iterdir():
            file.unlink()
        redis_server.start()
        assert await anext(batches) == []  # it has noticed
        await client.xadd("a", {"n": "new"}, id="5-0")
        assert await values(batches, 1) == [b"new"]


@pytest.mark.server
async def test_a_cluster_is_followed_over_all_its_slots(short_dir: Path, redis_program: Path) -> None:
    """One stream after the other: a single read over several slots would be refused."""
    with three_nodes(short_dir, redis_program) as nodes:
        async with connect(f"redis+cluster://127.0.0.1:{nodes[0].port}") as client:
            for number, tape in enumerate(KEYS.tapes()):
                await client.xadd(tape, {"n": number})
            async with reading(client, *KEYS.tapes()) as batches:
                found = await values(batches, KEYS.partitions)
            assert sorted(map(int, found)) == list(range(KEYS.partitions))


class Writer:
    """Polls of one code that are committed one after the other."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._store = BookStore(client, KEYS)
        self._polls = 0
        self.book: Book | None = None

    async def poll(self, *rows: Row) -> Book:
        """Commit a poll that answered with `rows`."""
        self._polls += 1
        poll = snapshot(rows, at=START_MS + 1000 * self._polls)
        step = next_step(Base(self.book), poll, commit=str(self._polls), source="/opend/x", now=poll.observed_at)
        assert isinstance(step, Append)
        written = await self._store.commit(self.book, step)
        assert isinstance(written, Committed)
        self.book = written.book
        return written.book


@pytest.mark.server
async def test_top_is_live_on_a_terminal(real_redis: redis.asyncio.Redis, shared_redis_server: RedisServer) -> None:
    """It shows the book, then what becomes of it, and ends cleanly on Ctrl-C."""
    await create_tape(real_redis)
    writer = Writer(real_redis)
    await writer.poll(row("buy", 1, "Goldman Sachs", 100))
    ours, theirs = pty.openpty()
    command = [*COMMAND, "top", CODE, "--redis", shared_redis_server.url]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: ASYNC220
    os.close(theirs)
    shown = await asyncio.to_thread(read_until, ours, "Goldman Sachs")
    await writer.poll(row("buy", 1, "UBS", 100))
    shown += await asyncio.to_thread(read_until, ours, "UBS")
    process.send_signal(signal.SIGINT)
    code = await asyncio.to_thread(process.wait, 10)
    os.close(ours)
    assert code == 0
    assert "Traceback" not in shown


def read_until(terminal: int, text: str) -> str:
    """What a terminal was sent, up to `text`."""
    shown = b""
    while text.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], START_TIMEOUT_S)
        assert ready, shown
        shown += os.read(terminal, 65536)
    return shown.decode(errors="replace")
