"""Finding the tape: what its publisher fixed when it was created."""

import asyncio
import logging
from typing import cast

from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidKeys, StoreUnavailable, TapeMismatch
from brokertape.tape.keys import SCHEMA, Keys
from brokertape.workers.backoff import backoff, is_set_within

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


async def read_meta(client: RedisClient, prefix: str) -> Keys | None:
    """The keys of the tape under `prefix`, None while there is none; raises as `find_tape`, and StoreUnavailable."""
    with store_errors():
        fields = cast("dict[bytes, bytes]", await client.hgetall(Keys(prefix).meta))
    meta = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    if not {"schema", "partitions"} <= meta.keys():
        return None  # or a publisher is just writing it
    if meta["schema"] != str(SCHEMA):
        raise TapeMismatch(f"tape {prefix!r} has schema {meta['schema']}, this version reads {SCHEMA}")
    try:
        return Keys(prefix, int(meta["partitions"]))
    except (InvalidKeys, ValueError) as error:
        raise TapeMismatch(f"tape {prefix!r} has partitions = {meta['partitions']}") from error
