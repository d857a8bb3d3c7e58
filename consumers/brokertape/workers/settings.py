"""Every limit of a worker with its default."""

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from brokertape.tape.keys import MAX_PARTITIONS, check_name
from brokertape.tape.start import FIRST_ID, since
from brokertape.workers.retry import Pauses

Start = Literal["earliest", "new", "baseline"]


def default_consumer() -> str:
    """A name no other running process has. What it leaves pending when it dies is claimed by the group's others."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How one member of a consumer group works.

    Args:
        group: The consumer group: one per kind of worker, shared by all workers of that kind.
        consumer: This worker's name in it. Two running workers must not share one; with the same name after a
            restart, it begins with what it left pending.
        ordered: Each code's events in order, never two workers on one code at a time: partitions are owned through
            leases. Else any worker takes any entry, which is quicker, and no order is kept between batches.
        undivided: With `ordered`: one worker owns all partitions and the others stand by, for a handler that looks
            across codes.
        start: Where a group that never existed begins: `earliest` with all that is still there, `new` with what comes
            from now on, `baseline` with the books as they stand, then all that comes after them …
        since: … or at this moment or entry id (market time unless it names a zone), which wins over `start`.
        concurrency: Calls of the handler at once.
        batch_size: Entries handed to the handler at once, at most.
        prefetch: Entries read and not yet acknowledged, at most.
        block_ms: How long one read waits; the client's command timeout must be longer.
        max_attempts: Deliveries of one entry before it goes to the dead letters.
        retry_first_s: Pause before the second attempt; it doubles …
        retry_most_s: … up to this, each with jitter.
        handler_timeout_s: How long one call of the handler may take; then it is cancelled and counts as failed.
        min_idle_ms: An entry that its worker has not acknowledged or renewed for so long is taken over: the worker
            is dead. Longer than `retry_most_s` and several times `upkeep_every_s`.
        upkeep_every_s: How often entries in hand are renewed, abandoned ones claimed and the position saved.
        lease_s: With `ordered`: how long a partition stays with a worker that is not heard of.
        stop_timeout_s: How long a stop may take before the work in hand is dropped, to be delivered again.
        max_dead: Entries a dead-letter stream keeps; beyond, the oldest go.

    Raises:
        InvalidKeys: `group` or `consumer` cannot stand in a key.
        InvalidPosition: `since` is neither a time nor an entry id.
        ValueError: A limit cannot be meant.
    """

    group: str
    consumer: str = field(default_factory=default_consumer)
    ordered: bool = False
    undivided: bool = False
    start: Start = "earliest"
    since: datetime | str | None = None
    concurrency: int = 1
    batch_size: int = 500
    prefetch: int = 2000
    block_ms: int = 1000
    max_attempts: int = 5
    retry_first_s: float = 0.5
    retry_most_s: float = 5.0
    handler_timeout_s: float = 60.0
    min_idle_ms: int = 15_000
    upkeep_every_s: float = 3.0
    lease_s: float = 10.0
    stop_timeout_s: float = 10.0
    max_dead: int = 10_000

    def __post_init__(self) -> None:
        check_name("group", self.group)
        check_name("consumer", self.consumer)
        if self.start not in get_args(Start):
            raise ValueError(f"start = {self.start!r}: use {', '.join(get_args(Start))}")
        for name in ("concurrency", "batch_size", "block_ms", "max_attempts", "min_idle_ms", "max_dead"):
            self._check(name, least=1)
        for name in ("retry_first_s", "retry_most_s", "handler_timeout_s", "upkeep_every_s"):
            self._check(name, least=0.001)
        self._check("lease_s", least=0.5)  # nothing is read in its last fifth of a second
        self._check("prefetch", least=MAX_PARTITIONS)  # one entry a partition, at least, is read at once
        if self.retry_most_s * 1000 >= self.min_idle_ms:
            raise ValueError(
                f"retry_most_s = {self.retry_most_s:g} must be less than min_idle_ms = {self.min_idle_ms}: "
                "another worker would take the entry over during the pause"
            )
        if self.upkeep_every_s * 3000 > self.min_idle_ms:
            raise ValueError(
                f"upkeep_every_s = {self.upkeep_every_s:g} must be a third of min_idle_ms = {self.min_idle_ms}: "
                "what this worker is at work on would be taken over"
            )
        _ = self.after_id

    @property
    def after_id(self) -> str:
        """The entry id a new group reads after, as Redis takes it."""
        if self.since is not None:
            return since(self.since)
        return FIRST_ID if self.start == "earliest" else "$"

    @property
    def begins_with_books(self) -> bool:
        """Whether a new group is given the books first."""
        return self.since is None and self.start == "baseline"

    @property
    def pauses(self) -> Pauses:
        """The pauses between attempts."""
        return Pauses(self.retry_first_s, self.retry_most_s)

    def _check(self, name: str, *, least: float) -> None:
        value = getattr(self, name)
        if not value >= least:
            raise ValueError(f"{name} = {value}: use {least:g} or more")
