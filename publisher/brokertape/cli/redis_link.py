"""Connecting a command to the Redis that is set, and finding the tape there."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from brokertape.cli.faults import NoTape
from brokertape.cli.settings import RedisGroup
from brokertape.tape.connection import RedisClient, connect, redact, store_errors
from brokertape.tape.keys import Keys
from brokertape.tape.meta import read_meta

logger = logging.getLogger("brokertape.cli.redis_link")

LOOK_EVERY_S = 0.5


@asynccontextmanager
async def open_redis(settings: RedisGroup) -> AsyncIterator[RedisClient]:
    """A client of a Redis that has answered once.

    Raises:
        StoreError: It is not there, does not let us in, or is no Redis.
    """
    client = connect(settings.url.get_secret_value(), command_timeout_s=settings.timeout_s)
    try:
        with store_errors():
            await client.ping()
        yield client
    finally:
        await client.aclose()


async def wait_for_keys(client: RedisClient, settings: RedisGroup, stop: asyncio.Event) -> Keys | None:
    """The keys of the tape, once there is one; None if `stop` is set before. Raises as `find_keys` does but NoTape."""
    is_told = False
    while not stop.is_set():
        try:
            return await find_keys(client, settings)
        except NoTape as error:
            if not is_told:
                logger.warning("%s; waiting for it", error)
            is_told = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
    return None


async def find_keys(client: RedisClient, settings: RedisGroup) -> Keys:
    """The keys of the tape that is there, with the partitions it was made with.

    Raises:
        NoTape: There is none under this prefix.
        TapeMismatch: It has another schema, or says of itself what cannot be.
    """
    keys = await read_meta(client, settings.prefix)
    if keys is None:
        where = redact(settings.url.get_secret_value())
        raise NoTape(f"there is no tape {settings.prefix!r} at {where}: `brokertape publish` makes it")
    return keys
