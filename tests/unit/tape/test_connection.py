"""The seam to Redis: URLs, and what redis-py raises."""

from typing import Any

import pytest
from redis import exceptions
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import MasterNotFoundError

from brokertape.tape.connection import connect, redact, store_errors
from brokertape.tape.errors import StoreError, StoreRefused, StoreUnavailable
from brokertape.tape.sentinel import SentinelRedis


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("unix:///run/s", "unix:///run/s"),
        ("redis://u:hidden@h:1", "redis://u:***@h:1"),
        ("rediss://:hidden@h?a=b", "rediss://:***@h?a=b"),
        ("redis+cluster://u:hid@den@h", "redis+cluster://u:***@h"),
        ("redis://u:hid/den@h", "redis://u:***@h"),
        ("redis://u:hid#den@h", "redis://u:***@h"),
        ("redis://u:hid://den@h", "redis://u:***@h"),
        ("redis:u:hidden@h", "redis:***@h"),
        ("redis://h?password=hidden&db=1", "redis://h?password=***&db=1"),
        ("redis+sentinel://u:hidden@h:1,i:2/tape", "redis+sentinel://u:***@h:1,i:2/tape"),
        ("redis+sentinel://h/t?sentinel_password=hidden", "redis+sentinel://h/t?sentinel_password=***"),
        ("rediss://h?ssl_password=hidden&db=1", "rediss://h?ssl_password=***&db=1"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Also one that is not written as it should be."""
    assert redact(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        *("h:1", "http://h", "redis://", "redis:u:hidden@h", "redis://u:hid/den@h:1", "redis://u:hidden@h:port"),
        *("redis://h?no_such_option=hidden", "redis+cluster://h?no_such_option=1", "redis://h:port"),
        *("redis+sentinel://u:hidden@h", "redis+sentinel://u:hidden@h/", "redis+sentinel://u:hidden@h,/tape"),
        *("redis+sentinel://u:hidden@h:port/tape", "redis+sentinel://u:hidden@h/tape/db", "redis+sentinel:///tape"),
        *("redis+sentinel://u:hid/den@h/tape", "redis+sentinel://u:1/hidden@h", "redis+sentinel://u:hid#den@h/tape"),
        *("redis+sentinel://h/tape?no_such_option=1", "redis+sentinel://h/tape?sentinel_password=hidden&such=1"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    """When it is given, not when it is first used; without telling a part of its password."""
    with pytest.raises(StoreRefused) as error:
        connect(url)
    assert "hid" not in str(error.value).replace("no_such_option=hidden", "")


def test_a_sentinel_url_without_a_service_says_what_is_missing() -> None:
    """With an example."""
    with pytest.raises(StoreRefused, match="name the service after the hosts, as in redis"):
        connect("redis+sentinel://h:26379")


async def test_a_sentinel_url_is_read_in_full() -> None:
    """Hosts with and without a port, service, database, both logins; TLS and its options hold for both sides."""
    client = connect(
        "rediss+sentinel://u:p%2F@h1:1,h2,[::1]:3/my%20tape/2?ssl_ca_certs=ca&sentinel_username=s&sentinel_password=q"
    )
    assert isinstance(client, SentinelRedis)
    pool: Any = client.connection_pool
    data, asked = pool.connection_kwargs, [one.connection_pool.connection_kwargs for one in client.sentinels._clients]
    assert (pool.service_name, data["username"], data["password"], data["db"]) == ("my tape", "u", "p/", 2)
    assert [(one["host"], one["port"]) for one in asked] == [("h1", 1), ("h2", 26379), ("::1", 3)]
    assert {(one["username"], one["password"]) for one in asked} == {("s", "q")}
    assert {one["ssl_ca_certs"] for one in (data, *asked)} == {"ca"}
    assert issubclass(pool.connection_class, SSLConnection)
    assert {one.connection_pool.connection_class for one in client.sentinels._clients} == {SSLConnection}
    await client.aclose()


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (exceptions.ConnectionError("gone"), StoreUnavailable),
        (exceptions.TimeoutError(), StoreUnavailable),
        (MasterNotFoundError("an election"), StoreUnavailable),
        (exceptions.ReadOnlyError("a replica"), StoreUnavailable),
        (exceptions.RedisClusterException("no node"), StoreUnavailable),
        (exceptions.SlotNotCoveredError("no node"), StoreUnavailable),
        (exceptions.MasterDownError("link down"), StoreUnavailable),
        (exceptions.ClusterError("TTL exhausted."), StoreUnavailable),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), StoreUnavailable),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), StoreUnavailable),
        (OSError("broken pipe"), StoreUnavailable),
        (exceptions.AuthenticationError("wrong"), StoreRefused),
        (exceptions.NoPermissionError("no"), StoreRefused),
        (exceptions.ResponseError("WRONGTYPE"), StoreRefused),
    ],
)
def test_what_redis_py_raises_is_translated(raised: Exception, becomes: type[StoreError]) -> None:
    """Into one of two errors, with its cause."""
    with pytest.raises(becomes) as error, store_errors():
        raise raised
    assert error.value.__cause__ is raised
