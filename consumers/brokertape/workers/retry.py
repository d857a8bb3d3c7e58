"""When an entry that failed is tried again. Pure: all it needs to know, Redis keeps with the pending entry."""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that a consumer was given and has not acknowledged: how often, and how long ago."""

    entry_id: str
    deliveries: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses that double from `first_s` to `most_s`, each cut by up to half so that workers and entries lose step."""

    first_s: float
    most_s: float

    def after(self, entry_id: str, deliveries: int) -> float:
        """Seconds between that delivery and the next. The jitter is the entry's own: nothing has to be remembered."""
        pause_s = min(self.first_s * 2 ** min(deliveries - 1, 30), self.most_s)
        return float(pause_s * (1 - zlib.crc32(f"{entry_id}/{deliveries}".encode()) / 2**33))

    def is_over(self, pending: Pending) -> bool:
        """Whether it is time to deliver it again."""
        return pending.idle_ms >= 1000 * self.after(pending.entry_id, pending.deliveries)


def idle(pending: Iterable[Pending], in_hand: Collection[str]) -> list[Pending]:
    """What this consumer holds and is not at work on."""
    return [one for one in pending if one.entry_id not in in_hand]


def is_suspect(deliveries: int) -> bool:
    """Whether an entry that came so often may be what ends its workers: it must be alone with the next one.

    Such an entry takes the rest of its batch with it. Delivered alone, it alone is counted up and buried in the end.
    """
    return deliveries > 1
