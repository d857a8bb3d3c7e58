"""What the schedule keeps of one code."""

import math
from dataclasses import dataclass

from brokertape.publisher.schedule.rates import Rate
from brokertape.publisher.schedule.reasons import Reason
from brokertape.publisher.schedule.trades import Trades

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class Entry:
    """One code. `asked_at` is when its last poll that was answered was sent: what changed later is not seen."""

    rate: Rate
    weight: float = 1.0
    max_staleness_s: float | None = None
    trades: Trades | None = None
    """None if nobody tells its trades."""
    asked_at: float = -math.inf
    seen_at: float = -math.inf
    """As `asked_at`, of good polls alone."""
    picked_at: float | None = None
    reason: Reason | None = None
    failures: int = 0
    resume_at: float = -math.inf
    is_halted: bool = False

    @property
    def promised_by(self) -> float:
        """When its promise is broken."""
        return math.inf if self.max_staleness_s is None else self.asked_at + self.max_staleness_s

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to ask: of a halted code the list it has, once."""
        return not self.is_halted or math.isinf(self.seen_at)

    @property
    def has_mature_trades(self) -> bool:
        """Whether it is known to have traded since it was seen, if it was, and its list can show it."""
        return self.trades is not None and self.trades.mature > 0

    @property
    def first_rank(self) -> tuple[int, float, float]:
        """By this codes that were never seen are asked, the highest first; of those that failed the oldest."""
        traded = 0 if self.trades is None else self.trades.raw + self.trades.mature
        return traded, self.weight, -self.asked_at

    def capped_by(self, cap_s: float, quiet_cap_s: float, awake_since: float) -> float:
        """When it has waited for too long, which nobody does while the market rests.

        While its trades are told it is clean until one matures, or nearly so.
        """
        since = max(self.asked_at, awake_since)
        if self.trades is None:
            return since + cap_s
        return max(since, min(self.trades.first_at, since + quiet_cap_s)) + cap_s

    def pick(self, now: float, reason: Reason) -> None:
        """It is asked now."""
        self.picked_at, self.reason = now, reason
        if self.trades is not None:
            self.trades.asked_for = self.trades.mature

    def answer(self, now: float) -> float:
        """Its poll was answered; when it had been sent."""
        self.asked_at = now if self.picked_at is None else self.picked_at
        self.picked_at = None
        return self.asked_at

    def fail(self, now: float, pause_s: float | None) -> None:
        """Its poll was answered with a failure: it pauses, 2 s and doubling to 60, or for `pause_s`.

        Its age begins anew all the same: an index that grows with age lets one code that always fails take all.
        """
        self.failures += 1
        growing_s = min(FIRST_PAUSE_S * 2 ** (min(self.failures, 10) - 1), LONGEST_PAUSE_S)
        self.resume_at = now + (growing_s if pause_s is None else pause_s)
        self.answer(now)
        if self.trades is not None:
            self.trades.asked_for = 0
