"""What tests of workers share."""

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.connection import connect


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of a server of this test's own, which it may kill."""
    client = connect(redis_server.url)
    assert isinstance(client, redis.asyncio.Redis)
    yield client
    await client.aclose()
