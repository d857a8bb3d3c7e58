"""Who is alive, on Redis' own clock, and how much each can poll."""

from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio

from brokertape.publisher.account import Account
from brokertape.publisher.leases import LEASE_S, Leases, Peer, live_publishers
from brokertape.tape import Keys
from brokertape.tape.connection import server_time_ms

KEYS = Keys()
RATES = KEYS.private("polls_per_s")


@dataclass
class Gateway:
    """Somebody is logged in there."""

    login_user_id: int = 0


def leases(client: redis.asyncio.Redis, publisher: str, account: str = "a") -> Leases:
    """Those of a publisher of the account."""
    return Leases(client, KEYS, Account(client, KEYS, Gateway(), address="x:1", name=account), publisher=publisher)


async def test_who_renews_is_alive(any_redis: redis.asyncio.Redis) -> None:
    """For ten seconds at most, known to all, with what it can poll."""
    one, two = leases(any_redis, "one"), leases(any_redis, "two", "b")
    await two.renew(0.0)
    await one.renew(0.9997)
    assert await one.read() == await two.read() == [Peer("one", "a", 0.9997), Peer("two", "b", 0.0)]
    now = await server_time_ms(any_redis, KEYS.publishers)
    leased: Any = await any_redis.zrange(KEYS.publishers, 0, -1, withscores=True)
    assert all(0 < expiry - now <= 10_000 for _, expiry in leased)


async def test_who_ends_is_gone_at_once(any_redis: redis.asyncio.Redis) -> None:
    """And leaves nothing behind; ended twice, or before it began, it is all the same."""
    one = leases(any_redis, "one")
    await one.end()
    await one.renew(1.0)
    await one.end()
    await one.end()
    assert await live_publishers(any_redis, KEYS) == []
    assert not await any_redis.exists(KEYS.publishers, RATES)


async def test_who_died_is_swept_by_the_others(any_redis: redis.asyncio.Redis) -> None:
    """Its lease ran out: it is not alive from that moment on."""
    dead, alive = leases(any_redis, "dead"), leases(any_redis, "alive")
    await dead.renew(1.0)
    await any_redis.zincrby(KEYS.publishers, -1000 * LEASE_S, "a|dead")
    assert await alive.read() == []
    await alive.renew(1.0)
    assert await any_redis.zrange(KEYS.publishers, 0, -1) == [b"a|alive"]
    assert await any_redis.hkeys(RATES) == [b"a|alive"]


async def test_another_login_moves_the_lease(any_redis: redis.asyncio.Redis) -> None:
    """The publisher is alive once, on the account it has now."""
    gateway = Gateway(1)
    await any_redis.hset(KEYS.private("accounts"), mapping={"1": "first", "2": "second"})
    one = Leases(any_redis, KEYS, Account(any_redis, KEYS, gateway, address="x:1"), publisher="p")
    await one.renew(1.0)
    gateway.login_user_id = 2
    await one.renew(1.0)
    assert await one.read() == [Peer("p", "second", 1.0)]


@pytest.mark.parametrize("rate", [None, "", "many", "nan", "inf", "-1"])
async def test_who_says_nothing_that_can_be_polls_as_usual(any_redis: redis.asyncio.Redis, rate: str | None) -> None:
    """A lease alone, which is all that the contract asks for, counts."""
    now = await server_time_ms(any_redis, KEYS.publishers)
    await any_redis.zadd(KEYS.publishers, {"a|foreign": now + 5_000})
    if rate is not None:
        await any_redis.hset(RATES, "a|foreign", rate)
    assert await live_publishers(any_redis, KEYS) == [Peer("foreign", "a", 1.0)]
