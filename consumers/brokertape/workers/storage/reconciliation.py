"""Our final list of a day against the gateway's own, broker by broker. Pure.

Both show ten brokers a side. One that is missing in a list has not traded to zero there: its net volume lies between
that list's last seller and its last buyer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from brokertape.tape.rows import ListView, Row


class Verdict(Enum):
    """What became of one broker."""

    EQUAL = "equal"
    DIFFERENT = "different"
    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the net volume (shares) of a broker lies that a list does not show; None: that end is not known."""

    low: int | None
    high: int | None

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Bounds":
        """Those of the list `rows`."""
        view = ListView.of(rows)
        return cls(view.unseen_low, view.unseen_high)

    def has(self, net_vol: int | None) -> bool | None:
        """Whether `net_vol` lies within; None if that cannot be told."""
        if net_vol is None:
            return None
        if (self.low is not None and net_vol < self.low) or (self.high is not None and net_vol > self.high):
            return False
        return None if self.low is None or self.high is None else True


@dataclass(frozen=True, slots=True)
class Comparison:
    """One broker in both lists: net volumes in shares, None if the gateway left the number out.

    `ordinal` tells brokers of one name apart, 0 the first. Of a broker in one list alone, `bounds` are the other
    list's; `fits` says whether the net volume lies within them: then the two lists do not contradict each other.
    """

    broker_name: str
    ordinal: int
    verdict: Verdict
    ours: int | None
    theirs: int | None
    bounds: Bounds | None = None

    @property
    def difference(self) -> int | None:
        """Theirs less ours; None unless both are known."""
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours

    @property
    def fits(self) -> bool | None:
        """Whether the one number there is lies within the bounds; None if it cannot be told, or is no question."""
        if self.bounds is None:
            return None
        return self.bounds.has(self.ours if self.verdict is Verdict.ONLY_OURS else self.theirs)


def compare(ours: Sequence[Row], theirs: Sequence[Row]) -> tuple[Comparison, ...]:
    """Every broker of either list once: ours in our order, then those only the gateway has.

    Brokers are paired by name; within a name the k-th with the k-th. Both list buyers first, by rank.
    """
    held, given = _by_broker(ours), _by_broker(theirs)
    unseen_by_us, unseen_by_them = Bounds.of(ours), Bounds.of(theirs)
    found = []
    for broker, row in held.items():
        other = given.get(broker)
        if other is None:
            found.append(Comparison(*broker, Verdict.ONLY_OURS, row.net_vol, None, unseen_by_them))
        else:
            verdict = Verdict.EQUAL if row.net_vol == other.net_vol else Verdict.DIFFERENT
            found.append(Comparison(*broker, verdict, row.net_vol, other.net_vol))
    for broker, row in given.items():
        if broker not in held:
            found.append(Comparison(*broker, Verdict.ONLY_THEIRS, None, row.net_vol, unseen_by_us))
    return tuple(found)


def _by_broker(rows: Sequence[Row]) -> dict[tuple[str, int], Row]:
    """Rows by name and ordinal."""
    seen: dict[str, int] = {}
    by_broker: dict[tuple[str, int], Row] = {}
    for row in rows:
        ordinal = seen.get(row.broker_name, 0)
        seen[row.broker_name] = ordinal + 1
        by_broker[row.broker_name, ordinal] = row
    return by_broker
