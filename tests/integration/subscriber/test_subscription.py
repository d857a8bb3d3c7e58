"""A subscription on a real Redis: joining, following, explicit starts, slow handlers, interest."""

import asyncio
import json
import time
from typing import Any

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.subscriber import Connection, Freshness, State, Status, Update, subscribe
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import connect
from brokertape.tape.errors import InvalidCode, InvalidPosition, StoreRefused, TapeMismatch
from brokertape.tape.events import StatusData, StatusEvent
from brokertape.tape.keys import Keys
from support.subscriptions import listening
from support.tape_factory import TapeFactory, create_tape
from support.tape_writer import TapeWriter
from support.waiting import until

CODE, OTHER = "HK.00700", "HK.00005"


@pytest.fixture
async def keys(real_redis: redis.asyncio.Redis) -> Keys:
    """A tape of 16 partitions."""
    return await create_tape(real_redis)


@pytest.fixture
def url(shared_redis_server: RedisServer) -> str:
    """Where it is."""
    return shared_redis_server.url


def a_writer(client: redis.asyncio.Redis, keys: Keys, code: str = CODE) -> TapeWriter:
    """A writer of `code` whose events happen now."""
    return TapeWriter(client, keys, TapeFactory(code, epoch=time.time_ns() // 1_000_000))


async def test_five_lines_give_the_book_and_what_changes(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """The state first, then each change with its records; the book is the one after the event."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    seen = []
    async with subscribe(url, codes=[CODE], max_age=30) as tape:
        async for event in tape:
            book = tape.book(CODE)
            assert book is not None
            assert book.rows == writer.rows
            assert (book.buyers, book.sellers) == (book.rows[: len(book.buyers)], book.rows[len(book.buyers) :])
            if event.kind == "change":
                seen += [change.broker_name for change in event.changes]
                break
            await writer.change()
    assert seen


async def test_a_tape_that_is_not_there_yet_is_waited_for(real_redis: redis.asyncio.Redis, url: str) -> None:
    """Subscribers may start before publishers, and are told that they wait."""
    async with listening(subscribe(url, CODE)) as listener:
        await listener.told("disconnected")
        writer = a_writer(real_redis, await create_tape(real_redis))
        await listener.told("disconnected", "connected")
        await writer.baseline()
        await until(lambda: listener.count("state", "baseline") == 1)
        await writer.change()
        await until(lambda: listener.kinds[-1] == "change")
    assert isinstance(listener.events[0], Connection)
    assert "no tape yet" in str(listener.events[0].reason)


async def test_only_the_codes_asked_for_are_told(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """Other codes of the same partition pass unparsed."""
    keys = await create_tape(real_redis, partitions=1)
    writer, other = a_writer(real_redis, keys), a_writer(real_redis, keys, OTHER)
    await writer.baseline()
    async with listening(subscribe(url, [CODE, CODE])) as listener:
        await listener.told("state")
        await other.baseline()
        await other.change(3)
        await writer.change()
        await listener.told("state", "change")
        assert listener.tape.counts.entries == 1
        with pytest.raises(InvalidCode, match=r"'HK.00005' is not subscribed"):
            listener.tape.book(OTHER)


async def test_a_code_that_cannot_be_had_is_said(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """Not of Hong Kong; or known to publishers as refused or suspended, before or after joining."""
    status = a_status("code", CODE, "refused", "unknown stock")
    await real_redis.hset(keys.status, f"code|{CODE}", encode_entry(status)["payload"])
    async with listening(subscribe(url, [CODE, "US.AAPL"])) as listener:
        await listener.told("status", "status")
        status = a_status("code", CODE, "recovered", None)
        await real_redis.xadd(keys.feed, dict[Any, Any](encode_entry(status)))
        await listener.told("status", "status", "status")
    told = [event for event in listener.events if isinstance(event, Status)]
    assert [(event.code, event.state) for event in told] == [
        ("US.AAPL", "refused"),
        (CODE, "refused"),
        (CODE, "recovered"),
    ]
    assert "only Hong Kong stocks" in str(told[0].reason)


def a_status(scope: Any, name: str, state: str, reason: str | None) -> StatusEvent:
    """A status as a publisher writes it."""
    data = StatusData(scope=scope, name=name, state=state, reason=reason)
    return StatusEvent(
        source="/opend/test", id=f"test/1/{state}", subject=name, time="2026-05-08T08:00:00.000Z", data=data
    )


async def test_a_code_nobody_looks_at_becomes_stale_and_fresh_again(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """Told at once, by time alone; a watermark of an unchanged poll makes it fresh."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    async with listening(subscribe(url, CODE, max_age=1.5)) as listener:
        await listener.told("state", "stale")
        stale = listener.events[1]
        assert isinstance(stale, Freshness)
        assert stale.age is not None
        assert stale.age > 1.5
        await writer.watermark(time.time_ns() // 1_000_000)
        await listener.told("state", "stale", "fresh")
        book = listener.tape.book(CODE)
        assert book is not None
        assert book.age < 1.5


async def test_earliest_tells_everything_that_is_still_there(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """From the first entry on, each with the list it led to."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    await writer.change(5)
    async with listening(subscribe(url, CODE, start="earliest")) as listener:
        await listener.told("baseline", *["change"] * 5)
        assert [event.book is not None for event in listener.events if isinstance(event, Update)] == [True] * 6


async def test_since_a_time_or_an_entry(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """Both name a place on the tape."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    await writer.change(2)
    last: Any = await real_redis.xrevrange(keys.tape_of(CODE), count=1)
    await writer.change(3)
    async with listening(subscribe(url, CODE, since=last[0][0].decode())) as listener:
        await listener.told(*["change"] * 3)
    async with listening(subscribe(url, CODE, since="2020-01-01 09:30")) as listener:
        await listener.told("baseline", *["change"] * 5)


async def test_a_saved_position_goes_on_where_it_was_left(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """Through JSON, as its owner stores it: every event once over two subscriptions."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    await writer.change(3)
    taken = []
    async with subscribe(url, CODE, start="earliest") as tape:
        async for event in tape:
            taken.append(event)
            if len(taken) == 2:
                break
        saved = json.dumps(tape.position)
    await writer.change(2)
    async with listening(subscribe(url, CODE, position=json.loads(saved))) as listener:
        await listener.told(*["change"] * 4)
    ids = [event.event.id for event in [*taken, *listener.events] if isinstance(event, Update)]
    assert ids == [f"{CODE}/{writer.factory.epoch}/{seq}" for seq in range(1, 7)]


async def test_a_blocking_buffer_keeps_every_event_for_a_slow_handler(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """What does not fit waits in the stream; nothing is lost and nothing is said to be."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    async with listening(subscribe(url, CODE, buffer=2)) as listener:
        await listener.told("state")
        listener.go.clear()
        await writer.change(50)
        listener.go.set()
        await listener.told("state", *["change"] * 50)


async def test_a_conflating_buffer_gives_a_slow_handler_the_latest(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """The handler that comes back gets one book, and how many updates it skipped."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    async with listening(subscribe(url, CODE, when_slow="conflate")) as listener:
        await listener.told("state")
        listener.go.clear()
        await writer.change(21)
        await until(lambda: listener.tape.counts.updates == 21)
        listener.go.set()
        await listener.reached(CODE, (writer.factory.epoch, 22))
        last = listener.events[-1]
        assert isinstance(last, State)
        assert last.kind == "conflated"
        assert last.skipped + listener.count("change") == 21
        assert last.book is not None
        assert last.book.rows == writer.rows


async def test_interest_stands_while_it_runs_and_no_longer(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """Each code has an expiry ahead of Redis' clock and a want beside it."""
    async with listening(subscribe(url, [CODE, OTHER], name="desk-1", weight=3, max_staleness_s=5)):
        async with asyncio.timeout(10):
            while await real_redis.hlen(keys.interest_want) < 2:
                await asyncio.sleep(0.01)
        seconds, _ = await real_redis.time()
        stored: Any = await real_redis.zrange(keys.interest, 0, -1, withscores=True)
        members = dict(stored)
        assert members.keys() == {b"HK.00700|desk-1", b"HK.00005|desk-1"}
        assert all(20 < expiry / 1000 - seconds < 32 for expiry in members.values())
        want: Any = await real_redis.hget(keys.interest_want, "HK.00700|desk-1")
        assert json.loads(want) == {"weight": 3.0, "max_staleness_s": 5.0}
    assert not await real_redis.exists(keys.interest, keys.interest_want)


async def test_a_subscription_that_does_not_ask_leaves_no_trace(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """For those who only want what is watched anyway."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    async with listening(subscribe(url, CODE, asks=False)) as listener:
        await listener.told("state")
        assert not await real_redis.exists(keys.interest, keys.interest_want)


async def test_entries_that_are_not_ours_are_counted_and_skipped(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """A later version's type is skipped; what cannot be read makes the book be read again, and is said."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    async with listening(subscribe(url, CODE)) as listener:
        await listener.told("state")
        unknown = b'{"type":"brokertape.mood.v1"}'
        await real_redis.xadd(keys.tape_of(CODE), {"topic": f"mood.{CODE}", "encoding": "json", "payload": unknown})
        await writer.change()
        await listener.told("state", "change")
        await real_redis.xadd(keys.tape_of(CODE), {"topic": f"change.{CODE}", "encoding": "json", "payload": b"{"})
        await listener.told("state", "change", "resync")
        assert (listener.tape.counts.unknown, listener.tape.counts.unreadable) == (1, 1)
        assert "cannot be read" in str(getattr(listener.events[-1], "reason", None))


async def test_closing_ends_whoever_iterates(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """From another task, as a service shuts down."""
    tape = subscribe(url, CODE)
    await tape.__aenter__()
    iterating = asyncio.create_task(take_all(tape))
    await until(lambda: tape.position is not None)
    await tape.aclose()
    async with asyncio.timeout(5):
        assert await iterating == []


async def take_all(tape: Any) -> list[Any]:
    """Every event until the end."""
    return [event async for event in tape]


async def test_what_no_waiting_helps_is_raised(real_redis: redis.asyncio.Redis, keys: Keys, url: str) -> None:
    """A tape of another schema comes out of the loop, with one clear line."""
    await real_redis.hset(keys.meta, "schema", "2")
    async with subscribe(url, CODE) as tape:
        with pytest.raises(TapeMismatch, match="has schema 2"):
            await anext(tape)
        with pytest.raises(TapeMismatch):
            await anext(tape)


@pytest.mark.parametrize(
    ("arguments", "error", "line"),
    [
        ({"codes": []}, ValueError, "name at least one code"),
        ({"max_age": 0}, ValueError, "above 0"),
        ({"max_age": "30"}, ValueError, "max_age = '30': use a number"),
        ({"source": None}, ValueError, "give the URL of Redis"),
        ({"codes": None}, ValueError, "give a list of texts"),
        ({"codes": [700]}, ValueError, "give a list of texts"),
        ({"position": "{}"}, InvalidPosition, "not its JSON text"),
        ({"max_age": float("inf")}, ValueError, "above 0"),
        ({"when_slow": "drop"}, ValueError, "'block' or 'conflate'"),
        ({"buffer": 0}, ValueError, "at least 1"),
        ({"start": "yesterday"}, InvalidPosition, "'now' or 'earliest'"),
        ({"since": "gestern"}, InvalidPosition, "neither an entry id nor a time"),
        ({"start": "earliest", "since": "1-0"}, InvalidPosition, "not both"),
        ({"position": {"streams": {"a": "b"}, "codes": {}}}, InvalidPosition, "no entry id"),
        (
            {"position": {"codes": 3}},
            InvalidPosition,
            "not a saved position: Expected `object`, got `int`",
        ),
        ({"source": "localhost"}, StoreRefused, "start it with redis://"),
        ({"name": "a b"}, ValueError, "without white space"),
        ({"weight": 0}, ValueError, "weight = 0: use a number above 0"),
    ],
)
def test_arguments_that_cannot_be_are_said(arguments: dict[str, Any], error: type[Exception], line: str) -> None:
    """Before anything is sent."""
    with pytest.raises(error, match=line):
        subscribe(**({"source": "redis://localhost", "codes": CODE} | arguments))


async def test_cancelling_at_any_await_leaves_nothing_behind(
    real_redis: redis.asyncio.Redis, keys: Keys, url: str
) -> None:
    """However far it had come: no task, no connection, no interest."""
    writer = a_writer(real_redis, keys)
    await writer.baseline()
    before = len(await real_redis.client_list())
    for turns in (*range(40), 100, 300):
        task = asyncio.create_task(follow_one(url))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [task for task in asyncio.all_tasks() if task.get_name() == "brokertape subscription"] == []
    async with asyncio.timeout(10):
        while len(await real_redis.client_list()) > before:
            await asyncio.sleep(0.01)


async def follow_one(url: str) -> None:
    """As a service does."""
    async with subscribe(url, CODE) as tape:
        async for _ in tape:
            pass


async def test_a_password_that_is_wrong_is_raised(redis_server: RedisServer) -> None:
    """Not waited for."""
    client = connect(redis_server.url)
    await client.config_set("requirepass", "secret")
    await client.aclose()
    async with subscribe(redis_server.url, CODE) as tape:
        with pytest.raises(StoreRefused, match=r"login|Authentication|NOAUTH"):
            await anext(tape)
