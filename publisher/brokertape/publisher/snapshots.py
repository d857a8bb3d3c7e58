"""Looks at the whole market every second, so that the schedule knows which codes have traded.

One market snapshot (protocol 3203) tells the volumes of 400 codes, 20 under the lowest quote rights, and has a limit
of its own: 60 requests in 30 s. Without rights, or while it fails, the schedule goes on without.
"""

import logging
import math
from collections.abc import Sequence

from brokertape.gateway.errors import (
    GatewayError,
    LinkError,
    NoRights,
    OverBudget,
    Refused,
    TooManyCodes,
    UnknownCode,
    UpstreamTrouble,
)
from brokertape.gateway.port import MAX_CODES, MAX_CODES_BMP, Gateway
from brokertape.publisher.budget import Budget
from brokertape.publisher.clock import Clock
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volumes import News, Volumes
from brokertape.publisher.window import Limit

logger = logging.getLogger("brokertape.publisher.snapshots")

SNAPSHOT_LIMIT = Limit(60)
SNAPSHOT_PACE = 2, 1.0  # sends, seconds
LOOK_EVERY_S = 1.0
SHORTEST_LOOK_S = 0.5
LOST_AFTER_S = 10.0  # a code that no look has shown for so long is polled as if nobody spoke for it
NO_RIGHTS_PAUSE_S = 600.0  # rights may come back: a login elsewhere had taken them


class Snapshots:
    """Tells the schedule which codes trade, which have traded, and for which it can tell.

    Args:
        gateway: Who is asked.
        budget: Of market snapshots: they count apart from polls.
        schedule: Who is told.
        clock: The schedule's.
    """

    def __init__(self, gateway: Gateway, budget: Budget, schedule: Schedule, clock: Clock) -> None:
        self._gateway = gateway
        self._budget = budget
        self._schedule = schedule
        self._clock = clock
        self._volumes = Volumes()
        self._codes_a_call = self._most_codes = MAX_CODES
        self._refused: set[str] = set()
        self._shown_at: dict[str, float] = {}
        self._done = self._done_before = ""  # the last code of the last look, and of the one before it
        self._paused_until = -math.inf

    @property
    def interval_s(self) -> float:
        """How long to the next look: all codes are seen once a second if they fit into two calls."""
        calls = math.ceil(len(self._schedule.codes) / self._codes_a_call)
        return LOOK_EVERY_S if calls < 2 else SHORTEST_LOOK_S

    async def look(self) -> News | None:
        """Look at the next codes; what is new of them, None if the look failed or there is nothing to look at.

        Raises:
            StoreError: The shared budget cannot be asked.
        """
        self._tell_shown()
        now = self._clock.monotonic_s()
        if now < self._paused_until or self._budget.backoff.wait_s(now) > 0 or not (batch := self._next_batch()):
            return None
        slot = await self._budget.acquire()
        try:
            async with slot:
                snapshots = await self._gateway.market_snapshot(batch)
        except GatewayError as error:
            self._learn_from(error, batch)
            return None
        now = self._clock.monotonic_s()
        self._shown_at |= dict.fromkeys((snapshot.code for snapshot in snapshots), now)
        self._tell_shown()
        news = self._volumes.take(snapshots)
        self._tell(news, now)
        return news

    def _next_batch(self) -> list[str]:
        """The codes after those of the last look, in their order; from the first again after the last."""
        self._refused &= self._schedule.codes
        codes = sorted(self._schedule.codes - self._refused)
        self._volumes.keep(codes)
        later = [code for code in codes if code > self._done]
        batch = (later or codes)[: self._codes_a_call]
        self._done_before, self._done = self._done, batch[-1] if batch else ""
        return batch

    def _tell_shown(self) -> None:
        since = self._clock.monotonic_s() - LOST_AFTER_S - self._round_s
        self._shown_at = {code: at for code, at in self._shown_at.items() if at > since}
        self._schedule.signal(self._shown_at.keys(), self._clock.monotonic_s())

    @property
    def _round_s(self) -> float:
        return math.ceil(len(self._schedule.codes) / self._codes_a_call) * SHORTEST_LOOK_S

    def _tell(self, news: News, now: float) -> None:
        for code in news.traded:
            self._schedule.trade(code, now)
        for code in news.halted:
            self._schedule.halt(code)
        for code in news.resumed:
            self._schedule.halt(code, is_halted=False)

    def _learn_from(self, error: GatewayError, batch: Sequence[str]) -> None:
        """Which codes to leave out, or how many to ask for at a time."""
        match error:
            case LinkError() | UpstreamTrouble() | OverBudget():
                return  # it passes
            case UnknownCode():
                self._leave_out(error, batch)
            case NoRights() | TooManyCodes() | Refused() if len(batch) > MAX_CODES_BMP:
                logger.warning("market snapshots of %d codes are refused, %d from now on: %s", *_fewer(batch), error)
                self._codes_a_call = self._most_codes = MAX_CODES_BMP
            case _:
                logger.warning("no market snapshots for %.0f min: %s", NO_RIGHTS_PAUSE_S / 60, error)
                self._paused_until = self._clock.monotonic_s() + NO_RIGHTS_PAUSE_S
                self._codes_a_call = self._most_codes = MAX_CODES

    def _leave_out(self, error: UnknownCode, batch: Sequence[str]) -> None:
        """One unknown code refuses all: the one that is named, or, named or not, the one that is left of halves."""
        unknown = set(error.codes).intersection(batch) or (set(batch) if len(batch) == 1 else set())
        if unknown:
            logger.warning("market snapshots go without %s: %s", ", ".join(sorted(unknown)), error)
            self._refused |= unknown
            self._codes_a_call = self._most_codes
        else:
            self._codes_a_call, self._done = max(1, len(batch) // 2), self._done_before  # the same again, by halves


def _fewer(batch: Sequence[str]) -> tuple[int, int]:
    return len(batch), MAX_CODES_BMP
