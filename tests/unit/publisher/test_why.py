"""What publishers tell of their schedules."""

import msgspec
import pytest
import redis.asyncio

from brokertape.publisher.schedule import Schedule
from brokertape.publisher.why import LONGEST_BYTES, Why, WhyStore, why_of
from brokertape.tape import Keys

KEYS = Keys()
CODES = ["HK.00001", "HK.00005", "HK.00700"]


@pytest.fixture
def store(any_redis: redis.asyncio.Redis) -> WhyStore:
    """A store on an empty Redis."""
    return WhyStore(any_redis, KEYS)


def example(publisher: str = "p1") -> Why:
    """Two codes polled, one failing, one new."""
    schedule = Schedule(CODES[:2], weights={CODES[1]: 5.0})
    for now in (0.0, 1.0):
        code = schedule.pick(now)
        schedule.result(str(code), now, changed=True, rows=2)
    schedule.pick(2.0)
    schedule.failed(CODES[0], 2.0)
    schedule.add(CODES[2])
    return why_of(schedule, publisher=publisher, now_s=10.0, now_ms=1_778_205_600_000)


def test_codes_are_told_by_what_a_poll_is_worth() -> None:
    """One that was never asked first, for it has no index: its number would have no end."""
    why = example()
    assert [code.code for code in why.codes] == [CODES[2], CODES[1], CODES[0]]
    assert [code.index is None for code in why.codes] == [True, False, False]
    assert [(code.weight, code.failures) for code in why.codes] == [(1.0, 0), (5.0, 0), (1.0, 1)]


async def test_what_is_told_is_read(store: WhyStore, any_redis: redis.asyncio.Redis) -> None:
    """Of the publishers that are asked for; it expires."""
    for publisher in ("p1", "p2", "p3"):
        await store.tell(example(publisher))
    assert await store.read(["p2", "p1", "p4"]) == [example("p1"), example("p2")]
    assert 0 < await any_redis.ttl(KEYS.private("why:p1")) <= 30


@pytest.mark.parametrize("payload", [b"", b"{", b"{}", b"\xff", b'{"publisher":"p1"}', b"[" * 100_000])
async def test_what_cannot_be_read_is_ignored(store: WhyStore, any_redis: redis.asyncio.Redis, payload: bytes) -> None:
    """Whatever somebody has put there."""
    await any_redis.set(KEYS.private("why:p1"), payload)
    assert await store.read(["p1"]) == []


async def test_what_is_too_long_is_ignored(store: WhyStore, any_redis: redis.asyncio.Redis) -> None:
    """It is not even read to its end."""
    await any_redis.set(KEYS.private("why:p1"), b" " * LONGEST_BYTES + msgspec.json.encode(example()))
    assert await store.read(["p1"]) == []
