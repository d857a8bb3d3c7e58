"""The history stream and the memory beside it: written together, once."""

from typing import Any

import pytest
import redis.asyncio

from brokertape.publisher.history_store import HistoryStore
from brokertape.publisher.past_days import Known
from brokertape.tape import Keys, decode_entry
from brokertape.tape.events import HistoryData, HistoryEvent, HistoryRow

KEYS = Keys()
CODE, DATE = "HK.00700", "2026-05-07"


@pytest.fixture
def store(any_redis: redis.asyncio.Redis) -> HistoryStore:
    """A store on an empty Redis."""
    return HistoryStore(any_redis, KEYS)


def event(date: str = DATE) -> HistoryEvent:
    """A list of one row."""
    rows = (HistoryRow(rank=1, side="buy", broker_name="UBS", net_vol=100),)
    data = HistoryData(code=CODE, trading_date=date, days_before=1, data_time=None, rows=rows)
    return HistoryEvent(
        source="/opend/test", id=f"{CODE}/history/{date}", subject=CODE, time="2026-05-08T10:00:00.000Z", data=data
    )


async def on_the_stream(client: redis.asyncio.Redis) -> list[str]:
    """The ids of its events."""
    entries: Any = await client.xrange(KEYS.history)
    return [decode_entry(fields).id for _, fields in entries]


async def test_a_list_is_published_once(store: HistoryStore, any_redis: redis.asyncio.Redis) -> None:
    """By whatever commit: one in doubt is repeated, and another process has another."""
    assert await store.publish(event(), "one")
    assert not await store.publish(event(), "one")
    assert not await store.publish(event(), "two")
    assert await on_the_stream(any_redis) == [f"{CODE}/history/{DATE}"]
    assert await store.known([DATE, "2026-05-06"], [CODE, "HK.00005"]) == {DATE: {CODE: Known()}, "2026-05-06": {}}


async def test_again_publishes_again_and_a_repeat_of_it_does_not(
    store: HistoryStore, any_redis: redis.asyncio.Redis
) -> None:
    """Under the same event id, which storage keeps once."""
    await store.publish(event(), "one")
    assert await store.publish(event(), "two", again=True)
    assert not await store.publish(event(), "two", again=True)
    assert await on_the_stream(any_redis) == [f"{CODE}/history/{DATE}"] * 2


async def test_an_absence_is_remembered_with_its_day(store: HistoryStore, any_redis: redis.asyncio.Redis) -> None:
    """Until there is a list; it never takes one back."""
    for known in (Known("2026-05-08"), Known("2026-05-08", is_end=True)):
        await store.absent(CODE, DATE, known)
        assert await store.known([DATE], [CODE]) == {DATE: {CODE: known}}
    assert await store.publish(event(), "one")
    await store.absent(CODE, DATE, Known("2026-05-09"))
    assert await store.known([DATE], [CODE]) == {DATE: {CODE: Known()}}
    assert len(await on_the_stream(any_redis)) == 1


async def test_the_memory_is_forgotten_once_nobody_can_ask(store: HistoryStore, any_redis: redis.asyncio.Redis) -> None:
    """It is bounded by the codes and by the days that can be asked for."""
    await store.publish(event(), "one")
    (memory,) = [key async for key in any_redis.scan_iter("*past*")]
    assert 250 * 1.5 * 86_400 < await any_redis.ttl(memory) <= 500 * 86_400


async def test_many_codes_are_read_in_parts(store: HistoryStore) -> None:
    """No command grows with the watch list."""
    codes = [f"HK.{number:05}" for number in range(2500)]
    await store.absent(codes[-1], DATE, Known("2026-05-08"))
    assert await store.known([DATE], codes) == {DATE: {codes[-1]: Known("2026-05-08")}}
