"""What a worker did so far."""

from dataclasses import dataclass


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
    """Entries taken over after nobody acknowledged them."""
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
