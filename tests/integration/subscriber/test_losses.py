"""Whatever happens to Redis or to the stream: no hole goes unsaid, none is made up, the book ends up right."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from brokertape.cli.redis_server import RedisServer
from brokertape.subscriber import State, Subscription, Update, subscribe
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from support.subscriptions import Listener, listening
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.waiting import until

CODE = "HK.00700"


class Place:
    """A Redis that can be hurt, and a writer of one code that outlives it."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.client = connect(server.url)
        self.keys = Keys()
        self.factory = TapeFactory(CODE, epoch=time.time_ns() // 1_000_000)

    @property
    def tape(self) -> str:
        """The stream of the code."""
        return self.keys.tape_of(CODE)

    async def write(self, changes: int) -> None:
        """So many changes more."""
        await TapeWriter(self.client, self.keys, self.factory).change(changes)

    async def drop_connections(self) -> None:
        """All but our own."""
        await self.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def restart(self) -> None:
        """kill -9, and start again on the same file."""
        self.server.kill()
        self.server.start()
        await self.client.aclose()
        self.client = connect(self.server.url)

    async def caught_up(self, listener: Listener) -> None:
        """Wait until the subscriber is where the writer is, and see that it holds the very same list."""
        await listener.reached(CODE, (self.factory.epoch, self.factory.seq), timeout_s=30)
        book = listener.tape.book(CODE)
        assert book is not None
        assert book.rows == self.factory.rows


@pytest.fixture
async def place(redis_server: RedisServer) -> AsyncIterator[Place]:
    """A tape with a baseline."""
    place = Place(redis_server)
    await create_tape(place.client)
    await TapeWriter(place.client, place.keys, place.factory).baseline()
    yield place
    await place.client.aclose()


def resyncs(listener: Listener) -> list[str]:
    """The reasons of all holes that were announced."""
    return [str(event.reason) for event in listener.events if isinstance(event, State) and event.kind == "resync"]


def is_in_order(listener: Listener) -> bool:
    """Whether no event was told twice or before an earlier one."""
    told = [event.event.data for event in listener.events if isinstance(event, Update)]
    versions = [(data.epoch, data.seq) for data in told]
    return versions == sorted(set(versions))


def slow(place: Place) -> Subscription:
    """A subscription that reads no further than one event ahead of its handler."""
    return subscribe(place.server.url, CODE, buffer=1)


async def test_a_lost_connection_loses_nothing(place: Place) -> None:
    """What happened meanwhile is told after it, every event of it."""
    async with listening(subscribe(place.server.url, CODE)) as listener:
        await listener.told("state")
        for _ in range(5):
            await place.drop_connections()
            await place.write(7)
            await place.caught_up(listener)
        assert listener.count("change") == 35
        assert resyncs(listener) == []
        assert is_in_order(listener)


async def test_a_killed_redis_loses_nothing(place: Place) -> None:
    """With its file flushed before it answers, it comes back with all it had acknowledged."""
    async with listening(subscribe(place.server.url, CODE)) as listener:
        await listener.told("state")
        for round_number in range(1, 4):
            await place.write(10)
            await place.restart()
            await place.write(10)
            await place.caught_up(listener)
            assert listener.count("disconnected") == listener.count("connected") == round_number
        assert listener.count("change") == 60
        assert resyncs(listener) == []
        assert is_in_order(listener)


async def test_exactly_the_holes_that_were_forced_are_announced(place: Place) -> None:
    """A stream trimmed under a slow reader, three times, between losses that make no hole."""
    async with listening(slow(place)) as listener:
        await listener.told("state")
        for hole in range(3):
            listener.go.clear()
            await place.write(40)  # the reader stops at the first few: there is no room
            await place.client.xtrim(place.tape, maxlen=5, approximate=False)
            listener.go.set()
            await place.caught_up(listener)
            assert len(resyncs(listener)) == hole + 1
            await place.drop_connections()
            await place.write(3)
            await place.restart()
            await place.write(3)
            await place.caught_up(listener)
        assert all("does not follow on" in reason for reason in resyncs(listener))
        assert len(resyncs(listener)) == 3
        assert is_in_order(listener)


async def test_a_hole_with_nothing_after_it_is_seen_by_the_watermark(place: Place) -> None:
    """The last events of the code were trimmed away unread, and nothing happens any more."""
    async with listening(slow(place)) as listener:
        await listener.told("state")
        listener.go.clear()
        await place.write(20)
        await place.client.xtrim(place.tape, maxlen=0, approximate=False)
        listener.go.set()
        await until(lambda: listener.count("change") > 0)
        assert resyncs(listener) == []
        await marks(place, lambda: resyncs(listener))
        await place.caught_up(listener)
        assert len(resyncs(listener)) == 1
        assert "the watermark stands at" in resyncs(listener)[0]


async def marks(place: Place, condition: Any) -> None:
    """Watermarks as a publisher sends them, until `condition` holds."""
    writer = TapeWriter(place.client, place.keys, place.factory)
    async with asyncio.timeout(30):
        while not condition():
            await writer.watermark(time.time_ns() // 1_000_000)
            await asyncio.sleep(0.5)


async def test_a_flushed_redis_takes_the_book_with_it(place: Place) -> None:
    """Nobody keeps a state that the store does not have; the next baseline is followed."""
    async with listening(subscribe(place.server.url, CODE)) as listener:
        await listener.told("state")
        await place.client.flushall()
        await create_tape(place.client)
        await place.drop_connections()
        await until(lambda: resyncs(listener))
        assert listener.tape.book(CODE) is None
        writer = TapeWriter(place.client, place.keys, place.factory)
        await writer.write(place.factory.new_epoch())
        await place.write(3)
        await place.caught_up(listener)
        assert listener.kinds[-4:] == ["baseline", "change", "change", "change"]


async def test_a_redis_restored_from_an_older_file_is_followed(place: Place, short_dir: Path) -> None:
    """What we had and the store has no more is given up, and said."""
    async with listening(subscribe(place.server.url, CODE)) as listener:
        await place.write(5)
        await place.caught_up(listener)
        saved = {path: path.read_bytes() for path in (short_dir / "r").rglob("appendonly*") if path.is_file()}
        kept = (place.factory.seq, place.factory.rows)
        await place.write(5)
        await place.caught_up(listener)
        place.server.kill()
        for path, content in saved.items():
            path.write_bytes(content)
        place.server.start()
        await listener.reached(CODE, (place.factory.epoch, kept[0]))
        book = listener.tape.book(CODE)
        assert book is not None
        assert book.rows == kept[1]
        assert resyncs(listener) == ["Redis lost the end of the tape"]
