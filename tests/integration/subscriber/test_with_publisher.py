"""Subscribers and real publisher processes: what is asked for is polled, what is held is what the store has."""

import asyncio
from pathlib import Path

import pytest

from brokertape.cli.redis_server import RedisServer
from brokertape.subscriber import State, Update, subscribe
from brokertape.subscriber.redis_source import RedisSource
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from support.proxies import Trap
from support.sentinel import sentinel_trio
from support.stand import CODES, QUICK_WINDOW_S, REST_TIMEOUT_S, Stand, before_redis, kill, stand, stop
from support.subscriptions import Listener, listening
from support.tape_checker import read_tape
from support.waiting import until

pytestmark = pytest.mark.server

WATCHED, ASKED, UNKNOWN = CODES[0], CODES[1], "HK.99999"


async def test_what_a_subscriber_asks_for_is_polled_while_it_runs(redis_server: RedisServer, short_dir: Path) -> None:
    """A code nobody watches: its baseline comes, and polls of it end with the subscription."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("p1", "--codes", WATCHED)
        await place.polls(3)
        async with listening(subscribe(redis_server.url, [ASKED, UNKNOWN])) as listener:
            await until(lambda: listener.count("change") > 2, timeout_s=30)
            await until(lambda: "status" in listener.kinds, timeout_s=30)
        refused = next(event for event in listener.events if event.kind == "status" and event.scope == "code")
        assert (refused.code, refused.state) == (UNKNOWN, "refused")
        await until(lambda: not place.client.exists("brokertape:interest"))
        await is_asked_no_more(place)
        await stop(publisher)


async def is_asked_no_more(place: Stand) -> None:
    """Until twenty polls in a row leave it out: the publisher looks every second, and a poll may be on its way."""
    book = Keys().book(ASKED)
    async with asyncio.timeout(60):
        while True:
            asked_at = place.client.hget(book, "asked_at")
            await place.polls(20)
            if place.client.hget(book, "asked_at") == asked_at:
                return


async def test_two_publishers_that_are_killed_make_no_hole(redis_server: RedisServer, short_dir: Path) -> None:
    """Publishers come and go; the subscriber hears every change once and holds what the store has."""
    async with stand(short_dir, redis_server) as place, listening(subscribe(redis_server.url, CODES)) as listener:
        for number in range(4):
            publisher = await place.start_publisher(f"p{number}")
            await place.polls(40)
            await kill(publisher)
        await holds_what_is_stored(listener, redis_server.url)
        assert not [event for event in listener.events if isinstance(event, State) and event.kind == "resync"]
        for code, events in read_tape(place.client).items():
            stored = [event["id"] for event in events]
            told = [event.event.id for event in listener.events if isinstance(event, Update) and event.code == code]
            assert len(told) > 1
            # On a busy machine it may join after the first events: from then on it hears every one.
            assert told == stored[len(stored) - len(told) :]


async def test_a_failover_is_followed(redis_program: Path, short_dir: Path) -> None:
    """Sentinels make the replica the master; publisher and subscriber go on with it, and agree."""
    with sentinel_trio(short_dir, redis_program) as trio:
        async with before_redis(short_dir, None, trio.url, Trap(), QUICK_WINDOW_S) as place:
            publisher = await place.start_publisher("p1")
            async with listening(subscribe(trio.url, CODES)) as listener:
                await until(lambda: listener.count("change") > 20, timeout_s=30)
                old = trio.kill_master()
                await asyncio.to_thread(trio.wait_for_failover, old)
                told = len(listener.events)
                await until(lambda: listener.kinds[told:].count("change") > 20, timeout_s=60)
                # The new server starts a new epoch for every code, also for one that failed and is asked later.
                await until(lambda: listener.count("baseline", "state", "resync") >= 2 * len(CODES), REST_TIMEOUT_S)
                await stop(publisher)
                await holds_what_is_stored(listener, trio.url)
                # Sentinels break connections for a while: the last one may not be there again yet.
                await until(lambda: listener.count("disconnected") == listener.count("connected") >= 1)


async def holds_what_is_stored(listener: Listener, url: str) -> None:
    """Wait until every book is the stored one, and see that it has the very same rows."""
    source = RedisSource(connect(url), Keys())
    async with asyncio.timeout(20):
        stored = await source.books(CODES)
    await source.aclose()
    assert stored.keys() == set(CODES)
    for code, book in stored.items():
        await listener.reached(code, (book.epoch, book.seq))
        view = listener.tape.book(code)
        assert view is not None
        assert view.rows == book.rows
