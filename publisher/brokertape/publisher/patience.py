"""Waiting for a gateway or a Redis that is away: for work that nobody is in a hurry for."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from brokertape.gateway.errors import LinkError, UpstreamTrouble
from brokertape.publisher.clock import Clock
from brokertape.tape.errors import StoreUnavailable

T = TypeVar("T")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


class Patience:
    """Repeats what failed for want of a gateway or a Redis, ever more seldom, and says so once.

    Args:
        clock: Whose time passes.
        logger: Where it says so.
        longest_s: After so long the error is raised; None: never.
    """

    def __init__(self, clock: Clock, logger: logging.Logger, longest_s: float | None) -> None:
        self._clock = clock
        self._logger = logger
        self._longest_s = longest_s

    async def wait_for(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives. It is called again and again, so a repeat of it must be harmless.

        Raises:
            LinkError, UpstreamTrouble, StoreUnavailable: They lasted too long.
        """
        began_s, pause_s = self._clock.monotonic_s(), FIRST_PAUSE_S
        while True:
            try:
                result = await work()
            except (LinkError, UpstreamTrouble, StoreUnavailable) as error:
                waited_s = self._clock.monotonic_s() - began_s
                if self._longest_s is not None and waited_s >= self._longest_s:
                    raise
                if pause_s == FIRST_PAUSE_S:
                    self._logger.warning("%s; waiting for it", error)
            else:
                if pause_s > FIRST_PAUSE_S:
                    self._logger.info("it is back")
                return result
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
