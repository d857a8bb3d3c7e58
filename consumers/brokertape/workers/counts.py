"""What a worker did so far, and how it stands."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class WorkerCounts:
    """Counters that only rise; whoever holds the object may read them while the worker runs."""

    handled: int = 0
    """Entries whose effect is durable and that were acknowledged."""
    unknown: int = 0
    """Entries of an event type this version does not know: acknowledged and skipped."""
    failed: int = 0
    """Times a single entry could not be handled."""
    dead: int = 0
    """Entries moved to the dead-letter stream."""
    claimed: int = 0
    """Entries taken over from members that died."""
    trimmed: int = 0
    """Entries that were cut off the stream before they were handled: lost."""
    groups_lost: int = 0
    """Groups that were gone and had to be rebuilt."""
    rollbacks: int = 0
    """Partitions found behind the saved position: Redis lost acknowledged writes."""
    sink_waits: int = 0
    """Times a batch had to wait for the sink."""
    reconnects: int = 0
    """Times reading had to begin again."""
    leases_lost: int = 0
    """Partitions that somebody else may have taken while they were ours: handling stopped at once."""


@dataclass(slots=True)
class WorkerState:
    """How a worker stands now: gauges that its parts keep, times in seconds on the monotonic clock."""

    troubles: dict[str, float] = field(default_factory=dict)
    """What keeps it from working, each with the time it began."""
    calls: dict[int, float] = field(default_factory=dict)
    """Calls of the handler that run, each with the time it began."""
    lags: dict[int, int] = field(default_factory=dict)
    """By partition: entries that nobody of the group was given yet, at the last upkeep."""
    pending: dict[int, int] = field(default_factory=dict)
    """By partition: entries that members of the group hold, at the last upkeep."""
    in_hand: int = 0
    """Entries that this worker read and has not settled yet."""
    owned: tuple[int, ...] | None = None
    """In ordered mode: the partitions that are ours."""
    token: int | None = None
    """In ordered mode: the highest token of what is ours, None while nothing is."""
    call_patience_s: float = 30.0
    """How long a call of the handler may take before it is unwell."""

    def begin(self, trouble: str, now: float) -> None:
        """`trouble` keeps it from working from `now` on, unless it did already."""
        self.troubles.setdefault(trouble, now)

    def end(self, trouble: str) -> None:
        """`trouble` is over."""
        self.troubles.pop(trouble, None)
