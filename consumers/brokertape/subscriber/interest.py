"""Asking publishers for codes, for as long as a subscription runs."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Collection

from brokertape.subscriber.source import Source
from brokertape.tape.backoff import backoff
from brokertape.tape.errors import StoreRefused, StoreUnavailable
from brokertape.tape.interest import INTEREST_RENEW_S
from brokertape.tape.keys import check_name
from brokertape.tape.want import Want

log = logging.getLogger("brokertape.subscriber")

LEAVE_TIMEOUT_S = 2.0  # what is not taken back by then runs out by itself


class Interest:
    """What one subscriber asks for. Its name tells it from every other.

    Raises:
        InvalidKeys: `name` cannot stand in a key.
    """

    def __init__(self, source: Source, codes: Collection[str], name: str | None, want: Want) -> None:
        self.name = check_name("subscriber", name or _own_name())
        self._source = source
        self._codes = codes
        self._want = want

    async def keep(self) -> None:
        """Ask, and ask again before it runs out, for ever: who may not today, or has no room, may tomorrow."""
        delays, is_refused = backoff(), False
        while True:
            try:
                await self._source.want(self._codes, self.name, self._want)
            except StoreUnavailable:
                await asyncio.sleep(next(delays))
                continue
            except StoreRefused as error:
                if not is_refused:
                    log.warning("cannot ask for codes, so only what is watched comes: %s", error)
                is_refused = True
            else:
                is_refused = False
            delays = backoff()
            await asyncio.sleep(INTEREST_RENEW_S)

    async def leave(self) -> None:
        """Ask no more."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await self._source.unwant(self._codes, self.name)
        except (StoreUnavailable, StoreRefused, TimeoutError) as error:
            log.debug("the interest of %s runs out by itself: %s", self.name, error)


def _own_name() -> str:
    """Host, process and chance: the same host may hold many subscribers, and a fork of one."""
    host = "".join(character for character in socket.gethostname() if character.isalnum() or character in "-.")
    return f"{host[:64] or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"
