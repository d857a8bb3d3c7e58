"""Filling what is missing of the last days: at once, and then every evening.

On days without trading, too: what was late on Friday is had on Saturday, and a run that finds nothing missing costs
no request.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, time

from brokertape.gateway.errors import GatewayError
from brokertape.gateway.values import GlobalState, MarketState
from brokertape.publisher.clock import Clock
from brokertape.publisher.history import HistoryFiller
from brokertape.publisher.patience import Patience
from brokertape.publisher.retention import Trimmer

logger = logging.getLogger("brokertape.publisher.nightly")

LOOK_EVERY_S = 60.0


class Nightly:
    """A run of the filler at once, and one each evening.

    Args:
        filler: What fills; like `patience` it should wait for ever.
        trimmer: Keeps the tape bounded, for there may be no publisher.
        clock: Whose time passes between two looks.
        patience: How it waits for a gateway or a Redis that is away.
        codes: Whose days: asked before each run.
        days: How many trading days back.
        final_at: Market time from which a day's run may begin, once the market is closed.
    """

    def __init__(
        self,
        filler: HistoryFiller,
        trimmer: Trimmer,
        clock: Clock,
        patience: Patience,
        *,
        codes: Callable[[], Awaitable[Sequence[str]]],
        days: int,
        final_at: time,
    ) -> None:
        self._filler = filler
        self._trimmer = trimmer
        self._clock = clock
        self._patience = patience
        self._codes = codes
        self._days = days
        self._final_at = final_at
        self._filled_on: date | None = None

    async def run(self) -> None:
        """Until cancelled. Raises StoreError when Redis refuses."""
        is_first = True
        while True:
            try:
                state, moment = await self._patience.wait_for(self._filler.look)
            except GatewayError as error:  # an answer that nobody can make sense of: there is the next look
                logger.warning("what time it is at the market is not known: %s", error)
            else:
                if is_first or is_due(state, moment, self._final_at, self._filled_on):
                    await self._fill()
                    # What began before the day was final leaves the evening's run to be done.
                    self._filled_on = moment.date() if moment.time() >= self._final_at else None
                    is_first = False
            await self._clock.sleep(LOOK_EVERY_S)

    async def _fill(self) -> None:
        try:
            codes = await self._patience.wait_for(self._codes)
            tally = await self._filler.fill(codes, self._days)
            logger.info("past days of %d codes: %s", len(codes), tally)
        except GatewayError as error:
            logger.warning("past days are left for the next evening: %s", error)
        await self._patience.wait_for(lambda: self._trimmer.trim(self._clock.now_ms()))


def is_due(state: GlobalState, moment: datetime, final_at: time, filled_on: date | None) -> bool:
    """Whether the evening has come: the market is closed, its lists count as final, and today's run was not yet."""
    return state.market_hk is MarketState.CLOSED and moment.time() >= final_at and moment.date() != filled_on
