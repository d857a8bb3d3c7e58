"""How often the list of a code changes that nobody speaks for: learnt from what polls find."""

from dataclasses import dataclass
from math import exp

HORIZON_S = 1200.0  # what was seen so long ago counts for 1/e
PRIOR_CHANGES = 3.0  # yesterday's rate counts as if so many changes had been seen at it


@dataclass(slots=True)
class Seen:
    """Changes found, over active seconds: older ones count less."""

    changes: float = 0.0
    active_s: float = 0.0

    def add(self, changes: float, active_s: float, fade: float) -> None:
        """One more poll; of all before it a share `fade` stays."""
        self.changes = fade * self.changes + changes
        self.active_s = fade * self.active_s + active_s


class Rate:
    """One code's, in row changes per active second."""

    __slots__ = ("_seen", "active_at", "per_s")

    def __init__(self, per_s: float, active_at: float, *, is_known: bool = False) -> None:
        self.per_s = per_s
        self.active_at = active_at
        """When it was last seen, on the activity clock."""
        self._seen = Seen(PRIOR_CHANGES, PRIOR_CHANGES / per_s) if is_known else Seen()

    def learn(self, changes: float, active_s: float, fade: float, usual: float) -> None:
        """So many changes in so many active seconds; `usual` is the rate of all codes together.

        What is usual weighs like one change: a code of which nothing was ever found is rare, not dead.
        """
        self._seen.add(changes, active_s, fade)
        self.per_s = (self._seen.changes + 1) / (self._seen.active_s + 1 / usual)


class CommonRate:
    """Of all codes together, taken as one: what a code is expected to be like of which little is known."""

    def __init__(self) -> None:
        self.begin(60)

    def begin(self, codes: int) -> None:
        """One change in one round of polls, until something is known."""
        self._seen = Seen(1.0, float(codes))

    @property
    def per_s(self) -> float:
        """Row changes per active second of a usual code."""
        return self._seen.changes / self._seen.active_s

    def learn(self, changes: float, active_s: float, fade: float, codes: int) -> None:
        """One poll of one of so many codes."""
        self._seen.add(changes, active_s, fade ** (1 / codes))


def fade_of(gap_s: float) -> float:
    """What stays of knowledge after so long."""
    return exp(-gap_s / HORIZON_S)
