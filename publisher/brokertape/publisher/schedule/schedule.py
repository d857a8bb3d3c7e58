"""Whom to ask next, so that a change in any list is found as soon as the budget allows.

Each code has an index, what a poll of it is worth now; the largest wins. Promises, caps and audits come before it.
The index and why it is the right one: docs/scheduling.md. All times are seconds of one clock, which the caller reads.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from brokertape.publisher.schedule.checks import Checks
from brokertape.publisher.schedule.deadlines import most_urgent
from brokertape.publisher.schedule.entry import Entry
from brokertape.publisher.schedule.knowledge import Knowledge
from brokertape.publisher.schedule.learned import Learned
from brokertape.publisher.schedule.reasons import Reason
from brokertape.publisher.schedule.view import CodeView

TICK_S = 0.001  # due within a tick is due: a wait shorter than that is rounding, and may never end
HEARTBEAT_S = 900.0
CAP_ROUNDS = 2.0  # no code waits for longer; at 1.5 the mean delay grows by up to 2.5 %, at 2 by nothing
FIRST_EVERY = 4  # polls, while trades wait: one for a code that nobody has seen
QUIET_CAPS = 5.0  # so many caps longer if its trades are told and there are none
IDLE_ROUNDS = 4.0
AUDITED_SHARE = 0.02  # of all polls
MOST_PROMISED = 0.8  # of the budget: promises beyond it are not made
LONGEST_LOOK_S = 1.0  # how long nobody looks whether something is due while the market trades

Free = Mapping[str, Entry]


class Schedule:
    """Decides which code is asked next.

    The codes given here count as seen when it begins; those added later are asked first.

    Args:
        codes: The codes to ask for.
        budget_per_s: How many requests a second there are.
        weights: Code → what a change in it is worth; a missing one is 1.
        max_staleness_s: Code → seconds that must not pass between two polls of it.
        signalled: The codes whose trades are told by `trade`.
        heartbeat_s: How often a code is asked while the market rests.
    """

    def __init__(
        self,
        codes: Iterable[str] = (),
        budget_per_s: float = 1.0,
        weights: Mapping[str, float] | None = None,
        max_staleness_s: Mapping[str, float] | None = None,
        signalled: Collection[str] = (),
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.budget_per_s = budget_per_s
        self._heartbeat_s = heartbeat_s
        self._entries: dict[str, Entry] = {}
        self._knowledge = Knowledge()
        self._audits, self._suspects = Checks(), Checks()
        self._audits_owed = 0.0
        self._since_first = FIRST_EVERY
        self._awake_since = -math.inf
        self._resting_since: float | None = None
        self._given: dict[str, bool] = {}
        for code in codes:
            self.add(code, (max_staleness_s or {}).get(code), (weights or {}).get(code, 1.0))
            self._given[code] = code in signalled

    # --- what is asked for --------------------------------------------------------------------------------------

    @property
    def budget_per_s(self) -> float:
        """How many requests a second there are; may change at any time."""
        return 1 / self._interval_s

    @budget_per_s.setter
    def budget_per_s(self, budget_per_s: float) -> None:
        self._interval_s = 1 / budget_per_s

    @property
    def codes(self) -> frozenset[str]:
        """The codes being asked for."""
        return frozenset(self._entries)

    def add(self, code: str, max_staleness_s: float | None = None, weight: float = 1.0) -> bool:
        """Ask for `code` from now on, or change its promise and weight. Whether the promise can be kept.

        More than MOST_PROMISED of the budget is not promised: a promise beyond it is none.
        """
        entry = self._entries.get(code)
        if entry is None:
            entry = self._entries[code] = Entry(self._knowledge.new_rate(code))
        entry.weight, entry.max_staleness_s = weight, None
        if max_staleness_s is None or self._share_promised() + self._interval_s / max_staleness_s > MOST_PROMISED:
            return max_staleness_s is None
        entry.max_staleness_s = max_staleness_s
        return True

    def take_over(self, code: str, seen_at: float, now: float) -> None:
        """`code`, just added, was polled at `seen_at`, by another or in another life: it is no new one."""
        if (entry := self._entries.get(code)) is not None:
            self._knowledge.take_over(entry, seen_at, now)

    def remove(self, code: str) -> None:
        """Ask no more for `code`; the result of a poll in flight is ignored."""
        if (entry := self._entries.pop(code, None)) is not None:
            self._knowledge.remember(code, entry)
        self._knowledge.signal.codes.pop(code, None)

    def rest(self, now: float) -> None:
        """The market stopped trading: one more poll of every code, then a heartbeat."""
        if self._resting_since is None:
            self._resting_since = now
            self._knowledge.activity.stop(now)

    def wake(self, now: float) -> None:
        """The market trades: every list is new, and is asked for once; with a signal, when it trades."""
        if self._resting_since is not None:
            self._resting_since, self._awake_since = None, now
            self._knowledge.activity.start()

    @property
    def is_resting(self) -> bool:
        """Whether the market does not trade."""
        return self._resting_since is not None

    def halt(self, code: str, is_halted: bool = True) -> None:
        """`code` does not trade, and is not asked once its list was seen; or it trades again."""
        if (entry := self._entries.get(code)) is not None:
            entry.is_halted = is_halted

    def is_halted(self, code: str) -> bool:
        """Whether `code` is known not to trade."""
        entry = self._entries.get(code)
        return entry is not None and entry.is_halted

    # --- the signal ---------------------------------------------------------------------------------------------

    def signal(self, codes: Collection[str], now: float, round_s: float | None = None) -> None:
        """From now on `trade` tells the trades of these codes, and of no others; each within `round_s`."""
        self._knowledge.signal.round_s = round_s or self._knowledge.signal.round_s
        for code, entry in self._entries.items():
            if code in codes:
                self._knowledge.follow(code, entry, now)
            else:
                self._knowledge.lose(code, entry, now)

    def trade(self, code: str, now: float) -> None:
        """`code` has traded, once or often; of a code without a signal nothing is to be told."""
        self._begin(now)
        self._knowledge.signal.tell(code, now)

    # --- whom to ask --------------------------------------------------------------------------------------------

    def pick(self, now: float) -> str | None:
        """The code to ask now, None if none is due. It is in flight until its result, failure or retry is told."""
        self._begin(now)
        choice = self._choose(now)
        if choice is None:
            return None
        code, reason = choice
        self._owe_audits(reason)
        self._since_first = 1 if self._is_unseen(self._entries[code]) else self._since_first + 1
        self._entries[code].pick(now, reason)
        return code

    def next_due(self, now: float) -> float:
        """How many seconds from `now` until a code may be due; 0 if one is, infinity if only a result can tell."""
        self._begin(now)
        if self._choose(now) is not None:
            return 0.0
        waiting = [entry for entry in self._entries.values() if entry.picked_at is None and entry.is_wanted]
        if not waiting:
            return math.inf
        if self._resting_since is None:
            next_mature_s = self._knowledge.signal.next_mature_at() - now
            return min(max(next_mature_s, TICK_S), LONGEST_LOOK_S)
        return max(TICK_S, min(self._rested_at(entry) for entry in waiting) - now)

    def _choose(self, now: float) -> tuple[str, Reason] | None:
        self._knowledge.judge(now)
        self._knowledge.signal.ripen(now)
        free = {code: entry for code, entry in self._entries.items() if _is_free(entry, now)}
        for reason, rule, among in self._rules(free):
            if among and (code := rule(among, now)) is not None:
                return code, reason
        return None

    def _rules(self, free: Free) -> Iterator[tuple[Reason, Callable[[Free, float], str | None], Free]]:
        if self.is_resting:
            yield Reason.HEARTBEAT, self._rested, free
            return
        unseen = {code: entry for code, entry in free.items() if self._is_unseen(entry)}
        fresh = {code: entry for code, entry in unseen.items() if not entry.failures}
        seen = {code: entry for code, entry in free.items() if code not in unseen}
        traded = {code: entry for code, entry in free.items() if entry.has_mature_trades}
        is_their_turn = self._since_first >= FIRST_EVERY
        yield Reason.PROMISE, self._promised, free
        if is_their_turn or not traded:
            yield Reason.FIRST, self._unseen, fresh
        if is_their_turn:  # those that fail take no more than that, however many they are
            yield Reason.FIRST, self._unseen, unseen
        yield Reason.CAP, self._capped, seen
        yield Reason.AUDIT, self._audited, seen
        yield Reason.INDEX, self._worth_most, seen | traded
        yield Reason.FIRST, self._unseen, unseen
        yield Reason.SUSPECT, self._suspected, seen
        yield Reason.IDLE, self._idle, seen

    def _promised(self, free: Free, now: float) -> str | None:
        """A layer of its own: in one queue with the caps, a promise of 10 s was seen to wait for 138 s."""
        deadlines = ((entry.promised_by, code) for code, entry in free.items() if entry.max_staleness_s is not None)
        return most_urgent(deadlines, now, self._interval_s)

    def _unseen(self, free: Free, now: float) -> str | None:
        """Never seen, or not since the market began to trade: those that weigh most first.

        Every fourth poll while trades wait: a start with hundreds of codes takes minutes, and those that trade are
        worth more than those that do not, seen or not.
        """
        return max(free, key=lambda code: free[code].first_rank)

    def _is_unseen(self, entry: Entry) -> bool:
        return self._is_news(entry) and (entry.trades is None or math.isinf(entry.seen_at))

    def _is_news(self, entry: Entry) -> bool:
        """Whether its list, when it comes, cannot be compared with one of this session of the market."""
        return entry.seen_at <= self._awake_since

    def _capped(self, free: Free, now: float) -> str | None:
        """Two rounds of what promises leave."""
        interval_s = self._interval_s / (1 - min(self._share_promised(), MOST_PROMISED))
        cap_s = CAP_ROUNDS * len(self._entries) * interval_s
        deadlines = (
            (entry.capped_by(cap_s, QUIET_CAPS * cap_s, self._awake_since), code) for code, entry in free.items()
        )
        return most_urgent(deadlines, now, interval_s)

    def _share_promised(self) -> float:
        """The promises' share of all polls."""
        promised = (entry.max_staleness_s for entry in self._entries.values() if entry.max_staleness_s is not None)
        return sum(self._interval_s / max_staleness_s for max_staleness_s in promised)

    def _audited(self, free: Free, now: float) -> str | None:
        if self._audits_owed < 1:
            return None
        return self._audits.first(free, now - self._knowledge.maturity.settled_s)

    def _owe_audits(self, reason: Reason) -> None:
        self._audits_owed = min(self._audits_owed + AUDITED_SHARE, 1.0 + AUDITED_SHARE) - (reason is Reason.AUDIT)

    def _worth_most(self, free: Free, now: float) -> str | None:
        indices = self._knowledge.indices(free, now)
        best = max(indices, key=indices.__getitem__)
        return best if indices[best] > 0 else None

    def _suspected(self, free: Free, now: float) -> str | None:
        return self._suspects.first(free, now - self._knowledge.maturity.settled_s)

    def _idle(self, free: Free, now: float) -> str | None:
        oldest = min(free, key=lambda code: free[code].asked_at)
        is_old = now - free[oldest].asked_at > IDLE_ROUNDS * len(self._entries) * self._interval_s
        return oldest if is_old else None

    def _rested(self, free: Free, now: float) -> str | None:
        oldest = min(free, key=lambda code: self._rested_at(free[code]))
        return oldest if self._rested_at(free[oldest]) <= now + TICK_S else None

    def _rested_at(self, entry: Entry) -> float:
        """When a code is asked while the market rests: once at once, then by the heartbeat."""
        is_swept = self._resting_since is None or entry.seen_at >= self._resting_since
        return max(entry.resume_at, entry.asked_at + self._heartbeat_s if is_swept else -math.inf)

    def _is_swept(self, entry: Entry) -> bool:
        """Whether it was seen since the market came to rest: that lists stand still at night teaches nothing."""
        return self._resting_since is not None and entry.seen_at >= self._resting_since

    # --- what came of it ----------------------------------------------------------------------------------------

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        """A good poll of `code`, answered at `now`: whether it changed, and how many rows of its list differ.

        Rows are told apart by side and broker, not by rank: one insertion moves all ranks below it.
        """
        entry = self._entries.get(code)
        if entry is None:
            return
        asked_at = entry.answer(now)
        if self._is_news(entry) or self._is_swept(entry):
            self._knowledge.look(entry, asked_at)
        elif self._knowledge.learn(entry, asked_at, changed, rows, len(self._entries)):
            self._audits.add(code, asked_at)
            if not changed:
                self._suspects.add(code, asked_at)
        entry.seen_at, entry.failures = asked_at, 0

    def failed(self, code: str, now: float, pause_s: float | None = None) -> int:
        """A poll of `code` was answered with a failure: it pauses, ever longer. Returns the failures in a row.

        The pause is 2 s, doubling to 60, or `pause_s`.
        """
        entry = self._entries.get(code)
        if entry is None:
            return 0
        entry.fail(now, pause_s)
        return entry.failures

    def retry(self, code: str) -> None:
        """A poll of `code` came to nothing through no fault of its own: it is due as it was before."""
        if (entry := self._entries.get(code)) is not None:
            entry.picked_at = None

    # --- what it knows ------------------------------------------------------------------------------------------

    def learned(self) -> Learned:
        """What is worth knowing tomorrow: of every code that taught something, also of those not asked for any more."""
        return self._knowledge.learned(self._entries)

    def recall(self, learned: Learned) -> None:
        """Begin with what was learnt yesterday, for codes that are added later as well. What cannot be is ignored."""
        self._knowledge.recall(learned, self._entries)

    @property
    def lag_s(self) -> float:
        """How many seconds after a trade it expects the list to show it."""
        return self._knowledge.maturity.lag_s

    def views(self, now: float) -> list[CodeView]:
        """Every code as the schedule sees it."""
        indices = self._knowledge.indices(self._entries, now)
        return [self._view(code, entry, indices[code], now) for code, entry in self._entries.items()]

    def _view(self, code: str, entry: Entry, index: float, now: float) -> CodeView:
        trades, is_new = entry.trades, math.isinf(entry.asked_at)
        return CodeView(
            code=code,
            weight=entry.weight,
            age_s=None if is_new else now - entry.asked_at,
            changes_per_h=3600 * self._knowledge.changes_per_s(entry, now),
            trades_waiting=None if trades is None else trades.raw + trades.mature,
            index=None if is_new else index,
            reason=entry.reason,
            is_in_flight=entry.picked_at is not None,
            failures=entry.failures,
            is_halted=entry.is_halted,
        )

    def _begin(self, now: float) -> None:
        """What was given at the start counts as seen one poll before the first moment that is told."""
        if not self._given:
            return
        given, self._given = self._given, {}
        self._knowledge.begin(len(given), now)
        for code, is_signalled in given.items():
            if (entry := self._entries.get(code)) is not None:
                if is_signalled:
                    self._knowledge.follow(code, entry, now)
                entry.asked_at = entry.seen_at = now - self._interval_s
                entry.rate = self._knowledge.new_rate(code)


def _is_free(entry: Entry, now: float) -> bool:
    return entry.is_wanted and entry.picked_at is None and entry.resume_at <= now + TICK_S
