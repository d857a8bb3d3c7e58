"""A user's own worker: ten lines, a start that is said, an end in order, metrics and health."""

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.book import Book
from brokertape.tape.codec import encode_entry
from brokertape.tape.events import HistoryEvent
from brokertape.tape.keys import Keys
from brokertape.workers import Delivery, Service, history_worker, worker
from brokertape.workers.endpoint import serve_endpoint
from brokertape.workers.errors import EndpointError
from brokertape.workers.figures import Figure
from support.commands import running as running_command
from support.storages import past_day
from support.tape_factory import TapeFactory, create_tape, pending, publish
from support.tape_writer import TapeWriter
from support.waiting import until

pytestmark = pytest.mark.server

SCRIPT = """
import sys
from brokertape.workers import worker

@worker(group="mine", block_ms=50)
async def show(batch):
    for delivery in batch:
        print(delivery.event.id, flush=True)

show.run(sys.argv[1])
print("ended in order", flush=True)
"""


@pytest.fixture
async def keys(real_redis: redis.asyncio.Redis) -> Keys:
    """An empty tape."""
    return await create_tape(real_redis)


@asynccontextmanager
async def serving(service: Service[Any], url: str) -> AsyncIterator[None]:
    """A service at work inside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(service.serve(url, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_ten_lines_make_a_worker(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys, tmp_path: Path
) -> None:
    """SIGTERM ends it in order: everything read is handled and acknowledged, and its name is gone from the group."""
    (tmp_path / "mine.py").write_text(SCRIPT)
    events = TapeFactory().day(30)
    await publish(real_redis, keys, events)
    program = (sys.executable, "mine.py", shared_redis_server.url)
    with running_command("mine", directory=tmp_path, program=program) as mine:
        await asyncio.to_thread(mine.until, lambda it: it.out.count("\n") == len(events))
        ended = await asyncio.to_thread(mine.signal, signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [*(event.id for event in events), "ended in order"]
    assert await pending(real_redis, keys, "mine") == 0
    assert await real_redis.xinfo_consumers(keys.tape_of("HK.00700"), "mine") == []


async def test_the_handler_can_be_called_without_any_redis() -> None:
    """The decorator leaves a function that tests can use."""
    seen: list[Sequence[Delivery]] = []

    @worker(group="mine")
    async def mine(batch: Sequence[Delivery]) -> None:
        seen.append(batch)

    await mine([])
    assert seen == [[]]


async def test_a_worker_begins_with_the_books(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """The books first, then exactly the changes after them; on a second start, only what is new."""
    writers = [TapeWriter(real_redis, keys, TapeFactory(code)) for code in ("HK.00700", "HK.00005")]
    for writer in writers:
        await writer.baseline()
        await writer.change(5)
    told: list[tuple[str, int]] = []

    @worker(group="mine", start="baseline", block_ms=20)
    async def mine(batch: Sequence[Delivery]) -> None:
        told.extend((one.event.data.code, one.event.data.seq) for one in batch)

    @mine.books
    async def begin(books: Sequence[Book]) -> None:
        told.extend((book.code, -book.seq) for book in books)

    async with serving(mine, shared_redis_server.url):
        await until(lambda: len(told) == 2)
        await writers[0].change()
        await until(lambda: len(told) == 3)
    async with serving(mine, shared_redis_server.url):
        await writers[1].change()
        await until(lambda: len(told) == 4)
    assert sorted(told[:2]) == [("HK.00005", -6), ("HK.00700", -6)]
    assert told[2:] == [("HK.00700", 7), ("HK.00005", 7)]


async def test_a_start_with_books_needs_a_handler_of_them(shared_redis_server: RedisServer) -> None:
    """Said at once, not when the first book comes."""

    @worker(group="mine", start="baseline")
    async def mine(_batch: Sequence[Delivery]) -> None:
        """Nothing."""

    with pytest.raises(ValueError, match=r"needs a worker on the tape with a handler of books"):
        await mine.serve(shared_redis_server.url, asyncio.Event())


async def test_a_worker_begins_at_a_moment(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """All from there on, nothing before."""
    factory = TapeFactory()
    ids = await publish(real_redis, keys, factory.day(5))
    seen: list[str] = []

    @worker(group="mine", since=ids[2], block_ms=20)
    async def mine(batch: Sequence[Delivery]) -> None:
        seen.extend(one.entry_id for one in batch)

    async with serving(mine, shared_redis_server.url):
        await until(lambda: len(seen) == 3)
    assert seen == ids[3:]


async def test_past_days_have_workers_of_their_own(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """On the history stream, with its events."""
    day = past_day("HK.00700", "2026-05-07", TapeFactory().rows)
    await real_redis.xadd(keys.history, dict[Any, Any](encode_entry(day)))
    seen: list[HistoryEvent] = []

    @history_worker(group="mine", block_ms=20)
    async def mine(batch: Sequence[Delivery[HistoryEvent]]) -> None:
        seen.extend(one.event for one in batch)

    async with serving(mine, shared_redis_server.url):
        await until(lambda: seen)
    assert seen == [day]


async def test_metrics_and_health_are_served(
    shared_redis_server: RedisServer, real_redis: redis.asyncio.Redis, keys: Keys
) -> None:
    """Counts and lag of the group; 503 once it is unwell."""
    await publish(real_redis, keys, TapeFactory().day(5))

    @worker(group="mine", block_ms=20, upkeep_every_s=0.05)
    async def mine(_batch: Sequence[Delivery]) -> None:
        """Nothing."""

    def figures() -> list[Figure]:
        return [Figure("mine_seen", "Ours.", {"kind": kind}, mine.counts.handled) for kind in ("a", "b")]

    endpoint = serve_endpoint(("127.0.0.1", 0), [mine], figures)
    async with endpoint as address, serving(mine, shared_redis_server.url):
        assert address is not None
        await until(lambda: mine.counts.handled == 6)
        status, body = await get(address, "/metrics")
        assert (status, 'brokertape_worker_handled_total{channel="tape",group="mine"} 6.0' in body) == (200, True)
        assert 'mine_seen_total{kind="a"} 6.0\nmine_seen_total{kind="b"} 6.0\n' in body
        status, body = await get(address, "/health")
        assert (status, json.loads(body)["is_healthy"]) == (200, True)
        mine.state.begin("the sink does not answer", -1000.0)
        status, body = await get(address, "/health")
        assert (status, json.loads(body)["is_healthy"]) == (503, False)
        assert (await get(address, "/"))[0] == 404


async def test_an_endpoint_that_is_taken_is_one_clear_line() -> None:
    """Before the worker begins."""
    async with serve_endpoint(("127.0.0.1", 0), []) as address:
        with pytest.raises(EndpointError, match=r"cannot serve metrics at 127\.0\.0\.1:"):
            async with serve_endpoint(address, []):
                pass


async def get(address: tuple[str, int], path: str) -> tuple[int, str]:
    """Status and body of a GET."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)
