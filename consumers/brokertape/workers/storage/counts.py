"""What the storage did so far."""

from dataclasses import dataclass, field

from brokertape.workers.counts import WorkerCounts


@dataclass(slots=True)
class StorageCounts:
    """Counters that only rise, of committed transactions."""

    events: int = 0
    """Events stored for the first time."""
    repeats: int = 0
    """Events that were there already: delivered again."""
    waited: int = 0
    """Changes that came before the one they follow; stored, and put into the book when it comes."""
    broken: int = 0
    """Events that did not fit the book or their own hash; stored, but not put into the book."""


@dataclass(slots=True)
class StoreCounts:
    """Both sides of a storage worker, on the tape and on the history stream."""

    worker: WorkerCounts = field(default_factory=WorkerCounts)
    storage: StorageCounts = field(default_factory=StorageCounts)
    history_worker: WorkerCounts = field(default_factory=WorkerCounts)
    history: StorageCounts = field(default_factory=StorageCounts)
