"""Codes whose trades are told: which trades wait for a poll, and how often a code trades at all."""

from collections import deque
from dataclasses import dataclass
from math import exp, inf

from brokertape.publisher.schedule.maturity import Maturity
from brokertape.publisher.schedule.rates import SLOWEST_PER_S

HORIZON_S = 300.0  # trades so long ago count for 1/e in how often a code trades
MOST_QUEUED = 100_000  # trades that are not mature; of more the oldest count as mature
MOST_ROWS_TOLD = 12  # a poll that found more rows changed says little about how many changes there were
YIELD_MEMORY = 0.98  # of what is known, after each further poll with trades: the last 50 decide
FIRST_ROUND_S = 2.0  # a look a second, and its way
FIRST_YIELD = 2.0  # as if so many trades had been seen, each with one row change


@dataclass(slots=True)
class Trades:
    """One code's. Times in s; trades are counted as the signal tells them, one or many at a time."""

    told_since: float
    raw: int = 0
    """Told, and not mature."""
    mature: int = 0
    """Mature, and not polled for."""
    asked_for: int = 0
    """Of them, those that were mature when the poll in flight was sent."""
    first_at: float = inf
    """When the first of the mature ones was traded."""
    last_at: float = -inf
    """When the last one of all was traded."""
    counted: float = 0.0
    counted_at: float = 0.0
    changes: float = FIRST_YIELD
    asked: float = FIRST_YIELD
    """Row changes that polls found, and the trades they were sent for."""
    has_taught: bool = False
    """Whether any poll found out about it."""

    @property
    def is_quiet(self) -> bool:
        """Whether no trade waits."""
        return self.raw == self.mature == 0

    @property
    def changes_each(self) -> float:
        """Row changes that a trade leads to."""
        return self.changes / self.asked

    def counted_by(self, now: float) -> float:
        """Trades so far, those long ago for less."""
        return self.counted * exp((self.counted_at - now) / HORIZON_S)

    def ripen(self, traded_at: float, now: float) -> None:
        """One of the raw trades is mature."""
        self.raw -= 1
        self.mature += 1
        self.first_at = min(self.first_at, traded_at)
        self.counted, self.counted_at = self.counted_by(now) + 1, now

    def learn(self, changes: float, rows: int) -> None:
        """A poll for what was mature has found so much."""
        if rows <= MOST_ROWS_TOLD:
            self.changes = YIELD_MEMORY * self.changes + changes
            self.asked = YIELD_MEMORY * self.asked + self.asked_for
            self.has_taught = True

    def recall(self, changes_each: float | None) -> None:
        """What was known of it yesterday weighs like what is expected of any code, unless today taught better."""
        if changes_each is not None and not self.has_taught:
            self.changes, self.asked = FIRST_YIELD * changes_each, FIRST_YIELD

    def see(self, asked_at: float) -> None:
        """The list was polled at `asked_at`: what was mature then is seen."""
        self.mature -= self.asked_for
        self.asked_for = 0
        self.first_at = asked_at if self.mature else inf


class Signal:
    """The codes whose trades are told. A code's trades mature in the order in which they were traded."""

    def __init__(self, maturity: Maturity) -> None:
        self.maturity = maturity
        self.round_s = FIRST_ROUND_S
        """How long a trade may take to be told."""
        self.codes: dict[str, Trades] = {}
        self._queue: deque[tuple[float, Trades]] = deque()

    def tell(self, code: str, now: float) -> None:
        """`code` traded, just now. Codes that nobody speaks for are none of ours."""
        trades = self.codes.get(code)
        if trades is None:
            return
        trades.raw += 1
        trades.last_at = max(trades.last_at, now)
        self._queue.append((now, trades))
        if len(self._queue) > MOST_QUEUED:
            self._ripen_first(now)

    def ripen(self, now: float) -> None:
        """What was traded longer ago than the lag is mature."""
        while self._queue and self._queue[0][0] + self.maturity.lag_s <= now:
            self._ripen_first(now)

    def next_mature_at(self) -> float:
        """When the next trade is; infinity if none waits."""
        return self._queue[0][0] + self.maturity.lag_s if self._queue else inf

    def usual_wait_s(self, now: float) -> float:
        """How long a usual code takes from trade to trade, judged by all of them."""
        counted = sum(trades.counted_by(now) for trades in self.codes.values())
        watched = sum(_watched_s(trades, now) for trades in self.codes.values())
        return watched / counted if counted > 0 else inf

    def value(self, trades: Trades, usual_wait_s: float, now: float) -> float:
        """What a poll is worth: w·p·k(k+1) / 2µ, but for the weight; 0 without a mature trade.

        Polling at every k-th trade costs wp(k-1)/2 a second for what waits and νµ/k for polls; where k and k+1 cost
        the same, ν is the price at which k trades are worth a poll. So one trade of a code that seldom trades beats
        one of a busy code: the quiet one stays clean afterwards.
        """
        if not trades.mature:
            return 0.0
        waiting = trades.mature * (trades.mature + 1)
        return trades.changes_each * waiting / (2 * self.trades_per_s(trades, usual_wait_s, now))

    def trades_per_s(self, trades: Trades, usual_wait_s: float, now: float) -> float:
        """How often a code trades; what is usual weighs like one trade. Above 0, however long nothing trades."""
        return max((trades.counted_by(now) + 1) / (_watched_s(trades, now) + usual_wait_s), SLOWEST_PER_S)

    def _ripen_first(self, now: float) -> None:
        traded_at, trades = self._queue.popleft()
        trades.ripen(traded_at, now)


def _watched_s(trades: Trades, now: float) -> float:
    """For how long its trades have been told, times long ago for less."""
    return HORIZON_S * (1 - exp((trades.told_since - now) / HORIZON_S))
