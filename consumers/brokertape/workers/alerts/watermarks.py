"""The feed's watermarks: how far each code was seen. The seam for rules about freshness."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from brokertape.tape.backoff import backoff, is_set_within
from brokertape.tape.codec import decode_entry
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import DecodeError, StoreUnavailable
from brokertape.tape.events import WatermarkData, WatermarkEvent
from brokertape.tape.keys import Keys
from brokertape.workers.errors import SinkUnavailable

log = logging.getLogger("brokertape.workers.alerts")

READ_EVERY_S = 1.0
_COUNT = 100

See = Callable[[WatermarkData, int], Awaitable[None]]


class Watermarks:
    """Reads those of now: what is missed says nothing any more."""

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._feed = keys.feed

    async def follow(
        self,
        see: See,
        token: Callable[[], int | None],
        stop: asyncio.Event,
    ) -> None:
        """Give every watermark to `see` with our lease's token, while there is one, until `stop`."""
        after_id, delays = "$", backoff()
        while not stop.is_set():
            try:
                after_id = await self._read(after_id, see, token)
            except (StoreUnavailable, SinkUnavailable) as error:
                log.info("watermarks are not read: %s", error)
                await is_set_within(stop, next(delays))
                continue
            delays = backoff()
            await is_set_within(stop, READ_EVERY_S)

    async def _read(self, after_id: str, see: See, token: Callable[[], int | None]) -> str:
        with store_errors():
            if after_id == "$":
                newest: Any = await self._client.xrevrange(self._feed, count=1)
                return newest[0][0].decode() if newest else "0-0"
            entries: Any = await self._client.xrange(self._feed, f"({after_id}", "+", count=_COUNT)
        for entry_id, fields in entries:
            after_id = entry_id.decode()
            mark = _watermark(fields)
            if mark is not None and (ours := token()) is not None:
                await see(mark, ours)
        return after_id


def _watermark(fields: Any) -> WatermarkData | None:
    try:
        event = decode_entry(fields)
    except DecodeError:
        return None
    return event.data if isinstance(event, WatermarkEvent) else None
