"""What polls and trades have taught, and what a poll is worth by it."""

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from brokertape.publisher.schedule.activity import ActivityClock
from brokertape.publisher.schedule.entry import Entry
from brokertape.publisher.schedule.learned import CodeLearned, Learned, Memory
from brokertape.publisher.schedule.maturity import Maturity
from brokertape.publisher.schedule.rates import Rate, UsualRate
from brokertape.publisher.schedule.rows import changes_of
from brokertape.publisher.schedule.trades import Signal, Trades

MOST_VERDICTS = 1_000


class Verdict(NamedTuple):
    """What a poll without a trade has found, once it is known whether there was one (`due_at`, s)."""

    due_at: float
    trades: Trades
    last_at: float
    changed: bool
    asked_at: float


class Knowledge:
    """Of all codes: how fast the market runs, how late its lists are, how often each code trades or changes."""

    def __init__(self) -> None:
        self.activity = ActivityClock()
        self.usual = UsualRate()
        self.maturity = Maturity()
        self.signal = Signal(self.maturity)
        self.memory = Memory()
        self._verdicts: deque[Verdict] = deque(maxlen=MOST_VERDICTS)

    def begin(self, codes: int, now: float) -> None:
        """So many codes are known to begin with."""
        if self.memory.usual_per_s is None:
            self.usual.begin(codes)
        self.activity.read(now)

    def new_rate(self, code: str) -> Rate:
        """Of a code that is new, or is back."""
        return Rate(self.activity.time, self.memory.of(code).per_s)

    def follow(self, code: str, entry: Entry, now: float) -> None:
        """The trades of `code` are told from now on; since it was seen last it may have traded unheard."""
        if entry.trades is None:
            self.remember(code, entry)
            entry.trades = self.signal.codes[code] = Trades(told_since=now)
            entry.trades.recall(self.memory.of(code).changes_each)
            if math.isfinite(entry.seen_at):
                self.signal.tell(code, now)

    def lose(self, code: str, entry: Entry, now: float) -> None:
        """They are not told any more: what they taught of the code is what a blind code's rate begins with."""
        if entry.trades is None:
            return
        self.remember(code, entry)
        trades = self.signal.codes.pop(code)
        usual_wait_s, per_s = self.signal.usual_wait_s(now), None
        if trades.counted_by(now) > 1:  # fewer, and it is the usual code's rate, or a night's
            per_s = trades.changes_each * self.signal.trades_per_s(trades, usual_wait_s, now) / self.activity.speed
        entry.rate, entry.trades = Rate(entry.rate.active_at, per_s), None

    def recall(self, learned: Learned, entries: Mapping[str, Entry]) -> None:
        """What was known yesterday; what polls have taught since stands."""
        self.memory.keep_all(learned.codes)
        self.maturity.recall(learned.checked_lag_s)
        if (usual_per_s := self.memory.usual_per_s) is not None:
            self.usual.recall(usual_per_s)
        for code, entry in entries.items():
            if entry.rate.taught_per_s(self.usual.per_s) is None:
                entry.rate = Rate(entry.rate.active_at, self.memory.of(code).per_s)
            if entry.trades is not None:
                entry.trades.recall(self.memory.of(code).changes_each)

    def learned(self, entries: Mapping[str, Entry]) -> Learned:
        """What is to be known tomorrow."""
        for code, entry in entries.items():
            self.remember(code, entry)
        return Learned(codes=dict(self.memory.codes), lag_s=self.maturity.lag_s)

    def remember(self, code: str, entry: Entry) -> None:
        """What `code` has taught so far: of the two, what is learnt in the way it is followed now."""
        if entry.trades is None:
            self.memory.keep(code, CodeLearned(per_s=entry.rate.taught_per_s(self.usual.per_s)))
        elif entry.trades.has_taught:
            self.memory.keep(code, CodeLearned(changes_each=entry.trades.changes_each))

    def indices(self, entries: Mapping[str, Entry], now: float) -> dict[str, float]:
        """What a poll of each code is worth now."""
        usual_wait_s, usual_per_s, speed = self.signal.usual_wait_s(now), self.usual.per_s, self.activity.speed
        return {
            code: entry.weight
            * (
                self._blind_value(entry, usual_per_s, speed, now)
                if entry.trades is None
                else self.signal.value(entry.trades, usual_wait_s, now)
            )
            for code, entry in entries.items()
        }

    def changes_per_s(self, entry: Entry, now: float) -> float:
        """Row changes a second that are expected of a code."""
        if entry.trades is None:
            return self.activity.speed * entry.rate.per_s(self.usual.per_s, now - entry.asked_at)
        return entry.trades.changes_each * self.signal.trades_per_s(entry.trades, self.signal.usual_wait_s(now), now)

    def learn(self, entry: Entry, asked_at: float, changed: bool, rows: int, codes: int) -> bool:
        """A poll sent at `asked_at` found this; whether it was sent for trades."""
        changes = changes_of(rows, changed)
        if entry.trades is not None:
            return self._learn_of_trades(entry, entry.trades, asked_at, changed, changes, rows)
        now_active = self.activity.read(asked_at)
        self._learn_of_rate(entry, now_active, asked_at - entry.seen_at, changes, codes)
        return False

    def look(self, entry: Entry, asked_at: float) -> None:
        """A list was seen of which nothing can be told: the first one, or the day's first."""
        entry.rate.active_at = self.activity.read(asked_at)
        if entry.trades is not None:
            entry.trades.see(asked_at)

    def take_over(self, entry: Entry, seen_at: float, now: float) -> None:
        """The list of a code that nobody follows yet was seen at `seen_at`, before it was one of these."""
        entry.asked_at = entry.seen_at = min(seen_at, now)
        entry.rate.active_at = self.activity.read(now) - self.activity.speed * (now - entry.seen_at)

    def _blind_value(self, entry: Entry, usual_per_s: float, speed: float, now: float) -> float:
        """Changes come at the rate λ, so that λ·a wait after a seconds, and a poll is worth λ·a²/2."""
        age_s = now - entry.asked_at
        return speed * entry.rate.per_s(usual_per_s, age_s) * age_s * age_s / 2

    def _learn_of_rate(self, entry: Entry, now_active: float, gap_s: float, changes: float, codes: int) -> None:
        rate, active_s = entry.rate, now_active - entry.rate.active_at
        self.activity.learn(changes, rate.per_s(self.usual.per_s, gap_s) * active_s)
        rate.learn(changes, active_s, gap_s)
        rate.active_at = now_active
        self.usual.learn(changes, active_s, gap_s, codes)

    def _learn_of_trades(
        self, entry: Entry, trades: Trades, asked_at: float, changed: bool, changes: float, rows: int
    ) -> bool:
        was_sent_for_trades = trades.asked_for > 0
        if trades.is_quiet:
            self._verdicts.append(Verdict(asked_at + self.signal.round_s, trades, trades.last_at, changed, asked_at))
        if was_sent_for_trades:
            trades.learn(changes, rows)
        trades.see(asked_at)
        entry.rate.active_at = self.activity.read(asked_at)
        return was_sent_for_trades

    def judge(self, now: float) -> None:
        """Of lists that changed without a trade: whether they were late, or whether it was the trade's telling.

        A signal tells a trade up to a round later. Until then nobody knows which of the two it was.
        """
        while self._verdicts and self._verdicts[0].due_at <= now:
            verdict = self._verdicts.popleft()
            if verdict.trades.last_at == verdict.last_at:
                self.maturity.learn(verdict.changed, verdict.asked_at - verdict.last_at)
