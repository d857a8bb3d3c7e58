"""The tape of a replay: whose it is, and what is written there."""

import asyncio
import json
from typing import Any

import pytest
import redis.asyncio

from brokertape.publisher import replay_tape
from brokertape.publisher.commit import BookStore
from brokertape.publisher.replay_tape import ReplayTape, Run, claim
from brokertape.publisher.watch import open_tape
from brokertape.tape.codec import decode_entry, dump
from brokertape.tape.errors import TapeTaken
from brokertape.tape.events import TapeEvent
from brokertape.tape.keys import Keys
from brokertape.tape.meta import read_meta
from brokertape.tape.tasks import end_tasks
from support.tables import row
from support.tape_factory import FIRST_EPOCH, TapeFactory

KEYS = Keys("again", 4)
LIVE = Keys("again:live", 4)  # a prefix that begins like ours
RUN = Run.new(FIRST_EPOCH, FIRST_EPOCH + 10_000)


@pytest.fixture
async def tape(any_redis: redis.asyncio.Redis) -> ReplayTape:
    """A claimed tape."""
    return await claim(any_redis, KEYS, RUN, may_replace=False)


async def append(tape: ReplayTape, event: TapeEvent, factory: TapeFactory) -> None:
    """`event`, which led to the factory's rows, when it was observed."""
    await tape.append(event, dump(event), factory.rows, event.data.observed_at)


async def entries(client: Any, code: str) -> list[Any]:
    """The entries of a code's tape, as (id, fields)."""
    return list(await client.xrange(KEYS.tape_of(code)))


async def names(client: Any) -> set[str]:
    """Every key there is."""
    return {key.decode() for key in await client.keys("*")}


async def feed(client: Any) -> list[Any]:
    """The feed's events, in order."""
    return [decode_entry(fields) for _, fields in await client.xrange(KEYS.feed)]


async def test_an_event_goes_out_byte_for_byte(any_redis: redis.asyncio.Redis, tape: ReplayTape) -> None:
    """Also what this version knows nothing of."""
    factory = TapeFactory()
    event = factory.baseline()
    payload = json.dumps({**json.loads(dump(event)), "traceparent": "00-1"}, indent=1).encode()
    await tape.append(event, payload, factory.rows, event.data.observed_at)
    [(_, fields)] = await entries(any_redis, factory.code)
    assert fields[b"payload"] == payload
    assert (fields[b"topic"], fields[b"type"]) == (b"baseline.HK.00700", b"brokertape.baseline.v1")


async def test_the_book_is_the_one_a_publisher_left(any_redis: redis.asyncio.Redis, tape: ReplayTape) -> None:
    """Stamps of then, entry and server of now; it begins with any complete state, and a gap goes through."""
    factory = TapeFactory()
    factory.baseline()  # before what is replayed
    await append(tape, factory.rollover(), factory)
    factory.change()  # lost
    for event in (factory.correction(), factory.change(), factory.new_epoch()):
        await append(tape, event, factory)
    stored = await BookStore(any_redis, KEYS).read(factory.code)
    assert stored.book is not None
    last_id, _ = (await entries(any_redis, factory.code))[-1]
    assert (stored.book.entry_id, stored.book.server) == (last_id.decode(), stored.server)
    data = event.data
    assert (stored.book.epoch, stored.book.seq, stored.book.hash) == (data.epoch, data.seq, data.hash)
    assert (stored.book.observed_at, stored.book.trading_date) == (data.observed_at, data.trading_date)
    assert stored.book.rows == factory.rows


async def test_names_that_stood_twice_are_remembered_for_the_day(
    any_redis: redis.asyncio.Redis, tape: ReplayTape
) -> None:
    """As in a publisher's book, until the date moves on."""
    factory, twice = TapeFactory(), (row("buy", 1, "UBS"), row("buy", 2, "UBS"))
    event = factory.baseline()
    await tape.append(event, dump(event), twice, event.data.observed_at)
    repeated = []
    for event in (factory.change(), factory.rollover()):
        await append(tape, event, factory)
        book = (await BookStore(any_redis, KEYS).read(factory.code)).book
        assert book is not None
        repeated.append(book.repeated)
    assert repeated == [("UBS",), ()]


async def test_a_look_moves_the_book_and_is_told_by_a_watermark(
    any_redis: redis.asyncio.Redis, tape: ReplayTape
) -> None:
    """With the time of then; one that an event has overtaken is not told."""
    factory = TapeFactory()
    await append(tape, factory.baseline(), factory)
    await tape.see(factory.code, FIRST_EPOCH + 3000)
    await append(tape, factory.change(), factory)
    await tape.see(factory.code, FIRST_EPOCH + 7000)
    await tape.rest()
    [watermark] = await feed(any_redis)
    mark = watermark.data.codes[factory.code]
    assert (mark.observed_at, mark.epoch, mark.seq) == (FIRST_EPOCH + 7000, factory.epoch, 2)
    assert watermark.time == "2026-05-08T00:00:07.000Z"
    book = (await BookStore(any_redis, KEYS).read(factory.code)).book
    assert book is not None
    assert book.observed_at == FIRST_EPOCH + 7000


async def test_beginning_and_end_are_said(any_redis: redis.asyncio.Redis, tape: ReplayTape) -> None:
    """On the feed and to those who join later."""
    await tape.begin("of Friday")
    await tape.end("the stretch is over")
    assert [(event.data.state, event.data.reason) for event in await feed(any_redis)] == [
        ("joined", "of Friday"),
        ("left", "the stretch is over"),
    ]
    assert set(await any_redis.hgetall(KEYS.status)) == {f"publisher|{RUN.name}".encode()}


async def test_an_earlier_replay_is_deleted_only_when_told_to(any_redis: redis.asyncio.Redis) -> None:
    """With all that it and the workers on it left; what subscribers ask for, and other tapes, stay."""
    first = await claim(any_redis, KEYS, RUN, may_replace=False)
    factory = TapeFactory()
    await append(first, factory.baseline(), factory)
    await first.begin("x")
    await first.end("x")
    others = {KEYS.interest: b"i", LIVE.tape(0): b"t", LIVE.private("replay"): b"p", f"{KEYS.prefix}s:x": b"s"}
    await any_redis.mset({**others, KEYS.dead(0, "g"): b"d"})
    with pytest.raises(TapeTaken, match="--replace"):
        await claim(any_redis, KEYS, Run.new(0, 1), may_replace=False)
    await claim(any_redis, Keys("again", 8), Run.new(0, 1), may_replace=True)
    left = await names(any_redis)
    assert left == {*others, KEYS.meta, KEYS.private("replay"), KEYS.private("replay:lease")}
    assert await read_meta(any_redis, "again") == Keys("again", 8)


async def test_a_live_tape_is_never_deleted(any_redis: redis.asyncio.Redis) -> None:
    """Nor one that a publisher has taken to."""
    await open_tape(any_redis, LIVE)
    with pytest.raises(TapeTaken, match="not made by a replay"):
        await claim(any_redis, LIVE, RUN, may_replace=True)
    await (await claim(any_redis, KEYS, RUN, may_replace=False)).end("x")
    await any_redis.zadd(KEYS.publishers, {"a|p": 9_999_999_999_999})
    with pytest.raises(TapeTaken, match="a publisher is writing"):
        await claim(any_redis, KEYS, Run.new(0, 1), may_replace=True)
    assert await any_redis.exists(KEYS.meta, LIVE.meta) == 2


async def test_a_half_deleted_tape_is_still_a_replays(any_redis: redis.asyncio.Redis) -> None:
    """The mark is the first key to come and the last to go."""
    await (await claim(any_redis, KEYS, RUN, may_replace=False)).end("x")
    await any_redis.delete(KEYS.meta)
    with pytest.raises(TapeTaken, match="--replace"):
        await claim(any_redis, KEYS, Run.new(0, 1), may_replace=False)
    await claim(any_redis, KEYS, Run.new(0, 1), may_replace=True)


async def test_two_replays_do_not_write_one_tape(
    any_redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that runs is not replaced; one that was killed is, once its lease has run out."""
    monkeypatch.setattr(replay_tape, "LEASE_S", 0.6)
    monkeypatch.setattr(replay_tape, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(replay_tape, "LEASE_GRACE_S", 0.3)
    keeping = asyncio.create_task((await claim(any_redis, KEYS, RUN, may_replace=False)).keep())
    with pytest.raises(TapeTaken, match="another replay is writing"):
        await claim(any_redis, KEYS, Run.new(0, 1), may_replace=True)
    await end_tasks([keeping])
    await claim(any_redis, KEYS, Run.new(0, 1), may_replace=True)


async def test_of_two_that_begin_at_once_one_has_the_tape(any_redis: redis.asyncio.Redis) -> None:
    """The other finds it there when its turn comes, and leaves it as it is."""

    async def claim_and_end(number: int) -> None:
        await (await claim(any_redis, KEYS, Run.new(0, number), may_replace=False)).end("x")

    results = await asyncio.gather(claim_and_end(1), claim_and_end(2), return_exceptions=True)
    [fault] = [result for result in results if result is not None]
    assert isinstance(fault, TapeTaken)
    assert "--replace" in str(fault)


async def test_a_replay_that_lost_its_hold_ends(
    any_redis: redis.asyncio.Redis, tape: ReplayTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped for so long that another one has begun; a lease that just ran out is taken again."""
    monkeypatch.setattr(replay_tape, "RENEW_EVERY_S", 0.02)
    lease = KEYS.private("replay:lease")
    await any_redis.delete(lease)
    keeping = asyncio.create_task(tape.keep())
    async with asyncio.timeout(5):
        while not await any_redis.exists(lease):
            await asyncio.sleep(0.01)
        await any_redis.set(lease, "replay-other")
        with pytest.raises(TapeTaken, match="taken over"):
            await keeping


async def test_a_replay_that_was_replaced_ends(any_redis: redis.asyncio.Redis, tape: ReplayTape) -> None:
    """By its books, which are gone."""
    factory = TapeFactory()
    await append(tape, factory.baseline(), factory)
    await any_redis.delete(KEYS.book(factory.code))
    with pytest.raises(TapeTaken, match="begin again with --replace"):
        await append(tape, factory.change(), factory)


async def test_a_replay_that_ends_late_leaves_its_successor_the_tape(
    any_redis: redis.asyncio.Redis, tape: ReplayTape
) -> None:
    """It was frozen on its way out, and another has taken over."""
    lease = KEYS.private("replay:lease")
    await any_redis.set(lease, "another")
    await tape.end("late")
    assert await any_redis.get(lease) == b"another"
