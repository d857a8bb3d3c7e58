"""One virtual day under one scheduler, and how late it finds what changed.

A poll every 30.1 / 30 s, answered at once and never failing.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise, repeat
from typing import Protocol

import numpy as np

from schedule.market import DAY_S, Day, Events, Floats

INTERVAL_S = 30.1 / 30  # thirty polls in 30 s, and a guard
BUDGET_PER_S = 1 / INTERVAL_S
PUSHED_CODES = 100  # the smallest quota of quote subscriptions
LOOK_S = 1.0  # between two bulk snapshots
REPLY_S = (0.05, 0.2)  # of the user's own loop, before its sleep(1)


class Scheduler(Protocol):
    """Decides whom to poll. Time is always an argument, in seconds."""

    def pick(self, now: float) -> str | None:
        """The code to poll now, None for none."""

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        """What the poll found: whether the list differs from the last one, and how many of its rows do."""

    def trade(self, code: str, now: float) -> None:
        """A trade was seen, or a volume that rose."""


Factory = Callable[[Sequence[str], float, Mapping[str, float], Mapping[str, float], Collection[str]], Scheduler]
"""(codes, budget_per_s, weights, max_staleness_s, signalled) → scheduler. Missing weights are 1."""


class Signals(StrEnum):
    """What a scheduler hears between polls."""

    NONE = "none"
    PUSH = "push"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How late a day's changes were found, in seconds.

    Args:
        mean_s: Mean delay of a change, by weight.
        p95_s: Nineteen of twenty were found within so long.
        worst_s: The longest delay.
        gap_s: The longest time that any code was not polled for, from the day's begin to its end.
        pinned_gap_s: The same of the codes with a promise; 0 if there are none.
    """

    mean_s: float
    p95_s: float
    worst_s: float
    gap_s: float
    pinned_gap_s: float


def signalled_codes(day: Day, signals: Signals) -> list[str]:
    """The codes that the signals speak for: all, or those with the largest mean rates that a quota has room for."""
    if signals is Signals.NONE:
        return []
    if signals is Signals.BULK:
        return day.codes
    return [day.codes[number] for number in np.argsort(-day.base_per_s)[:PUSHED_CODES]]


def heard(day: Day, signals: Signals) -> Events:
    """When which code's trades become known."""
    speaking = np.isin(np.array(day.codes), signalled_codes(day, signals))
    trades = day.trades.of(speaking[day.trades.code])
    if signals is not Signals.BULK:
        return trades
    looks = np.ceil(trades.at_s / LOOK_S).astype(np.int64)
    seen = np.unique(looks * len(day.codes) + trades.code)
    return Events(seen // len(day.codes) * LOOK_S, seen % len(day.codes))


def even_sends() -> Iterator[float]:
    """The moments of a publisher that uses its budget."""
    return (count * INTERVAL_S for count in range(1, int(DAY_S / INTERVAL_S) + 1))


def sleepy_sends(seed: int) -> Iterator[float]:
    """The moments of a loop that sleeps a second after each reply."""
    rng = random.Random(seed)
    moments = accumulate((1 + rng.uniform(*REPLY_S) for _ in repeat(None)), initial=0.0)
    for moment in moments:
        if moment >= DAY_S:
            return
        yield moment


class _List:
    """One code's list as polls see it."""

    def __init__(self, at_s: list[float], touched: list[int]) -> None:
        self._at_s = at_s
        self._touched = touched
        self._seen = 0
        self.polled_s: list[float] = []

    def poll(self, now: float) -> int:
        """How many rows differ from the last poll's."""
        since, self._seen = self._seen, bisect_right(self._at_s, now, self._seen)
        self.polled_s.append(now)
        bits = 0
        for touched in self._touched[since : self._seen]:
            bits |= touched
        return bits.bit_count()

    def delays_s(self) -> Floats:
        """Of every change until the poll that found it, or until the end of the day."""
        polled_s = np.array([*self.polled_s, DAY_S], dtype=np.float64)
        at_s = np.array(self._at_s)
        delays_s: Floats = polled_s[np.searchsorted(polled_s, at_s)] - at_s
        return delays_s

    def longest_gap_s(self) -> float:
        """The longest time without a poll."""
        return float(np.diff([0.0, *self.polled_s, DAY_S]).max())


def run_day(
    day: Day, factory: Factory, signals: Signals = Signals.NONE, sends: Iterable[float] | None = None
) -> Outcome:
    """The day from its begin to its end under a new scheduler, polled at the moments `sends`."""
    signalled = signalled_codes(day, signals)
    scheduler = factory(day.codes, BUDGET_PER_S, day.weights, day.max_staleness_s, signalled)
    lists = _lists(day)
    _drive(scheduler, day, lists, heard(day, signals), even_sends() if sends is None else sends)
    return _outcome(day, lists)


def _lists(day: Day) -> dict[str, _List]:
    order = np.argsort(day.changes.code, kind="stable")
    bounds = np.searchsorted(day.changes.code[order], np.arange(len(day.codes) + 1))
    parts = [order[first:last] for first, last in pairwise(bounds)]
    return {
        code: _List(day.changes.at_s[part].tolist(), day.touched[part].tolist())
        for code, part in zip(day.codes, parts, strict=True)
    }


def _drive(scheduler: Scheduler, day: Day, lists: Mapping[str, _List], signals: Events, sends: Iterable[float]) -> None:
    at_s, codes = signals.at_s.tolist(), [day.codes[number] for number in signals.code.tolist()]
    told = 0
    for now in sends:
        upto = bisect_right(at_s, now, told)
        for place in range(told, upto):
            scheduler.trade(codes[place], at_s[place])
        told = upto
        code = scheduler.pick(now)
        if code is not None:
            rows = lists[code].poll(now)
            scheduler.result(code, now, rows > 0, rows)


def _outcome(day: Day, lists: Mapping[str, _List]) -> Outcome:
    delays_s = [lists[code].delays_s() for code in day.codes]
    weights = np.repeat(day.weight_by_number, [len(part) for part in delays_s])
    every_s = np.concatenate(delays_s)
    return Outcome(
        mean_s=float(np.average(every_s, weights=weights)),
        p95_s=float(np.quantile(every_s, 0.95)),
        worst_s=float(every_s.max()),
        gap_s=max(lists[code].longest_gap_s() for code in day.codes),
        pinned_gap_s=max((lists[code].longest_gap_s() for code in day.max_staleness_s), default=0.0),
    )
