"""Whether Redis can be read, as told to whoever listens: once when the first reader lost it, once when all are back."""

import logging

from brokertape.subscriber.buffer import Buffer
from brokertape.subscriber.events import Connection

log = logging.getLogger("brokertape.subscriber")


class Link:
    """Hears from every reader of a subscription."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._cut_off: set[object] = set()  # the readers that have no Redis

    async def lost(self, reader: object, reason: str) -> None:
        """`reader` has no Redis."""
        is_first = not self._cut_off
        self._cut_off.add(reader)  # before anything is awaited: others may be lost meanwhile
        if is_first:
            log.warning("%s; waiting for it", reason)
            await self._buffer.put(Connection("disconnected", reason))

    async def found(self, reader: object) -> None:
        """`reader` has Redis."""
        if reader in self._cut_off:
            self._cut_off.discard(reader)
            if not self._cut_off:
                await self._buffer.put(Connection("connected"))
