"""What ours is measured against: the plain loop, and one that knows what nobody can know."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from schedule.market import Day
from schedule.run import INTERVAL_S, Factory


class RoundRobin:
    """Every code in turn, whatever happens."""

    def __init__(
        self,
        codes: Sequence[str],
        budget_per_s: float,
        weights: Mapping[str, float],
        max_staleness_s: Mapping[str, float],
        signalled: Collection[str],
    ) -> None:
        self._turn = deque(codes)

    def pick(self, now: float) -> str | None:
        """The next one."""
        self._turn.rotate(-1)
        return self._turn[-1]

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        """Learns nothing."""

    def trade(self, code: str, now: float) -> None:
        """Learns nothing."""


class Oracle:
    """Knows every code's rate at every moment and, of codes with signals, when each trade has reached the list.

    A poll of a code is worth what it saves against polling it later: `w l a² / 2` when nothing is known but the rate of
    changes `l` and the age `a`; `w p k (k + 1) / (2 m)` when `k` trades of rate `m` have settled since, each of which
    changed the list with chance `p` (Whittle's index of either). The largest is polled, but for promises that would not
    hold any more: of those the one that is due first.
    """

    def __init__(self, day: Day, signalled: Collection[str]) -> None:
        self._day = day
        self._weights = day.weight_by_number / 2
        self._polled_s = np.zeros(len(day.codes))
        self._pinned = np.array([day.number[code] for code in day.max_staleness_s], dtype=np.int64)
        self._promised_s = np.array(list(day.max_staleness_s.values()))
        self._is_signalled = np.isin(np.array(day.codes), list(signalled))
        self._settled = day.settled.of(self._is_signalled[day.settled.code])
        self._waiting = np.zeros(len(day.codes))
        self._seen = 0

    def pick(self, now: float) -> str | None:
        """The code whose poll is worth most, or is due."""
        due_s = self._polled_s[self._pinned] + self._promised_s
        if (np.sort(due_s) < now + INTERVAL_S * np.arange(1, len(due_s) + 1)).any():
            return self._day.codes[int(self._pinned[due_s.argmin()])]
        rates_per_s = self._day.rates_at(now)
        value = self._weights * rates_per_s * (now - self._polled_s) ** 2
        if len(self._settled):
            self._see(now)
            known = self._day.chances**2 * self._waiting * (self._waiting + 1) / rates_per_s  # m is l / p
            value = np.where(self._is_signalled, self._weights * known, value)
        return self._day.codes[int(value.argmax())]

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        """The code is clean again."""
        number = self._day.number[code]
        self._polled_s[number] = now
        self._waiting[number] = 0

    def trade(self, code: str, now: float) -> None:
        """Knows better than a trade can tell."""

    def _see(self, now: float) -> None:
        """Count what has settled since the last look."""
        upto = int(np.searchsorted(self._settled.at_s, now, side="right"))
        np.add.at(self._waiting, self._settled.code[self._seen : upto], 1)
        self._seen = upto


def oracle_of(day: Day) -> Factory:
    """The factory of an oracle that knows this day."""
    return lambda codes, budget_per_s, weights, max_staleness_s, signalled: Oracle(day, signalled)
