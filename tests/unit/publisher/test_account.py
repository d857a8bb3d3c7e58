"""Whose budget it is: by who is logged in, unless it is set."""

from dataclasses import dataclass

import pytest
import redis.asyncio

from brokertape.publisher.account import Account
from brokertape.tape import Keys

KEYS = Keys()
ACCOUNTS = KEYS.private("accounts")


@dataclass
class Gateway:
    """Somebody is logged in there, or nobody yet."""

    login_user_id: int = 0


def account(client: redis.asyncio.Redis, address: str, gateway: Gateway, name: str | None = None) -> Account:
    """The account of a gateway."""
    return Account(client, KEYS, gateway, address=address, name=name)


async def test_two_addresses_of_one_user_are_one_account(any_redis: redis.asyncio.Redis) -> None:
    """Called by the address at which the user was met first, and so are its windows."""
    one, other = (account(any_redis, address, Gateway(7)) for address in ("127.0.0.1:11111", "lan:11111"))
    assert [await one.name(), await other.name()] == ["127.0.0.1:11111"] * 2
    assert await other.polls_key() == KEYS.budget("127.0.0.1:11111")
    assert await other.snapshots_key() == await one.snapshots_key()


async def test_two_users_are_two_accounts(any_redis: redis.asyncio.Redis) -> None:
    """Each by its own address."""
    assert await account(any_redis, "a:1", Gateway(1)).name() == "a:1"
    assert await account(any_redis, "b:1", Gateway(2)).name() == "b:1"


async def test_a_name_that_is_set_stands(any_redis: redis.asyncio.Redis) -> None:
    """Whoever is logged in, and nobody else is called by it."""
    assert await account(any_redis, "a:1", Gateway(1), "mine").name() == "mine"
    assert await account(any_redis, "b:1", Gateway(1)).name() == "b:1"


async def test_before_anybody_is_known_it_is_the_address(any_redis: redis.asyncio.Redis) -> None:
    """Nothing is written; once the user is known, and whenever it becomes another one, the account is theirs."""
    gateway = Gateway()
    late = account(any_redis, "late:1", gateway)
    assert await late.name() == "late:1"
    assert not await any_redis.exists(ACCOUNTS)
    await any_redis.hset(ACCOUNTS, mapping={"5": "five:1", "6": "six:1"})
    for gateway.login_user_id, name in ((5, "five:1"), (6, "six:1"), (0, "six:1")):
        assert await late.name() == name


@pytest.mark.parametrize("stored", ["", "a b", "x" * 129, "{a}"])
async def test_what_cannot_be_a_name_is_none(any_redis: redis.asyncio.Redis, stored: str) -> None:
    """The key is private, but Redis is not ours alone."""
    await any_redis.hset(ACCOUNTS, "7", stored)
    assert await account(any_redis, "a:1", Gateway(7)).name() == "a:1"


async def test_a_redis_that_lost_the_name_is_told_again(any_redis: redis.asyncio.Redis) -> None:
    """By whoever uses it, before somebody who starts anew calls the account something else."""
    one, other = account(any_redis, "a:1", Gateway(7)), account(any_redis, "b:1", Gateway(7))
    assert [await one.name(), await other.name()] == ["a:1"] * 2
    await any_redis.flushall()
    await other.confirm()
    assert await account(any_redis, "b:1", Gateway(7)).name() == "a:1"


async def test_one_who_was_called_something_else_joins(any_redis: redis.asyncio.Redis) -> None:
    """If somebody was quicker after the loss, all are one account again with the next confirmation."""
    one = account(any_redis, "a:1", Gateway(7))
    await one.name()
    await any_redis.flushall()
    quick = account(any_redis, "b:1", Gateway(7))
    assert (await quick.name(), await one.confirm()) == ("b:1", "b:1")


async def test_an_address_that_changed_hands_is_not_both_accounts(any_redis: redis.asyncio.Redis) -> None:
    """Another user at the address has an account of another name; the first one keeps its own elsewhere."""
    gateway = Gateway(1)
    here = account(any_redis, "a:1", gateway)
    assert await here.name() == "a:1"
    gateway.login_user_id = 2
    assert await here.name() == "a:1#2"
    assert await account(any_redis, "b:1", Gateway(1)).name() == "a:1"
