"""A tape in memory and one in a real server: the same to a subscription."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from brokertape.cli.redis_server import RedisServer
from brokertape.subscriber import Update, subscribe
from brokertape.subscriber.redis_source import RedisSource
from brokertape.subscriber.source import Source
from brokertape.tape.connection import RedisClient, connect
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.testing import MemoryTape
from support.subscriptions import listening
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter

CODE = "HK.00700"


class Place(Protocol):
    """A tape, and what happens to it."""

    factory: TapeFactory

    def source(self) -> Source:
        """A new source on it."""

    async def push(self, event: TapeEvent) -> None:
        """An event and the book it leads to."""

    async def lose(self, event: TapeEvent) -> None:
        """The book without the event."""

    async def wanted(self) -> dict[str, float]:
        """The weight of every code that is asked for."""


class InMemory:
    """The test kit's."""

    def __init__(self) -> None:
        self.factory = TapeFactory(CODE, epoch=time.time_ns() // 1_000_000)
        self._tape = MemoryTape()

    def source(self) -> Source:
        return self._tape

    async def push(self, event: TapeEvent) -> None:
        self._tape.push(event)

    async def lose(self, event: TapeEvent) -> None:
        self._tape.lose(event)

    async def wanted(self) -> dict[str, float]:
        return {code: want.weight for code, want in self._tape.wants.items()}


class InRedis:
    """As a publisher writes it."""

    def __init__(self, client: RedisClient, url: str) -> None:
        self.factory = TapeFactory(CODE, epoch=time.time_ns() // 1_000_000)
        self._client = client
        self._url = url
        self._keys = Keys()
        self._writer = TapeWriter(client, self._keys, self.factory)

    def source(self) -> Source:
        return RedisSource(connect(self._url), self._keys)

    async def push(self, event: TapeEvent) -> None:
        await self._writer.write(event)

    async def lose(self, event: TapeEvent) -> None:
        await self._writer.lose(event)

    async def wanted(self) -> dict[str, float]:
        stored: Any = await self._client.hgetall(self._keys.interest_want)
        return {member.decode().split("|")[0]: json.loads(want)["weight"] for member, want in stored.items()}


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.server)])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Each kind in turn."""
    if request.param == "memory":
        yield InMemory()
        return
    server: RedisServer = request.getfixturevalue("shared_redis_server")
    async with connect(server.url) as client:
        await client.flushall()
        await create_tape(client)
        yield InRedis(client, server.url)


async def test_the_book_first_and_then_what_happens(place: Place) -> None:
    """Joined between two events, neither missed nor told twice."""
    await place.push(place.factory.baseline())
    async with listening(subscribe(place.source(), CODE)) as listener:
        await listener.told("state")
        for kind in ("change", "rollover", "correction", "new_epoch"):
            await place.push(getattr(place.factory, kind)())
        await listener.told("state", "change", "rollover", "correction", "baseline")
        book = listener.tape.book(CODE)
        assert book is not None
        assert book.rows == place.factory.rows


async def test_a_lost_event_is_said(place: Place) -> None:
    """By the one after it."""
    await place.push(place.factory.baseline())
    async with listening(subscribe(place.source(), CODE)) as listener:
        await listener.told("state")
        await place.lose(place.factory.change())
        await place.push(place.factory.change())
        await listener.told("state", "resync")


async def test_a_position_goes_on_where_it_was(place: Place) -> None:
    """Event by event, over as many subscriptions."""
    await place.push(place.factory.baseline())
    for _ in range(4):
        await place.push(place.factory.change())
    told, position = [], None
    for _ in range(5):
        start: Any = {"start": "earliest"} if position is None else {"position": position}
        async with subscribe(place.source(), CODE, **start) as tape:
            event = await anext(tape)
            assert isinstance(event, Update)
            told.append(event.event.data.seq)
            position = json.loads(json.dumps(tape.position))
    assert told == [1, 2, 3, 4, 5]


async def test_what_is_asked_for_is_known_while_it_runs(place: Place) -> None:
    """And no longer."""
    await place.push(place.factory.baseline())
    async with listening(subscribe(place.source(), CODE, weight=2)) as listener:
        await listener.told("state")
        async with asyncio.timeout(10):
            while not await place.wanted():  # asked beside the reading, not before it
                await asyncio.sleep(0.01)
        assert await place.wanted() == {CODE: 2.0}
    assert await place.wanted() == {}
