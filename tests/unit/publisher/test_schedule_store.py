"""What schedules have learnt, kept in Redis."""

import logging
from typing import Any

import pytest
import redis.asyncio

from brokertape.publisher.schedule import CodeLearned, Learned
from brokertape.publisher.schedule_store import REMEMBERED_MS, ScheduleStore
from brokertape.tape import Keys
from brokertape.tape.errors import StoreRefused

KEYS = Keys()
KEY = KEYS.private("schedule")
NOW = 1_778_205_600_000
CODE, OTHER = "HK.00700", "HK.00005"
LEARNED = Learned(codes={CODE: CodeLearned(per_s=0.02), OTHER: CodeLearned(changes_each=1.5)}, lag_s=4.2)


@pytest.fixture
def store(any_redis: redis.asyncio.Redis) -> ScheduleStore:
    """A store on an empty Redis."""
    return ScheduleStore(any_redis, KEYS)


async def fields(client: redis.asyncio.Redis) -> dict[bytes, bytes]:
    """What is stored."""
    found: Any = await client.hgetall(KEY)
    return dict(found)


async def test_what_is_saved_is_loaded_the_next_day(store: ScheduleStore, any_redis: redis.asyncio.Redis) -> None:
    """By another store; of an empty Redis nothing is."""
    assert await store.load(NOW) == Learned(codes={})
    await store.save(LEARNED, NOW)
    assert await ScheduleStore(any_redis, KEYS).load(NOW + 86_400_000) == LEARNED
    assert await fields(any_redis) == {
        b"HK.00700": b'{"per_s":0.02,"at":%d}' % NOW,
        b"HK.00005": b'{"changes_each":1.5,"at":%d}' % NOW,
        b"lag_s": b"4.2",
    }


async def test_only_what_has_changed_is_written(store: ScheduleStore, any_redis: redis.asyncio.Redis) -> None:
    """Since the last save, or since it was loaded; a change that nobody would notice is none."""
    await store.save(LEARNED, NOW)
    again = ScheduleStore(any_redis, KEYS)
    await again.load(NOW)
    for one in (store, again):
        await any_redis.delete(KEY)
        await one.save(Learned(codes=LEARNED.codes | {CODE: CodeLearned(per_s=0.0200000001)}, lag_s=4.2), NOW)
        assert await fields(any_redis) == {}
        await one.save(Learned(codes=LEARNED.codes | {CODE: CodeLearned(per_s=0.03)}, lag_s=4.2), NOW)
        assert (await fields(any_redis)).keys() == {b"HK.00700"}


async def test_what_is_a_month_old_is_forgotten(store: ScheduleStore, any_redis: redis.asyncio.Redis) -> None:
    """When it is loaded."""
    await store.save(LEARNED, NOW)
    await store.save(Learned(codes=LEARNED.codes | {CODE: CodeLearned(per_s=0.03)}), NOW + 1)
    loaded = await ScheduleStore(any_redis, KEYS).load(NOW + REMEMBERED_MS + 1)
    assert loaded.codes.keys() == {CODE}
    assert (await fields(any_redis)).keys() == {b"HK.00700", b"lag_s"}


async def test_what_cannot_be_read_is_counted(
    store: ScheduleStore, any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """And left alone: names that are no codes, no JSON, another shape, a lag that is no number."""
    await store.save(LEARNED, NOW)
    wrong = {"US.AAPL": '{"at":1}', "HK.00001": "{", "HK.00002": "{}", "HK.00003": '{"at":1,"per_s":"x"}', b"\xff": "1"}
    for name, value in {**wrong, "lag_s": "soon"}.items():
        await any_redis.hset(KEY, name, value)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        assert await store.load(NOW) == Learned(codes=LEARNED.codes)
    assert "2 codes is known; 0 are forgotten, 5 cannot be read" in caplog.text


async def test_so_many_codes_are_read(store: ScheduleStore) -> None:
    """And no more, whatever is there."""
    codes = {f"HK.{number:05d}": CodeLearned(per_s=0.01) for number in range(12_500)}
    await store.save(Learned(codes=codes), NOW)
    assert 10_000 <= len((await store.load(NOW)).codes) < 12_500


async def test_another_type_of_key_is_a_store_error(store: ScheduleStore, any_redis: redis.asyncio.Redis) -> None:
    """Which whoever asked can live with."""
    await any_redis.set(KEY, "no hash")
    with pytest.raises(StoreRefused):
        await store.load(NOW)
    with pytest.raises(StoreRefused):
        await store.save(LEARNED, NOW)
