"""Which code to ask next: pure, time as an argument in seconds, no clock and no I/O.

A fair round: the code not asked for longest goes next, but for codes whose promise (`max_staleness_s`) would
otherwise be broken. A code that keeps failing pauses ever longer. While the market rests, every code is asked once
more and then seldom.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
TICK_S = 0.001  # due within a tick is due: a wait shorter than that is rounding, and may never end


@dataclass(slots=True)
class _Entry:
    """What is known of one code. `asked_at` is the send time of its last good poll."""

    asked_at: float = -math.inf
    picked_at: float | None = None
    failures: int = 0
    resume_at: float = -math.inf
    max_staleness_s: float | None = None

    @property
    def deadline(self) -> float:
        return math.inf if self.max_staleness_s is None else self.asked_at + self.max_staleness_s


class Schedule:
    """Decides which code is asked next.

    Args:
        codes: The codes to ask for.
        budget_per_s: How many requests a second there are.
        max_staleness_s: Code → seconds that must not pass between two polls of it.
        heartbeat_s: How often a code is asked while the market rests.
    """

    def __init__(
        self,
        codes: Iterable[str] = (),
        budget_per_s: float = 1.0,
        max_staleness_s: Mapping[str, float] | None = None,
        heartbeat_s: float = 900.0,
    ) -> None:
        self._interval_s = 1 / budget_per_s
        self._heartbeat_s = heartbeat_s
        self._resting_since: float | None = None
        self._entries: dict[str, _Entry] = {}
        for code in codes:
            self.add(code, (max_staleness_s or {}).get(code))

    @property
    def codes(self) -> frozenset[str]:
        """The codes being asked for."""
        return frozenset(self._entries)

    def add(self, code: str, max_staleness_s: float | None = None) -> None:
        """Ask for `code` from now on, or change its promise."""
        self._entries.setdefault(code, _Entry()).max_staleness_s = max_staleness_s

    def remove(self, code: str) -> None:
        """Ask no more for `code`; the result of a poll in flight is ignored."""
        self._entries.pop(code, None)

    def rest(self, now: float) -> None:
        """The market stopped trading: one more poll of every code, then a heartbeat."""
        if self._resting_since is None:
            self._resting_since = now

    def wake(self) -> None:
        """The market trades."""
        self._resting_since = None

    def pick(self, now: float) -> str | None:
        """The code to ask now, None if none is due. It is in flight until its result, failure or retry is told."""
        free = [code for code, entry in self._entries.items() if entry.picked_at is None and self._is_due(entry, now)]
        if not free:
            return None
        code = self._urgent(free, now) or min(free, key=lambda code: self._entries[code].asked_at)
        self._entries[code].picked_at = now
        return code

    def next_due(self, now: float) -> float:
        """How many seconds from `now` until a code may be due; 0 if one is, infinity if only a result can tell."""
        waits = [self._due_at(entry) - now for entry in self._entries.values() if entry.picked_at is None]
        wait_s = min(waits, default=math.inf)
        return wait_s if wait_s > TICK_S else 0.0

    def result(self, code: str, now: float, changed: bool, rows: int) -> None:
        """A good poll of `code`, answered at `now`: whether it changed, and how many rows of its list differ."""
        entry = self._entries.get(code)
        if entry is not None:
            entry.asked_at = now if entry.picked_at is None else entry.picked_at
            entry.picked_at = None
            entry.failures = 0

    def failed(self, code: str, now: float, pause_s: float | None = None) -> int:
        """A poll of `code` was answered with a failure: it pauses, ever longer. Returns the failures in a row.

        The pause is 2 s, doubling to 60, or `pause_s`.
        """
        entry = self._entries.get(code)
        if entry is None:
            return 0
        entry.failures += 1
        growing_s = min(FIRST_PAUSE_S * 2 ** (min(entry.failures, 10) - 1), LONGEST_PAUSE_S)
        entry.resume_at = now + (growing_s if pause_s is None else pause_s)
        entry.asked_at = now if entry.picked_at is None else entry.picked_at
        entry.picked_at = None
        return entry.failures

    def retry(self, code: str) -> None:
        """A poll of `code` came to nothing through no fault of its own: it is due as it was before."""
        entry = self._entries.get(code)
        if entry is not None:
            entry.picked_at = None

    def _urgent(self, free: list[str], now: float) -> str | None:
        """Slack test, then earliest deadline: the first code of those whose promises would not all hold."""
        pinned = sorted((self._entries[code].deadline, code) for code in free)
        is_late = any(deadline < now + (place + 1) * self._interval_s for place, (deadline, _) in enumerate(pinned))
        return pinned[0][1] if is_late else None

    def _is_due(self, entry: _Entry, now: float) -> bool:
        return self._due_at(entry) <= now + TICK_S

    def _due_at(self, entry: _Entry) -> float:
        if self._resting_since is None or entry.asked_at < self._resting_since:
            return entry.resume_at
        return max(entry.resume_at, entry.asked_at + self._heartbeat_s)
