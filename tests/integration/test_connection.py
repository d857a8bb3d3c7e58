"""The seam to Redis on a real server: bounded commands, and cancellations that arrive."""

import asyncio
import os
import signal
import time

import pytest

from brokertape.cli.redis_server import RedisServer
from brokertape.tape.connection import connect, run_pipeline, store_errors
from brokertape.tape.errors import StoreUnavailable

pytestmark = pytest.mark.server


@pytest.mark.parametrize("steps", range(1, 41))
async def test_a_cancellation_is_never_lost(shared_redis_server: RedisServer, steps: int) -> None:
    """Whenever it comes, a loop of commands ends by it."""
    client = connect(shared_redis_server.url)

    async def ping_for_ever() -> None:
        while True:
            await client.ping()

    pinging = asyncio.create_task(ping_for_ever())
    for _ in range(steps):
        await asyncio.sleep(0)
    pinging.cancel()
    _, running = await asyncio.wait([pinging], timeout=10)
    assert not running
    assert pinging.cancelled()
    assert await client.ping()
    await client.aclose()


async def test_a_server_that_stands_still_is_given_up(redis_server: RedisServer) -> None:
    """A command and a pipeline end at the time limit, as a server that cannot be reached; later ones are right."""
    client = connect(redis_server.url, command_timeout_s=0.3)
    await client.set("k", "v")
    os.kill(redis_server.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable), store_errors():
        await client.get("k")
    pipeline = client.pipeline(transaction=False)
    pipeline.get("k")
    with pytest.raises(StoreUnavailable), store_errors():
        await run_pipeline(client, pipeline)
    assert time.monotonic() - began < 5
    os.kill(redis_server.pid, signal.SIGCONT)
    assert await client.get("k") == b"v"
    await client.aclose()
