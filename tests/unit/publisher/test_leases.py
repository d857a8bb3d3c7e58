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
POLLING = KEYS.private("polling")


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
    await two.renew(0.5, can_poll=False)
    await one.renew(0.9997, can_poll=True)
    assert await one.read() == await two.read() == [Peer("one", "a", 0.9997), Peer("two", "b", 0.5, can_poll=False)]
    now = await server_time_ms(any_redis, KEYS.publishers)
    leased: Any = await any_redis.zrange(KEYS.publishers, 0, -1, withscores=True)
    assert all(0 < expiry - now <= 10_000 for _, expiry in leased)


async def test_who_ends_is_gone_at_once(any_redis: redis.asyncio.Redis) -> None:
    """And leaves nothing behind; ended twice, or before it began, it is all the same."""
    one = leases(any_redis, "one")
    await one.end()
    await one.renew(1.0, can_poll=True)
    await one.end()
    await one.end()
    assert await live_publishers(any_redis, KEYS) == []
    assert not await any_redis.exists(KEYS.publishers, POLLING)


async def test_who_died_is_swept_by_the_others(any_redis: redis.asyncio.Redis) -> None:
    """Its lease ran out: it is not alive from that moment on."""
    dead, alive = leases(any_redis, "dead"), leases(any_redis, "alive")
    await dead.renew(1.0, can_poll=True)
    await any_redis.zincrby(KEYS.publishers, -1000 * LEASE_S, "a|dead")
    assert await alive.read() == []
    await alive.renew(1.0, can_poll=True)
    assert await any_redis.zrange(KEYS.publishers, 0, -1) == [b"a|alive"]
    assert await any_redis.hkeys(POLLING) == [b"a|alive"]


async def test_another_login_moves_the_lease(any_redis: redis.asyncio.Redis) -> None:
    """The publisher is alive once, on the account it has now."""
    gateway = Gateway(1)
    await any_redis.hset(KEYS.private("accounts"), mapping={"1": "first", "2": "second"})
    one = Leases(any_redis, KEYS, Account(any_redis, KEYS, gateway, address="x:1"), publisher="p")
    await one.renew(1.0, can_poll=True)
    gateway.login_user_id = 2
    await one.renew(1.0, can_poll=True)
    assert await one.read() == [Peer("p", "second", 1.0)]


@pytest.mark.parametrize("told", [None, "", "many", '{"polls_per_s": -1}', '{"polls_per_s": 1e999}', "[]", "\x80"])
async def test_who_says_nothing_that_can_be_polls_as_usual(any_redis: redis.asyncio.Redis, told: str | None) -> None:
    """A lease alone, which is all that the contract asks for, counts."""
    now = await server_time_ms(any_redis, KEYS.publishers)
    await any_redis.zadd(KEYS.publishers, {"a|foreign": now + 5_000})
    if told is not None:
        await any_redis.hset(POLLING, "a|foreign", told)
    assert await live_publishers(any_redis, KEYS) == [Peer("foreign", "a", 1.0)]


@pytest.mark.parametrize("told_per_s", [5e-324, 1e300])
async def test_nobody_has_next_to_nothing_or_everything(any_redis: redis.asyncio.Redis, told_per_s: float) -> None:
    """However little or much a publisher says that it can poll."""
    await leases(any_redis, "one").renew(told_per_s, can_poll=True)
    [peer] = await live_publishers(any_redis, KEYS)
    assert 1e-3 <= peer.polls_per_s <= 1e3


@pytest.mark.parametrize("member", ["nobar", "a|", "|p", "a b|p", "a|p|q", b"\xff\xfe{|b"])
async def test_what_nobody_is_called_is_nobody(any_redis: redis.asyncio.Redis, member: Any) -> None:
    """Redis is not ours alone."""
    now = await server_time_ms(any_redis, KEYS.publishers)
    await any_redis.zadd(KEYS.publishers, {member: now + 5_000})
    assert await live_publishers(any_redis, KEYS) == []


async def test_a_lease_longer_than_there_are_is_none(any_redis: redis.asyncio.Redis) -> None:
    """A clock was set back since: whoever lives has a new one in a moment, the dead do not keep their codes."""
    now = await server_time_ms(any_redis, KEYS.publishers)
    await any_redis.zadd(KEYS.publishers, {"a|dead": now + 600_000})
    assert await live_publishers(any_redis, KEYS) == []
    await leases(any_redis, "one").renew(1.0, can_poll=True)
    assert [peer.publisher for peer in await live_publishers(any_redis, KEYS)] == ["one"]


async def test_of_two_with_one_name_the_other_one_lives_on(
    any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever ends leaves the lease to the other; and is told that there are two."""
    one, two = leases(any_redis, "twin"), leases(any_redis, "twin")
    for each in (one, two, one, two):
        await each.renew(1.0, can_poll=True)
    assert not await one.end()
    assert [peer.publisher for peer in await live_publishers(any_redis, KEYS)] == ["twin"]
    assert [record.message for record in caplog.records] == [
        "another publisher called twin is running: give each a name of its own"
    ] * 2


async def test_a_restart_finds_no_twin_in_the_dead(
    any_redis: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own lease of another life is no other publisher."""
    await leases(any_redis, "p").renew(1.0, can_poll=True)
    again = leases(any_redis, "p")
    for _ in range(2):
        await again.renew(1.0, can_poll=True)
    assert await again.end()
    assert caplog.records == []
    assert await live_publishers(any_redis, KEYS) == []


async def test_who_renews_tells_a_flushed_redis_what_the_account_is_called(any_redis: redis.asyncio.Redis) -> None:
    """Else somebody who starts anew calls it something else, and one user has two windows."""
    accounts = KEYS.private("accounts")
    one = Leases(any_redis, KEYS, Account(any_redis, KEYS, Gateway(7), address="x:1"), publisher="p")
    await one.renew(1.0, can_poll=True)
    await any_redis.flushall()
    await one.renew(1.0, can_poll=True)
    assert await any_redis.hget(accounts, "7") == b"x:1"
