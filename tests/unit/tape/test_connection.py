"""The seam to Redis: URLs, and what redis-py raises."""

import pytest
from redis import exceptions

from brokertape.tape.connection import connect, redact, store_errors
from brokertape.tape.errors import StoreError, StoreRefused, StoreUnavailable


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
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    """When it is given, not when it is first used; without telling a part of its password."""
    with pytest.raises(StoreRefused) as error:
        connect(url)
    assert "hid" not in str(error.value).replace("no_such_option=hidden", "")


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (exceptions.ConnectionError("gone"), StoreUnavailable),
        (exceptions.TimeoutError(), StoreUnavailable),
        (exceptions.ReadOnlyError("a replica"), StoreUnavailable),
        (exceptions.RedisClusterException("no node"), StoreUnavailable),
        (exceptions.SlotNotCoveredError("no node"), StoreUnavailable),
        (exceptions.MasterDownError("link down"), StoreUnavailable),
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
