"""Partitions in order, for as long as they are ours."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Generic

from brokertape.tape.backoff import LONGEST_S, backoff, is_set_within
from brokertape.tape.errors import StoreUnavailable
from brokertape.tape.tasks import run_all
from brokertape.workers.counts import WorkerCounts, WorkerState
from brokertape.workers.delivery import E, Entry
from brokertape.workers.errors import GroupLost, SinkUnavailable
from brokertape.workers.group import Group
from brokertape.workers.joining import Joining
from brokertape.workers.leases import Tenure
from brokertape.workers.retry import Pending
from brokertape.workers.settings import WorkerSettings
from brokertape.workers.settler import Settler

log = logging.getLogger("brokertape.workers")

# A read must not outlive the lease: what the server hands to a reader that is frozen, the next owner has to find.
_READ_MARGIN_S = 0.2


class OrderedLane(Generic[E]):
    """Reads and settles one partition, an entry never before the one it follows.

    What fails holds up its partition until it is handled or a dead letter. Whatever anybody of the group was given
    before is taken over at the start, for the lease says that nobody else is at work here.
    """

    def __init__(
        self,
        partition: int,
        tenure: Tenure,
        group: Group,
        joining: Joining,
        settler: Settler[E],
        settings: WorkerSettings,
        counts: WorkerCounts,
        state: WorkerState,
    ) -> None:
        self._partition = partition
        self._tenure = tenure
        self._group = group
        self._joining = joining
        self._settler = settler
        self._settings = settings
        self._counts = counts
        self._state = state
        self._has_left_some = False
        self._is_held_up = False
        self._upkeep_at = 0.0

    async def follow(self, stop: asyncio.Event) -> None:
        """Work until `stop`, or until the lease has ended."""
        trouble = f"partition {self._partition} is not read"
        try:
            await self._follow(trouble, stop)
        finally:
            self._forget(trouble)

    async def _follow(self, trouble: str, stop: asyncio.Event) -> None:
        delays = backoff()
        while not stop.is_set() and self._tenure.is_valid:
            began = time.monotonic()
            self._state.begin(trouble, began)
            try:
                await self._joining.join([self._partition])
                await self._take_over(min_idle_ms=0)
                self._state.end(trouble)
                await self._work(stop)
            except (StoreUnavailable, GroupLost, SinkUnavailable) as error:
                if stop.is_set():
                    log.warning("%s; stopping all the same, unfinished work stays pending", error)
                    return
                if time.monotonic() - began > LONGEST_S:  # it had worked: this is a new trouble, not the old one
                    delays = backoff()
                self._counts.reconnects += 1
                log.warning("%s; joining the group again", error)
                # Not before a read that was cut off is over in the server too: it would still be given entries.
                await is_set_within(stop, max(next(delays), self._settings.block_ms / 1000))

    def _forget(self, trouble: str) -> None:
        """The partition is somebody else's to speak of."""
        self._state.end(trouble)
        self._state.lags.pop(self._partition, None)
        self._state.pending.pop(self._partition, None)

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set() and self._tenure.is_valid:
            if time.monotonic() >= self._upkeep_at:
                await self._take_over(self._settings.min_idle_ms)
                await self._group.sweep(self._partition)
                await self._joining.save([self._partition])
                self._upkeep_at = time.monotonic() + self._settings.upkeep_every_s
            await (self._try_again(stop) if self._has_left_some else self._read())

    async def _take_over(self, min_idle_ms: int) -> None:
        claimed = await self._group.claim(self._partition, min_idle_ms)
        self._counts.claimed += claimed.count
        self._settler.count_trimmed(self._partition, claimed.trimmed)
        self._has_left_some = True  # it is looked at whether there is anything

    async def _read(self) -> None:
        block_ms = min(self._settings.block_ms, round((self._tenure.left_s - _READ_MARGIN_S) * 1000))
        if block_ms < 1:
            await asyncio.sleep(_READ_MARGIN_S)  # until the lease is renewed, or over
            return
        lanes = self._group.partitions if self._settings.undivided else max(1, len(self._state.owned or ()))
        size = max(1, min(self._settings.batch_size, self._settings.prefetch // lanes))
        found = await self._group.read_next(self._partition, size, block_ms)
        if found.is_next:
            await self._settle(found.entries)
        elif self._tenure.is_valid:
            # A worker that was frozen as it asked was given some after its lease had ended: they come before these.
            await self._group.uncount(found.entries)
            await self._take_over(min_idle_ms=0)

    async def _try_again(self, stop: asyncio.Event) -> None:
        """Deliver the oldest of what is pending once more; what failed alone, and after its pause."""
        pending = await self._group.pending(self._partition)
        if not pending:
            self._has_left_some = False
            return
        run = pending[:1] if self._is_held_up else alike(pending, self._settings.batch_size)
        if self._is_held_up or run[0].deliveries > 1:
            pause_s = self._settings.pauses.after(run[0].entry_id, run[0].deliveries) - run[0].idle_ms / 1000
            if pause_s > 0 and await is_set_within(stop, pause_s):
                return
        delivered = await self._group.redeliver(self._partition, run)
        self._settler.count_trimmed(self._partition, delivered.trimmed)
        await self._settle(delivered.entries)

    async def _settle(self, entries: Sequence[Entry]) -> None:
        if not self._tenure.is_valid:  # nothing of it was begun: the next owner takes it over
            return
        self._state.in_hand += len(entries)
        try:
            batch = await self._settler.examine(entries, self._tenure.token)
            is_settled = not batch or await self._settler.settle(batch, lambda: self._tenure.is_valid)
            self._is_held_up = not is_settled
            self._has_left_some |= not is_settled
        finally:
            self._state.in_hand -= len(entries)


class OrderedLanes(Generic[E]):
    """Lanes that are ours together."""

    def __init__(self, lanes: Iterable[OrderedLane[E]]) -> None:
        self._lanes = list(lanes)

    async def follow(self, stop: asyncio.Event) -> None:
        """As each of them does."""
        await run_all([lane.follow(stop) for lane in self._lanes])


def alike(pending: Sequence[Pending], size: int) -> Sequence[Pending]:
    """The oldest of what is pending, to be delivered together: those that came once; one that came more often, alone.

    In order, so nothing that came once goes before one that came more often.
    """
    came_once = list(takewhile(lambda one: one.deliveries <= 1, pending[:size]))
    return came_once or pending[:1]
