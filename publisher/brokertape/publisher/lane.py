"""Who goes first: live requests, and behind them those that can wait. Pure, time as an argument in seconds.

A request that can wait leaves only while `headroom` slots of the window stay free besides its own, while live has
nothing to do, and one even share of the window after the last of its kind. Spread so evenly, its slots also come back
evenly: live that wakes up finds the headroom at once, and then a slot for every share.
"""

import math
from dataclasses import dataclass, replace

from brokertape.publisher.window import Backoff, Limit


@dataclass(frozen=True, slots=True)
class Lane:
    """How far a kind of request stands back: `headroom` slots stay free, and live has been quiet for `quiet_s`.

    Two live requests less than `quiet_s` apart mean that live has work. A single one, as the heartbeat of a market
    that rests, does not.
    """

    headroom: int = 0
    quiet_s: float = 0.0

    def __post_init__(self) -> None:
        if self.headroom < 0 or self.quiet_s < 0:
            raise ValueError(f"a lane with headroom {self.headroom} and {self.quiet_s:g} s of quiet: use 0 or more")

    @property
    def is_live(self) -> bool:
        """Whether it stands back for nobody."""
        return self.quiet_s == 0

    def share_of(self, limit: Limit) -> Limit:
        """What it may use of `limit`. Raises ValueError if that is nothing."""
        return replace(limit, requests=limit.requests - self.headroom)

    def spacing_s(self, limit: Limit) -> float:
        """How far apart its requests leave, whichever process sends them: an even share of the window."""
        return 0.0 if self.is_live else limit.span_s() / self.share_of(limit).requests


LIVE = Lane()


class Precedence:
    """What those behind need to know: when live last asked, whether there was a refusal, when their own last left."""

    def __init__(self) -> None:
        self._live_at = -math.inf
        self._live_before = -math.inf
        self._held_until = -math.inf
        self._behind_at = -math.inf

    def live_asked(self, now: float) -> None:
        """A live request wants a slot, whether it gets one or not."""
        self._live_before, self._live_at = self._live_at, now

    def held(self, now: float, hold_s: float) -> None:
        """The gateway told somebody "too often": slots that run out while live is held are not free to take."""
        self._held_until = now + min(hold_s, Backoff.LONGEST_HOLD_S)

    def behind_sent(self, now: float) -> None:
        """A request that can wait leaves."""
        self._behind_at = now

    def wait_s(self, now: float, lane: Lane, limit: Limit) -> float:
        """How long a request of `lane` has to stand back; 0 if not."""
        if lane.is_live:
            return 0.0
        has_work = self._live_at - self._live_before < lane.quiet_s
        ends = (
            self._live_at + lane.quiet_s if has_work else now,
            self._held_until,
            self._behind_at + lane.spacing_s(limit),
        )
        return max(0.0, max(ends) - now)
