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
from brokertape.publisher.budget import Budget, SlotExpired
from brokertape.publisher.clock import Clock
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volume_signal import VolumeSignal
from brokertape.publisher.window import Limit

logger = logging.getLogger("brokertape.publisher.snapshots")

SNAPSHOT_LIMIT = Limit(60)
SNAPSHOT_PACE = 2, 1.0  # sends, seconds
LOOK_EVERY_S = 1.0
SHORTEST_LOOK_S = 0.5
LOST_AFTER_S = 10.0  # a code that no look has shown for so long is polled as if nobody spoke for it
NO_RIGHTS_PAUSE_S = 600.0  # rights may come back: a login elsewhere had taken them


class Snapshots:
    """Asks for the volumes of all codes, as many at a time as the account may.

    Args:
        gateway: Who is asked.
        budget: Of market snapshots: they count apart from polls.
        signal: Who is told.
        schedule: Whose codes.
        clock: The schedule's.
    """

    name = "market snapshots"

    def __init__(
        self, gateway: Gateway, budget: Budget, signal: VolumeSignal, schedule: Schedule, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._budget = budget
        self._signal = signal
        self._schedule = schedule
        self._clock = clock
        self._codes_a_call = self._most_codes = MAX_CODES
        self._refused: set[str] = set()
        self._done = self._done_before = ""  # the last code of the last look, and of the one before it
        self._paused_until = -math.inf
        self._good = 0  # codes shown since the last refusal
        self._grows_at = -math.inf

    @property
    def interval_s(self) -> float:
        """How long to the next look: two a second if one does not show all codes."""
        return LOOK_EVERY_S if self._calls_a_round < 2 else SHORTEST_LOOK_S

    async def look(self) -> None:
        """Look at the next codes.

        Raises:
            StoreError: The shared budget cannot be asked.
        """
        self._signal.refresh()
        now = self._clock.monotonic_s()
        if now < self._paused_until or self._budget.backoff.wait_s(now) > 0 or not (batch := self._next_batch()):
            return
        slot = await self._budget.acquire()
        try:
            async with slot:
                snapshots = await self._gateway.market_snapshot(batch)
        except SlotExpired:
            return  # nothing was sent: there is the next look
        except GatewayError as error:
            self._good = 0
            self._learn_from(error, batch)
        else:
            self._signal.round_s = 2 * LOOK_EVERY_S + self._calls_a_round * SHORTEST_LOOK_S
            self._signal.take(snapshots, LOST_AFTER_S + self._calls_a_round * SHORTEST_LOOK_S)
            self._grow(len(batch))

    def _grow(self, good: int) -> None:
        """After a whole round without a refusal as many at a time again as before; now and then as many as ever."""
        self._good += good
        if self._good >= len(self._schedule.codes):
            self._codes_a_call = self._most_codes
        if self._clock.monotonic_s() >= self._grows_at:
            self._codes_a_call = self._most_codes = MAX_CODES

    @property
    def _calls_a_round(self) -> int:
        return math.ceil(len(self._schedule.codes) / self._codes_a_call)

    def _next_batch(self) -> list[str]:
        """The codes after those of the last look, in their order; from the first again after the last."""
        self._refused &= self._schedule.codes
        codes = sorted(self._schedule.codes - self._refused)
        later = [code for code in codes if code > self._done]
        batch = (later or codes)[: self._codes_a_call]
        self._done_before, self._done = self._done, batch[-1] if batch else ""
        return batch

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
                self._grows_at = self._clock.monotonic_s() + NO_RIGHTS_PAUSE_S
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
