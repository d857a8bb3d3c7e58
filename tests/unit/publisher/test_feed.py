"""The feed: what is said once, what a restart knows, and what is swept."""

from typing import Any

import orjson
import redis.asyncio

from brokertape.publisher.feed import Feed
from brokertape.simulator.virtual_time import VirtualClock
from brokertape.tape import Keys

KEYS = Keys()
DAY_MS = 86_400_000


class Clock(VirtualClock):
    """A wall clock that a test sets."""

    now = 1_778_227_221_000

    def now_ms(self) -> int:
        """What it was set to."""
        return self.now


def feed(client: redis.asyncio.Redis, clock: Clock, name: str) -> Feed:
    """The feed of a publisher."""
    return Feed(client, KEYS, clock, publisher=name, source="/opend/test")


async def stored(client: Any) -> dict[str, str]:
    """Field → state of the status hash."""
    fields = await client.hgetall(KEYS.status)
    return {field.decode(): orjson.loads(payload)["data"]["state"] for field, payload in fields.items()}


async def test_a_state_is_said_once(any_redis: redis.asyncio.Redis) -> None:
    """On the stream and in the hash; again only when it changed."""
    one = feed(any_redis, Clock(0), "p")
    for state in ("connected", "connected", "lost", "connected"):
        await one.status("gateway", "g", state)
    assert await any_redis.xlen(KEYS.feed) == 3
    assert await stored(any_redis) == {"gateway|g": "connected"}


async def test_a_restart_knows_what_was_said_of_codes(any_redis: redis.asyncio.Redis) -> None:
    """A suspended code is taken back by the next publisher, not said twice; a foreign field is no matter."""
    await feed(any_redis, Clock(0), "p").status("code", "HK.00700", "suspended", "why")
    await any_redis.hset(KEYS.status, "not|ours", "{}")
    second = feed(any_redis, Clock(0), "p")
    await second.load(alive=())
    assert second.state_of("code", "HK.00700") == "suspended"
    await second.status("code", "HK.00700", "suspended")
    assert await any_redis.xlen(KEYS.feed) == 1


async def test_publishers_dead_for_a_day_are_swept(any_redis: redis.asyncio.Redis) -> None:
    """Not the ones that live on, however long ago they joined, nor the one that left an hour ago."""
    clock = Clock(0)
    for name in ("dead", "alive"):
        await feed(any_redis, clock, name).status("publisher", name, "joined")
    clock.now += 2 * DAY_MS
    await feed(any_redis, clock, "young").status("publisher", "young", "left")
    await feed(any_redis, clock, "new").load(alive={"alive"})
    assert await stored(any_redis) == {"publisher|alive": "joined", "publisher|young": "left"}


async def test_what_redis_has_lost_is_put_back(any_redis: redis.asyncio.Redis) -> None:
    """As it was said, and not said again; what others have said meanwhile stays, and what was let go of is gone."""
    one, other = feed(any_redis, Clock(0), "p"), feed(any_redis, Clock(0), "o")
    await one.restore()
    await one.status("gateway", "g", "connected")
    await one.status("code", "HK.00700", "suspended", "why")
    await one.status("code", "HK.00005", "suspended", "why")
    one.forget("code", "HK.00005")
    payload = await any_redis.hget(KEYS.status, "gateway|g")
    await any_redis.flushall()
    await other.status("code", "HK.00700", "recovered")
    await one.restore()
    assert await stored(any_redis) == {"gateway|g": "connected", "code|HK.00700": "recovered"}
    assert await any_redis.hget(KEYS.status, "gateway|g") == payload
    assert await any_redis.xlen(KEYS.feed) == 1
