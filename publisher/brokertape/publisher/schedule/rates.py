"""How often the list of a code changes that nobody speaks for: learnt from what polls find.

All rates are row changes per active second, see `ActivityClock`.
"""

from dataclasses import dataclass
from math import exp

RECENT_S = 400.0  # what was seen so long ago counts for 1/e, in what a code is like now
STEADY_S = 7200.0  # and in what it is like at all
PRIOR_CHANGES = 2.0  # what is expected of a code weighs as if so many changes had been seen at that rate
KNOWN_CHANGES = 6.0  # and what was known of it yesterday
SLOWEST_PER_S = 1e-7  # one in four months


@dataclass(slots=True)
class Seen:
    """Changes found, over active seconds: older ones count less."""

    changes: float = 0.0
    active_s: float = 0.0

    def add(self, changes: float, active_s: float, fade: float) -> None:
        """One more poll; of all before it a share `fade` stays."""
        self.changes = fade * self.changes + changes
        self.active_s = fade * self.active_s + active_s

    def per_s(self, expected_per_s: float, fade: float = 1.0) -> float:
        """The rate, drawn towards what is expected the more the less was seen; of that a share `fade` stays."""
        return (fade * self.changes + PRIOR_CHANGES) / (fade * self.active_s + PRIOR_CHANGES / expected_per_s)


class Rate:
    """One code's: what it does now, drawn towards what it does at all, drawn towards what all codes do.

    Two memories, because a code has bursts of minutes on top of a size that hardly changes in a day: one memory of
    any length is 2 to 3 % worse.
    """

    __slots__ = ("_known_per_s", "_recent", "_steady", "active_at")

    def __init__(self, active_at: float, known_per_s: float | None = None) -> None:
        self.active_at = active_at
        """When its list was last seen, on the activity clock."""
        self._known_per_s = known_per_s
        self._recent = Seen()
        self._steady = Seen() if known_per_s is None else Seen(KNOWN_CHANGES, KNOWN_CHANGES / known_per_s)

    def taught_per_s(self, usual_per_s: float) -> float | None:
        """What is worth remembering of it; None until a change was seen, or one would have been, were it a usual code.

        Drawn towards what was known of it before, if anything was: restarts alone must not make it a usual one.
        """
        if self._steady.changes + usual_per_s * self._steady.active_s < 1:
            return None
        return self._steady.per_s(self._known_per_s or usual_per_s)

    def per_s(self, usual_per_s: float, since_s: float) -> float:
        """The rate `since_s` after it was seen last: what it did then says ever less of what it does now."""
        return self._recent.per_s(self._steady.per_s(usual_per_s), exp(-since_s / RECENT_S))

    def learn(self, changes: float, active_s: float, gap_s: float) -> None:
        """So many changes in so many active seconds, which took `gap_s` by the wall."""
        self._recent.add(changes, active_s, exp(-gap_s / RECENT_S))
        self._steady.add(changes, active_s, exp(-gap_s / STEADY_S))


class UsualRate:
    """Of all codes together, taken as one: what a code is expected to be like of which nothing is known."""

    def __init__(self) -> None:
        self.begin(60)

    def begin(self, codes: int) -> None:
        """One change in one round of polls, until something is known."""
        self._seen = Seen(1.0, float(codes))

    @property
    def per_s(self) -> float:
        """That rate; above 0, however long nothing changes."""
        return max(self._seen.changes / self._seen.active_s, SLOWEST_PER_S)

    def recall(self, per_s: float) -> None:
        """What was known of all codes yesterday, until something is known of today."""
        self._seen = Seen(1.0, 1.0 / per_s)

    def learn(self, changes: float, active_s: float, gap_s: float, codes: int) -> None:
        """One poll of one of so many codes: each poll ages all that is known by its share of a round."""
        self._seen.add(changes, active_s, exp(-gap_s / codes / RECENT_S))
