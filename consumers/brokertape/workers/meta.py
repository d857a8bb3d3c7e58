"""Finding the tape: what its publisher fixed when it was created."""

import asyncio
import logging

from brokertape.tape.backoff import backoff, is_set_within
from brokertape.tape.connection import RedisClient
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.keys import Keys
from brokertape.tape.meta import read_meta

log = logging.getLogger("brokertape.workers")


async def find_tape(client: RedisClient, prefix: str, stop: asyncio.Event) -> Keys | None:
    """The keys of the tape under `prefix`; waits for it, since workers may start before publishers. None at `stop`.

    Raises:
        TapeMismatch: It was made with another schema, or its partition count cannot be.
        StoreRefused: Redis answers but will not let us.
    """
    delays = backoff()
    while True:
        delay_s = next(delays)
        try:
            if (keys := await read_meta(client, prefix)) is not None:
                return keys
            log.info("there is no tape %r yet: waiting for a publisher, looking again in %.1f s", prefix, delay_s)
        except StoreUnavailable as error:
            log.warning("%s; trying again in %.1f s", error, delay_s)
        if await is_set_within(stop, delay_s):
            return None
