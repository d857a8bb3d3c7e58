"""Every limit of a worker with its default."""

import socket
from dataclasses import dataclass, field

from brokertape.tape.keys import check_name
from brokertape.tape.start import Start


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How one member of a consumer group works.

    Args:
        group: The consumer group: one per kind of worker, shared by all workers of that kind.
        consumer: This worker's name in it, the same after a restart: what it left pending is its own. Two running
            workers must not share one.
        start: Where a group that never existed begins.
        read_count: Entries taken per partition and read.
        batch_size: Entries handed to the handler at once.
        block_ms: How long one read waits; the client's socket timeout must be longer, and so is a graceful stop.
        min_idle_ms: An entry that nobody acknowledged for so long is taken over; handling one read must be quicker.
        max_attempts: Deliveries of one entry before it goes to the dead-letter stream.
        upkeep_every_s: How often entries are claimed and the position is saved.
        stop_timeout_s: How long a stop may take before the work in hand is dropped, to be delivered again.
        max_dead: Entries a dead-letter stream keeps; beyond, the oldest go.

    Raises:
        InvalidKeys: `group` or `consumer` cannot stand in a key.
        ValueError: A limit is not positive.
    """

    group: str
    consumer: str = field(default_factory=socket.gethostname)
    start: Start = Start.EARLIEST
    read_count: int = 200
    batch_size: int = 500
    block_ms: int = 1000
    min_idle_ms: int = 10_000
    max_attempts: int = 5
    upkeep_every_s: float = 5.0
    stop_timeout_s: float = 10.0
    max_dead: int = 10_000

    def __post_init__(self) -> None:
        check_name("group", self.group)
        check_name("consumer", self.consumer)
        for name in ("read_count", "batch_size", "block_ms", "min_idle_ms", "max_attempts", "max_dead"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: use 1 or more")
