"""The commit protocol, the same on fakeredis and on a real server."""

from typing import Any

import fakeredis
import pytest
import redis.asyncio

from brokertape.publisher.commit import BookStore, Committed, Conflict
from brokertape.publisher.holding import Holding
from brokertape.publisher.step import Append, Base, Touch, next_step
from brokertape.tape import Book, Keys, Row, decode_entry
from brokertape.tape.errors import StoreRefused
from support.fake_redis import fake_redis
from support.tables import row, snapshot

KEYS = Keys()
CODE = "HK.00700"
AT = 1_778_227_221_000
ONE = (row("buy", 1, "UBS"),)
TWO = (row("buy", 1, "UBS", 200, 10.0, 200.0, 2000.0),)


def step_to(rows: tuple[Row, ...], base: Base, *, commit: str, at: int = AT) -> Append | Touch:
    """What a poll that shows `rows` makes of `base`."""
    step = next_step(base, snapshot(rows, at=at), commit=commit, source="/opend/test", now=at)
    assert isinstance(step, Append | Touch)
    return step


async def committed(store: BookStore, rows: tuple[Row, ...], base: Base, *, commit: str) -> Book:
    """The book after a commit that has to succeed."""
    result = await store.commit(base.book, step_to(rows, base, commit=commit))
    assert isinstance(result, Committed)
    return result.book


async def entries(client: Any) -> list[Any]:
    """All tape entries of the code, as (id, event)."""
    return [(entry_id, decode_entry(fields)) for entry_id, fields in await client.xrange(KEYS.tape_of(CODE))]


async def test_a_commit_writes_entry_book_and_code_together(any_redis: redis.asyncio.Redis) -> None:
    """And what is read back is what was written, with the server's run id."""
    store = BookStore(any_redis, KEYS)
    book = await committed(store, ONE, Base(None), commit="c1")
    ((entry_id, event),) = await entries(any_redis)
    stored = await store.read(CODE)
    assert stored.book == book
    assert (book.entry_id, book.server) == (entry_id.decode(), stored.server)
    assert event.id == f"{CODE}/{book.epoch}/1"
    assert await any_redis.smembers(KEYS.codes(KEYS.partition(CODE))) == {CODE.encode()}


async def test_a_repeated_commit_is_written_once(any_redis: redis.asyncio.Redis) -> None:
    """A commit in doubt is repeated as it was: the second finds itself stored, with the same entry id."""
    store = BookStore(any_redis, KEYS)
    first = await committed(store, ONE, Base(None), commit="c1")
    assert await committed(store, ONE, Base(None), commit="c1") == first
    step = step_to(TWO, Base(first), commit="c2")
    assert await store.commit(first, step) == await store.commit(first, step)
    assert [event.data.seq for _, event in await entries(any_redis)] == [1, 2]


@pytest.mark.parametrize("rows", [ONE, TWO])
async def test_a_base_that_is_not_stored_is_a_conflict(any_redis: redis.asyncio.Redis, rows: tuple[Row, ...]) -> None:
    """Changed or unchanged, a poll judged against another book writes nothing."""
    store = BookStore(any_redis, KEYS)
    first = await committed(store, ONE, Base(None), commit="c1")
    await committed(store, TWO, Base(first), commit="c2")
    before = await any_redis.hgetall(KEYS.book(CODE))
    later = step_to(rows, Base(first), commit="c3", at=AT + 60_000)
    assert await store.commit(first, later) == Conflict()
    assert await store.commit(None, step_to(ONE, Base(None), commit="c4")) == Conflict()
    assert await any_redis.hgetall(KEYS.book(CODE)) == before
    assert len(await entries(any_redis)) == 2


async def test_a_lost_book_is_a_conflict_for_who_holds_one(any_redis: redis.asyncio.Redis) -> None:
    """Nothing is diffed on top of nothing."""
    store = BookStore(any_redis, KEYS)
    first = await committed(store, ONE, Base(None), commit="c1")
    await any_redis.flushall()
    assert await store.commit(first, step_to(TWO, Base(first), commit="c2")) == Conflict()
    assert await store.commit(first, step_to(ONE, Base(first), commit="c2")) == Conflict()


async def test_an_unchanged_poll_moves_the_stamps_up_only(any_redis: redis.asyncio.Redis) -> None:
    """No entry; an older answer that is equal lowers nothing."""
    store = BookStore(any_redis, KEYS)
    book = await committed(store, ONE, Base(None), commit="c1")
    for at in (AT + 5_000, AT + 1_000):
        assert isinstance(await store.commit(book, step_to(ONE, Base(book), commit="c2", at=at)), Committed)
    stored = (await store.read(CODE)).book
    assert stored is not None
    assert (stored.asked_at, stored.observed_at) == (AT + 4_950, AT + 5_000)
    assert stored.version == book.version
    assert len(await entries(any_redis)) == 1


async def test_what_another_server_wrote_can_only_be_restarted() -> None:
    """After a restart of Redis, changes and touches conflict; a baseline in a new epoch does not."""
    server: Any = fakeredis.FakeServer()
    client = fake_redis(server)
    store = BookStore(client, KEYS)
    holding = Holding(await store.read(CODE))
    holding.committed(await committed(store, ONE, holding.base, commit="c1"))
    server.run_id = "e" * 40
    for rows in (ONE, TWO):
        assert await store.commit(holding.base.book, step_to(rows, holding.base, commit="c2")) == Conflict()
    holding.reread(await store.read(CODE))
    assert holding.base.restart == "server_changed"
    book = await committed(store, TWO, holding.base, commit="c3")
    assert (book.seq, book.server) == (1, "e" * 40)
    assert book.epoch > holding.base.epoch_floor
    await client.aclose()


async def test_a_foreign_key_is_refused_and_nothing_is_written(any_redis: redis.asyncio.Redis) -> None:
    """A tape that is no stream: one clear error, and the book is not ahead of it."""
    await any_redis.set(KEYS.tape_of(CODE), "not a stream")
    store = BookStore(any_redis, KEYS)
    with pytest.raises(StoreRefused):
        await store.commit(None, step_to(ONE, Base(None), commit="c1"))
    assert (await store.read(CODE)).book is None
